"""The rename dialog: title and path; previews the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import on
from textual.content import Content
from textual.widgets import Button, Input, Label, Static

from sessiontui.app.format import SAFE_TEXT, as_sentence
from sessiontui.app.screens.dialog import Dialog, DialogButton, button_label
from sessiontui.app.widgets.inputs import Field
from sessiontui.formats.title_slot import make_slot, normalize_title, parse_slot
from sessiontui.storage.changes import is_session
from sessiontui.text import clean
from sessiontui.workspace.rename import MAY_SET_AGAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from textual.widget import Widget

    from sessiontui.catalog.row import Row


_LONGEST = 1024
NO_TITLE_SLOT = "It has no room for a title, and gets none while an agent may be running."
"""Why a session without a title slot cannot be given a title now: its length would change."""


@dataclass(frozen=True, slots=True)
class RenameRequest:
    """What the rename dialog answers: what to change; None leaves it as it is."""

    title: str | None
    path: str | None


class RenameDialog(Dialog[RenameRequest]):
    """The answer is what to change, or None for nothing.

    While an agent may hold the session open, a new path is asked for twice.
    """

    question = Content("Rename session")

    def __init__(
        self,
        row: Row,
        *,
        held: str | None,
        untitled: str | None,
        taken: Callable[[str], bool],
        unit: str,
        enter_key: str,
    ) -> None:
        """Make the dialog for a session.

        Args:
            row: The session.
            held: In plain words why an agent may hold it open, or None.
            untitled: Why its title cannot be stored, a sentence, or None.
            taken: Tells whether a session already has a path.
            unit: What the source keeps: `key` or `file`.
            enter_key: How the Enter key is written.
        """
        super().__init__()
        self._row = row
        self.held = held
        self._taken = taken
        self._unit = unit
        self._anyway = DialogButton("rename", "Move it anyway", enter_key)
        self.choices = (
            DialogButton("cancel", "Cancel", "esc"),
            DialogButton("rename", "Rename", enter_key),
        )
        self._asked = False
        if untitled is None and held is not None and row.read and not row.has_slot:
            untitled = f"{as_sentence(held)} {NO_TITLE_SLOT}"
        self._untitled = untitled
        self._shown_title = clean(row.title)
        self._shown_path = clean(row.path)

    def body(self) -> Iterable[Widget]:
        """Yield the two fields and the line that says what will happen."""
        yield Label("Title", classes="field-name")
        yield Field(
            self._shown_title,
            id="title",
            restrict=SAFE_TEXT,
            max_length=_LONGEST,
            compact=True,
            disabled=self._untitled is not None,
        )
        if self._untitled is not None:
            yield Static(Content.styled(self._untitled, "$past"), id="untitled")
        yield Label("Path", classes="field-name")
        yield Field(
            self._shown_path, id="path", restrict=SAFE_TEXT, max_length=_LONGEST, compact=True
        )
        yield Static(id="outcome")

    def on_mount(self) -> None:
        """Say that nothing changes yet; the title has the focus, its text selected."""
        self._tell()

    def _wanted(self) -> RenameRequest:
        """Return what the fields ask to change."""
        title = self.query_one("#title", Input).value
        path = self.query_one("#path", Input).value.strip()
        new_title = None if title == self._shown_title else normalize_title(title)
        return RenameRequest(new_title, None if path == self._shown_path else path)

    def _objection(self, wanted: RenameRequest) -> str | None:
        """Return why this cannot be done, or None."""
        path = wanted.path
        if path is None:
            return None
        if not path.endswith(".jsonl"):
            return "A session's path ends in .jsonl."
        if not is_session(path) or any(part in ("..", ".") for part in path.split("/")):
            return "Not the path of a session."
        if self._taken(path):
            return "Another session has this path."
        return None

    def _consequences(self, wanted: RenameRequest) -> Iterable[Content]:
        """Yield what would happen, a line each."""
        if wanted.title is not None:
            yield Content(
                "The title changes in the list and in the session."
                if wanted.title
                else "The title is removed; the first message becomes the title."
            )
            kept = parse_slot(make_slot(wanted.title, source="user", updated_at=0))
            if kept is not None and kept.title != wanted.title:
                yield Content.styled(
                    f"It is long: agents will read “…{kept.title[-16:]}” as its end.", "$past"
                )
        if wanted.path is not None:
            yield Content(f"The {self._unit} moves, with its drafts.")
        if wanted.path is not None and self.held is not None:
            yield Content.styled(
                f"{as_sentence(self.held)} Its agent would keep writing to the old path"
                " and split the session in two.",
                "$attention",
            )
        elif wanted.title is not None and self.held is not None:
            yield Content.styled(
                f"{as_sentence(self.held)} {MAY_SET_AGAIN}",
                "$attention",
            )

    def _tell(self) -> None:
        """Say what would happen now, and let only what makes sense be chosen."""
        wanted = self._wanted()
        button = self.query_one("#rename", Button)
        objection = self._objection(wanted)
        changes = wanted.title is not None or wanted.path is not None
        button.disabled = objection is not None or not changes
        self.query_one("#path", Input).set_class(objection is not None, "-invalid")
        if objection is not None:
            told = Content.styled(objection, "$failed")
        elif changes:
            told = Content("\n").join(list(self._consequences(wanted)))
        else:
            told = Content.styled("No changes.", "$past")
        self.query_one("#outcome", Static).update(told)

    @on(Input.Changed)
    def _typed(self) -> None:
        self._asked = False
        self._label(self.choices[1])
        self._tell()

    @on(Input.Submitted)
    def _entered(self) -> None:
        self.action_choose("rename")

    def _label(self, choice: DialogButton) -> None:
        button = self.query_one("#rename", Button)
        button.label = button_label(choice)
        button.refresh(layout=True)

    def choose(self, choice_id: str) -> None:
        """Answer; a path that an agent may hold is asked for once more."""
        if choice_id != "rename":
            self.dismiss(None)
            return
        wanted = self._wanted()
        if wanted.path is not None and self.held is not None and not self._asked:
            self._asked = True
            self._label(self._anyway)
            return
        self.dismiss(wanted)
