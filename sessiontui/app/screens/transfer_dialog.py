"""The transfer dialog: where to copy or move sessions; what goes, which are in use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding
from textual.content import Content
from textual.widgets import Button, Input, Label, Static

from sessiontui.app import format as formats
from sessiontui.app.format import SAFE_TEXT
from sessiontui.app.screens.dialog import Dialog, DialogButton, about_many
from sessiontui.app.widgets.inputs import Field
from sessiontui.errors import ConfigError
from sessiontui.text import clean
from sessiontui.workspace.events import error_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from textual.binding import BindingType
    from textual.widget import Widget

    from sessiontui.sources import Source
    from sessiontui.workspace import DeletePlan

_LONGEST = 1024
_TITLE_CELLS = 48
_HELD_SHOWN = 3


@dataclass(frozen=True, slots=True)
class TransferRequest:
    """What the transfer dialog answers: target, sessions and options."""

    text: str
    """The place as it was typed."""
    source: Source
    paths: tuple[str, ...]
    cwd: str | None
    force: bool


class PlaceInput(Field):
    """A field with places to choose from by the arrow keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "step(-1)", show=False),
        Binding("down", "step(1)", show=False),
    ]

    def __init__(self, places: Sequence[str], first: str) -> None:
        super().__init__(
            first,
            id="to",
            placeholder="redis://…, unix://…, a folder, or omp",
            restrict=SAFE_TEXT,
            max_length=_LONGEST,
            compact=True,
        )
        self._places = list(places)

    def action_step(self, by: int) -> None:
        """Show the next of the known places."""
        if self._places:
            known = self.value in self._places
            at = self._places.index(self.value) + by if known else 0
            self.value = self._places[at % len(self._places)]
            self.cursor_position = len(self.value)


class TransferDialog(Dialog[TransferRequest]):
    """The answer is where to and which sessions, or None for nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+a", "choose('all')", show=False, priority=True)
    ]

    def __init__(
        self,
        plan: DeletePlan,
        title: str,
        *,
        about: str = "",
        move: bool,
        places: Sequence[str],
        first: str,
        parse: Callable[[str], Source],
        project: Callable[[str], str],
        unit: str,
        keys: tuple[str, str],
    ) -> None:
        """Make the dialog.

        Args:
            plan: The sessions and what belongs to them.
            title: Title of the session, if there is just one; as stored.
            about: Which ones, if there are several; safe to show.
            move: Whether they are moved, else copied.
            places: Places to offer, the likeliest first.
            first: The one that stands in the field already; empty for none.
            parse: Reads a place; raises `ConfigError` where it cannot be used.
            project: Makes an absolute path of a typed folder; raises `ConfigError` too.
            unit: What the source keeps: `key` or `file`.
            keys: How Enter is written, and the key that brings back what was moved.
        """
        super().__init__()
        self.plan = plan
        self._about = about
        self._move = move
        self._places = places
        self._first = first
        self._parse = parse
        self._project = project
        self._unit = unit
        self._enter_key, self._undo_key = keys
        self._verb = "Move" if move else "Copy"
        self._one = len(plan.paths) == 1
        what = formats.plural(len(plan.paths), "session")
        if self._one:
            what = f"“{formats.cut_end(clean(title), _TITLE_CELLS)}”"
        self.question = Content(f"{self._verb} {what}")
        self.choices = self._choices()

    def _choices(self) -> tuple[DialogButton, ...]:
        cancel = DialogButton("cancel", "Cancel", "esc")
        held, count = len(self.plan.held), len(self.plan.paths)
        if not held:
            return (cancel, DialogButton("go", self._verb, self._enter_key))
        anyway = "it anyway" if self._one else "all anyway"
        force = DialogButton("all", f"{self._verb} {anyway}", "ctrl+a", danger=True)
        if held == count:
            return (cancel, force)
        rest = count - held
        others = f"the {rest:,} others" if rest > 1 else "the other"
        return (cancel, DialogButton("go", f"{self._verb} {others}", self._enter_key), force)

    def body(self) -> Iterable[Widget]:
        """Yield the fields and what would happen."""
        yield from about_many(self._about)
        hint = "   ↑↓ known places" if any(place != self._first for place in self._places) else ""
        yield Label(Content.assemble("To", (hint, "$faint")), classes="field-name")
        yield PlaceInput(self._places, self._first)
        yield Label("Folder of the project", classes="field-name")
        yield Field(
            id="cwd",
            placeholder="as it is",
            restrict=SAFE_TEXT,
            max_length=_LONGEST,
            compact=True,
        )
        yield Static(id="outcome")
        if self.plan.held:
            yield Static(self._warning(), classes="warning")

    def on_mount(self) -> None:
        """Say what would happen."""
        self._tell()

    def _warning(self) -> Content:
        lines = [
            f"“{formats.cut_end(clean(item.title), _TITLE_CELLS)}”: {clean(item.reason)}."
            for item in self.plan.held[:_HELD_SHOWN]
        ]
        if len(self.plan.held) > _HELD_SHOWN:
            lines.append(f"So do {len(self.plan.held) - _HELD_SHOWN} more.")
        lines.append(
            "An agent that is still working would lose the rest of its work."
            if self._move
            else "An agent that is still at work goes on with the original alone."
        )
        return Content("\n".join(lines))

    def _wanted(self) -> tuple[str, Source, str | None] | str:
        """Return where to and which project, or why that cannot be."""
        text = self.query_one("#to", Input).value.strip()
        typed = self.query_one("#cwd", Input).value.strip()
        if not text:
            return "Type where to; ↑ and ↓ offer what is known."
        try:
            return text, self._parse(text), self._project(typed) if typed else None
        except ConfigError as error:
            return error_reason(error)

    def _tell(self) -> None:
        wanted = self._wanted()
        for choice in self.choices[1:]:
            self.query_one(f"#{choice.id}", Button).disabled = isinstance(wanted, str)
        if isinstance(wanted, str):
            empty = not self.query_one("#to", Input).value.strip()
            told = Content.styled(wanted, "$past" if empty else "$failed")
        else:
            plan = self.plan
            amount = f"{formats.plural(plan.count, self._unit)}, {formats.size(plan.bytes)}."
            after = (
                "The original stays as it is." if self._one else "The originals stay as they are."
            )
            if self._move:
                after = (
                    "Each copy is read back, then the original goes to the trash;"
                    f" {self._undo_key} to undo."
                )
            told = Content("\n").join([Content(amount), Content.styled(after, "$past")])
        self.query_one("#outcome", Static).update(told)

    @on(Input.Changed)
    def _typed(self) -> None:
        self._tell()

    @on(Input.Submitted)
    def _entered(self) -> None:
        if any(choice.id == "go" for choice in self.choices):
            self.action_choose("go")

    def action_choose(self, choice_id: str) -> None:
        """Take a key only if its button is there."""
        if any(choice.id == choice_id for choice in self.choices):
            super().action_choose(choice_id)

    def choose(self, choice_id: str) -> None:
        """Answer."""
        wanted = self._wanted()
        if choice_id == "cancel":
            self.dismiss(None)
            return
        if isinstance(wanted, str):
            self._tell()
            return
        text, source, cwd = wanted
        force = choice_id == "all"
        paths = self.plan.paths if force else self.plan.without_held().paths
        self.dismiss(TransferRequest(text, source, paths, cwd, force))
