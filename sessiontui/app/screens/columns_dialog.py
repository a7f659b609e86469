"""The dialog for the columns of the list: changes show at once, Escape reverts them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from sessiontui.app.columns import COLUMNS, DEFAULT_COLUMNS
from sessiontui.app.screens.base import ClosedOnce
from sessiontui.app.widgets.inputs import Choices

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from sessiontui.app.columns import Column, ColumnId

_NAME_CELLS = 9


class ColumnOptions(Choices):
    """The list itself; Enter belongs to the screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.keep", show=False),
        Binding("space", "screen.switch", show=False),
    ]


class ColumnsDialog(ModalScreen[None], ClosedOnce[None]):
    """Lists the columns with a mark for each that is chosen.

    Args:
        chosen: Those that are shown now.
        show: Shows others at once.
        ascii_only: Whether to draw with ASCII characters alone.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "take_back", show=False),
        Binding("C", "keep", show=False),
        Binding("u", "usual", show=False),
    ]

    def __init__(
        self,
        chosen: Sequence[ColumnId],
        show: Callable[[tuple[ColumnId, ...]], None],
        *,
        ascii_only: bool,
    ) -> None:
        super().__init__()
        self._before = tuple(chosen)
        self._chosen = set(chosen)
        self._show = show
        self._mark = "x" if ascii_only else "✓"

    def compose(self) -> ComposeResult:
        """Lay out the heading, the columns and what the keys do."""
        with Vertical(classes="outline choosing"):
            yield Static(Content.styled("Columns", "bold"), id="outline-heading")
            yield ColumnOptions(
                *(Option(self._line(column), id=column.id) for column in COLUMNS),
                id="outline-turns",
                markup=False,
                compact=True,
            )
            yield Static(
                Content.styled("space toggle   u defaults   enter apply   esc cancel", "$past"),
                classes="closing",
            )

    def on_mount(self) -> None:
        """Highlight the first column."""
        self.query_one(ColumnOptions).highlighted = 0

    def _line(self, column: Column) -> Content:
        mark = self._mark if column.id in self._chosen else " "
        return Content.assemble(
            (f" {mark} ", "$live"), f"{column.id:<{_NAME_CELLS}}", (column.help, "$past")
        )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Show a column that was clicked, or hide it."""
        event.stop()
        self._toggle(event.option_index)

    def action_switch(self) -> None:
        """Show the highlighted column, or hide it; at once, whatever is typed next."""
        index = self.query_one(ColumnOptions).highlighted
        if index is not None:
            self._toggle(index)

    def _toggle(self, index: int) -> None:
        self._chosen ^= {COLUMNS[index].id}
        self._changed()

    def action_usual(self) -> None:
        """Show the usual columns."""
        self._chosen = set(DEFAULT_COLUMNS)
        self._changed()

    def _changed(self) -> None:
        options = self.query_one(ColumnOptions)
        for index, column in enumerate(COLUMNS):
            options.replace_option_prompt_at_index(index, self._line(column))
        self._show(tuple(column.id for column in COLUMNS if column.id in self._chosen))

    def action_keep(self) -> None:
        """Go back to the list with what is chosen."""
        self.dismiss(None)

    def action_take_back(self) -> None:
        """Go back to the list as it was."""
        self._show(self._before)
        self.dismiss(None)
