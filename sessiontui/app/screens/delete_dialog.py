"""The dialog before sessions are moved to the trash: what, how much, which are in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.content import Content
from textual.widgets import Static

from sessiontui.app import format as formats
from sessiontui.app.format import as_sentence
from sessiontui.app.screens.dialog import Dialog, DialogButton, about_many
from sessiontui.storage.changes import is_session
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.binding import BindingType
    from textual.widget import Widget

    from sessiontui.workspace import DeletePlan

_TITLE_CELLS = 48
_HELD_SHOWN = 3
_DRAFT = "/draft.txt"


class DeleteDialog(Dialog["DeletePlan"]):
    """The answer is the plan to carry out, or None to keep everything."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "dismiss", show=False),
        Binding("y", "agree", show=False),
        Binding("a", "choose('all')", show=False),
    ]

    def __init__(
        self,
        plan: DeletePlan,
        title: str,
        *,
        about: str = "",
        unit: str,
        days: int,
        undo_key: str,
    ) -> None:
        """Make the dialog for a plan.

        Args:
            plan: What a deletion would take.
            title: Title of the session, if there is just one; as stored.
            about: Which ones, if there are several; safe to show.
            unit: What the source keeps: `key` or `file`.
            days: How long the trash keeps it.
            undo_key: Key that brings it back.
        """
        super().__init__()
        self.plan = plan
        self._about = about
        self._unit = unit
        self._days = days
        self._undo_key = undo_key
        self._one = len(plan.paths) == 1
        self.question = self._ask(title)
        self.choices = self._choices()

    def _ask(self, title: str) -> Content:
        if not self._one:
            return Content(f"Delete {formats.plural(len(self.plan.paths), 'session')}?")
        shown = formats.cut_end(clean(title), _TITLE_CELLS)
        return Content(f"Delete “{shown}”?")

    def _choices(self) -> tuple[DialogButton, ...]:
        held, all_of_them = len(self.plan.held), len(self.plan.paths)
        keep = DialogButton("keep", "Cancel", "esc")
        if self._one:
            label = "Delete it anyway" if held else "Delete"
            return (keep, DialogButton("all", label, "y", danger=True))
        if not held:
            return (keep, DialogButton("all", "Delete all", "y", danger=True))
        anyway = DialogButton("all", "Delete all anyway", "a", danger=True)
        rest = all_of_them - held
        if not rest:
            return (keep, anyway)
        label = f"Delete the {rest:,} others" if rest > 1 else "Delete the other"
        return (keep, DialogButton("others", label, "y", danger=True), anyway)

    def body(self) -> Iterable[Widget]:
        """Yield what goes, how it comes back, and which sessions are in use."""
        yield from about_many(self._about)
        yield Static(self._amount(), classes="consequence")
        yield Static(
            Content.styled(
                f"Kept in the trash for {formats.plural(self._days, 'day')};"
                f" {self._undo_key} to undo.",
                "$past",
            ),
            classes="consequence",
        )
        if self.plan.held:
            yield Static(self._warning(), classes="warning")

    def _amount(self) -> Content:
        plan = self.plan
        drafts = sum(stat.path.endswith(_DRAFT) for stats in plan.stats for stat in stats)
        amount = f"{formats.plural(plan.count, self._unit)}, {formats.size(plan.bytes)}"
        agents = sum(is_session(stat.path) for stats in plan.stats for stat in stats[1:])
        its = "its" if self._one else "their"
        along = [f"{its} {'draft' if self._one else 'drafts'}"] if drafts else []
        if agents:
            along.append(formats.plural(agents, "session") + " of subagents")
        if along:
            amount += f", with {' and '.join(along)}"
        return Content(amount + ".")

    def _warning(self) -> Content:
        """Say in plain words who is still at work."""
        held = self.plan.held
        if self._one:
            return Content(
                f"{as_sentence(held[0].reason)} Its agent would lose the rest of its work."
            )
        lines = [
            f"“{formats.cut_end(clean(item.title), _TITLE_CELLS)}”: {clean(item.reason)}."
            for item in held[:_HELD_SHOWN]
        ]
        if len(held) > _HELD_SHOWN:
            lines.append(f"So do {len(held) - _HELD_SHOWN} more.")
        lines.append("An agent that is still working would lose the rest of its work.")
        return Content("\n".join(lines))

    def choose(self, choice_id: str) -> None:
        """Answer with the plan, the part of it that nobody holds, or nothing."""
        plans = {"all": self.plan, "others": self.plan.without_held()}
        self.dismiss(plans.get(choice_id))

    def action_agree(self) -> None:
        """Take what nobody would mind, as far as there is a choice."""
        agreed = next((choice for choice in self.choices if choice.key == "y"), None)
        if agreed is not None:
            self.choose(agreed.id)

    def action_choose(self, choice_id: str) -> None:
        """Take a key only if its button is there."""
        if any(choice.id == choice_id for choice in self.choices):
            super().action_choose(choice_id)
