"""The help screen: every key and what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual.binding import Binding
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from sessiontui.app.actions import ACTIONS, CONTEXTS, KeyContext
from sessiontui.app.screens.base import ClosedOnce

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from sessiontui.app.keymap import Keymap

_GAP = 2
_TWO, _THREE = 98, 138
"""From so many columns of the terminal on the keys stand in two columns, in three."""
_ORDER: tuple[KeyContext, ...] = ("list", "transcript", "everywhere")
_MOUSE = (
    ("click", "Go to a row"),
    ("double click", "Open"),
    ("heading", "Sort, or reverse"),
    ("wheel", "Scroll; up stops following"),
    ("drag the rule", "Resize panes"),
    ("ctrl, shift", "Select one, or a range"),
)


class HelpScreen(ModalScreen[None], ClosedOnce[None]):
    """Lists the keys by where they work; any of the closing keys goes back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1,enter", "dismiss", "Close", show=False),
        Binding("j", "scroll('down')", show=False),
        Binding("k", "scroll('up')", show=False),
    ]

    def __init__(self, keys: Keymap, *, pane: KeyContext, read_only: bool = False) -> None:
        """Take what to tell.

        Args:
            keys: What is on which key.
            pane: What the user is in; where there is one column, it comes first.
            read_only: Leave out what changes something.
        """
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = [(0, "-one"), (_TWO, "-two"), (_THREE, "-three")]
        self._keys = keys
        self._pane = pane
        self._read_only = read_only

    def compose(self) -> ComposeResult:
        """Lay out a block for the list, one for the transcript, and one for what is left."""
        order = _ORDER
        if self.app.size.width < _TWO:
            order = tuple(sorted(_ORDER, key=lambda context: context != self._pane))
        with VerticalScroll(classes="help") as box:
            up, down = map(self._keys.written, ("up", "down"))
            box.border_subtitle = f"{up} {down} scroll   esc close"
            with Container(classes="columns"):
                for context in order:
                    with Container(classes=f"column {context}"):
                        yield Static(self._section(context), classes="section")
                        if context == "everywhere":
                            yield Static(_table("Mouse", [("", _MOUSE)]), classes="section")

    def action_scroll(self, way: str) -> None:
        """Scroll a line."""
        box = self.query_one(VerticalScroll)
        (box.scroll_down if way == "down" else box.scroll_up)(animate=False)

    def _section(self, context: KeyContext) -> Content:
        topics: dict[str, list[tuple[str, str]]] = {}
        topic = ""
        for action in (action for action in ACTIONS if action.context == context):
            topic = action.topic or topic
            if not (self._read_only and action.changes):
                line = (" ".join(self._keys.of(action.id)), action.help)
                topics.setdefault(topic, []).append(line)
        return _table(CONTEXTS[context], topics.items())


def _table(heading: str, topics: Iterable[tuple[str, Sequence[tuple[str, str]]]]) -> Content:
    """Return keys and what they do, in two columns, topic by topic."""
    topics = list(topics)
    width = max(cell_len(keys) for _, lines in topics for keys, _ in lines) + _GAP
    pieces = [Content.styled(heading, "bold")]
    for number, (topic, lines) in enumerate(topics):
        if number:
            pieces.append(Content(""))
        if topic:
            pieces.append(Content.styled(topic, "$rule-focused"))
        pieces += [
            Content.assemble((keys + " " * (width - cell_len(keys)), "bold"), (what, "$past"))
            for keys, what in lines
        ]
    return Content("\n").join(pieces)
