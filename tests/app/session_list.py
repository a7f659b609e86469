"""A list of sessions on a screen of its own, for the tests of the list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import msgspec
from textual.app import App, ComposeResult

from sessiontui.app.theme import DARK, themes, token_defaults
from sessiontui.app.widgets.session_list.header import SortHeader
from sessiontui.app.widgets.session_list.tree import SessionTree
from sessiontui.catalog.catalog import Catalog
from sessiontui.catalog.row import Row, SessionTail
from sessiontui.formats.base import OpenCall
from sessiontui.paths import styles_dir

if TYPE_CHECKING:
    from textual.message import Message
    from textual.strip import Strip

Heard = TypeVar("Heard", bound="Message")

NOW_MS = 1_795_442_529_000
"""2026-11-23 14:02:09 UTC."""
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
HOME = "/home/mira"


def row(
    name: str, title: str | None = None, *, ago_ms: int = 0, project: str = "api", **fields: object
) -> Row:
    """Return a session that was read and is done, last modified `ago_ms` ago."""
    told: dict[str, Any] = {
        "path": f"/sessions/-code-{project}/2026-11-20T10-00-00-000Z_{name}.jsonl",
        "size": 1_200_000,
        "mtime_ms": NOW_MS - ago_ms,
        "read": True,
        "id": name,
        "title": f"Session {name}" if title is None else title,
        "cwd": f"{HOME}/code/{project}",
        "agent": "omp",
        "has_slot": True,
        "ending": "answer",
        "closed": True,
        "last_message_ms": NOW_MS - ago_ms,
    }
    told |= fields
    tail = {name: told.pop(name) for name in SessionTail.__struct_fields__ if name in told}
    return Row(**told, tail=SessionTail(**tail))


def sample() -> list[Row]:
    """Return sessions in every state."""
    bash = OpenCall("c1", "bash", NOW_MS - 42 * SECOND)
    parent = row("upgrade", "Upgrade redis-py to 8", ago_ms=2 * HOUR, size=812_000)
    return [
        row(
            "flaky",
            "Fix the flaky retry test",
            ago_ms=12 * SECOND,
            ending="calls",
            closed=False,
            calls=(bash,),
            grew_ms=NOW_MS - 12 * SECOND,
        ),
        row("cursor", "Add cursor pagination", ago_ms=4 * MINUTE, closed=False),
        parent,
        msgspec.structs.replace(
            row("agent", "Read the changelog", ago_ms=3 * HOUR),
            path=parent.path.removesuffix(".jsonl") + "/changelog.jsonl",
        ),
        row("runner", "Move CI to another runner", ago_ms=26 * HOUR, ending="error"),
        row("second", "Move CI, second try", ago_ms=30 * HOUR, parent="runner"),
        row("draw", "Draw the tree", ago_ms=2 * HOUR, project="sessiontui"),
        row(
            "follow",
            "Follow at 10,000 lines/s",
            ago_ms=5 * HOUR,
            project="sessiontui",
            exit_kind="fatal",
        ),
        row(
            "rename",
            "A title that is renamed",
            ago_ms=6 * HOUR,
            project="sessiontui",
            note="renaming…",
        ),
        row(
            "wide",
            "日本語の長い題名を右端で正しく切り詰める必要があります",
            ago_ms=2 * DAY,
            project="sessiontui",
        ),
        row("stop", "Try the other layout", ago_ms=3 * DAY, project="notes", ending="aborted"),
        row(
            "unread",
            "",
            ago_ms=40 * DAY,
            project="notes",
            read=False,
            id=None,
            cwd=None,
            ending=None,
            closed=False,
        ),
    ]


def catalog_of(*rows: Row) -> Catalog:
    """Return a catalog of these sessions."""
    catalog = Catalog(home=HOME)
    catalog.upsert(rows)
    return catalog


class ListApp(App[None]):
    """Shows a catalog and nothing else; remembers what the list says."""

    CSS_PATH: ClassVar = [styles_dir() / "session_tree.tcss"]

    def __init__(self, catalog: Catalog, *, theme: str = DARK, ascii_only: bool = False) -> None:
        super().__init__()
        for known in themes():
            self.register_theme(known)
        self.theme = theme
        self.now_ms = NOW_MS
        self.catalog = catalog
        self.header = SortHeader(ascii_only=ascii_only)
        self.sessions = Recording(now=lambda: self.now_ms, ascii_only=ascii_only, id="sessions")
        self.said: list[Message] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return token_defaults(self.current_theme)

    def compose(self) -> ComposeResult:
        yield self.header
        yield self.sessions

    def on_mount(self) -> None:
        self.sessions.catalog = self.catalog
        self.sessions.focus()

    def on_session_tree_highlighted(self, event: SessionTree.Highlighted) -> None:
        self.said.append(event)

    def on_session_tree_opened(self, event: SessionTree.Opened) -> None:
        self.said.append(event)

    def on_session_canvas_view_changed(self, event: SessionTree.ViewChanged) -> None:
        self.said.append(event)

    def on_sort_header_clicked(self, event: SortHeader.Clicked) -> None:
        self.said.append(event)
        if event.turned:
            self.catalog.order_by(self.catalog.sort, reverse=not self.catalog.reverse)
        else:
            self.catalog.step_order()
        self.header.show(self.catalog)
        self.sessions.rows_changed()

    def highlighted(self) -> str | None:
        """Return the path of the highlighted session."""
        return self.sessions.highlighted

    def heard(self, kind: type[Heard]) -> list[Heard]:
        """Return the messages of one kind so far."""
        return [message for message in self.said if isinstance(message, kind)]

    def shown(self) -> list[str]:
        """Return the lines of the list as text, without the blanks at their ends."""
        return [self.sessions.picture(y).text.rstrip() for y in range(self.sessions.size.height)]


class Recording(SessionTree):
    """The list, counting the lines that it paints."""

    painted: ClassVar[list[int]] = []

    def render_line(self, y: int) -> Strip:
        self.painted.append(y)
        return super().render_line(y)

    def picture(self, y: int) -> Strip:
        """Return a line without counting it."""
        return super().render_line(y)
