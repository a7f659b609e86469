"""The export dialog: format, target and options; tells what would be written."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from textual import on
from textual.content import Content
from textual.suggester import Suggester
from textual.widgets import Button, Checkbox, Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from sessiontui.app import format as formats
from sessiontui.app.format import SAFE_TEXT
from sessiontui.app.screens.dialog import Dialog, DialogButton, about_many, button_label
from sessiontui.app.widgets.inputs import Field, Paged
from sessiontui.catalog.projects import home_relative
from sessiontui.export import EXTENSIONS, FORMATS, ExportOptions
from sessiontui.paths import is_folder
from sessiontui.text import clean
from sessiontui.workspace.exporter import Export, existing_files, name_exports

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.widget import Widget

    from sessiontui.catalog.row import Row
    from sessiontui.export import ExportFormat

_ABOUT: Final[dict[ExportFormat, str]] = {
    "md": "readable text",
    "html": "self-contained page, no scripts",
    "json": "all entries in one object",
    "jsonl": "the stored bytes, unchanged",
}
_KINDS: Final[tuple[ExportFormat, ...]] = tuple(FORMATS)
_NAME_CELLS: Final = 10
_LONGEST: Final = 1024
_LOOKED_AT: Final = 5000
"""How many names of a folder are looked at to complete one."""


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What the export dialog answers: what to export, and where."""

    exports: tuple[Export, ...]
    kind: ExportFormat
    options: ExportOptions
    replace: bool


class ExportDialog(Dialog[ExportRequest]):
    """The answer is what to write, or None for nothing.

    Files that are there are replaced only after a second press.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        *,
        about: str = "",
        folder: Path,
        home: str,
        last: ExportRequest | None,
        enter_key: str,
    ) -> None:
        """Make the dialog for some sessions.

        Args:
            rows: At least one, heads and tails read.
            about: Which ones, if there are several; safe to show.
            folder: Where to write unless the user says otherwise.
            home: The home folder, shown as `~`.
            last: What was wanted the last time.
            enter_key: How the Enter key is written.
        """
        super().__init__()
        self._rows = rows
        self._about = about
        self._many = len(rows) > 1
        self._home = home
        self._folder = folder
        self._first = last.kind if last is not None else _KINDS[0]
        self._options = last.options if last is not None else ExportOptions()
        what = formats.plural(len(rows), "session") if self._many else "session"
        self.question = Content(f"Export {what}")
        self._go = DialogButton("export", "Export", enter_key)
        self._anyway = DialogButton("export", "Replace", enter_key)
        self.choices = (DialogButton("cancel", "Cancel", "esc"), self._go)
        self._asked = False

    def body(self) -> Iterable[Widget]:
        """Yield the formats, the place and what of the session is wanted."""
        yield from about_many(self._about)
        yield Paged(
            *(
                Option(Content.assemble(f"{FORMATS[kind]:<{_NAME_CELLS}}", (_ABOUT[kind], "$past")))
                for kind in _KINDS
            ),
            id="formats",
            markup=False,
            compact=True,
        )
        yield Label("Folder" if self._many else "File", classes="field-name")
        yield Field(
            self._offered(self._first),
            id="place",
            restrict=SAFE_TEXT,
            max_length=_LONGEST,
            suggester=FolderSuggester(),
            select_on_focus=False,
            compact=True,
        )
        for name, label, value in (
            ("tools", "Tool calls", self._options.tools),
            ("thinking", "Thinking", self._options.thinking),
        ):
            yield Toggle(label, value, id=name, compact=True)
        yield Static(id="outcome")

    def on_mount(self) -> None:
        """Begin with the format of the last time."""
        formats_shown = self.query_one("#formats", OptionList)
        formats_shown.highlighted = _KINDS.index(self._first)
        formats_shown.focus()
        self._tell()

    @property
    def _kind(self) -> ExportFormat:
        return _KINDS[self.query_one("#formats", OptionList).highlighted or 0]

    def _offered(self, kind: ExportFormat) -> str:
        """Return the file, or for several sessions the folder, that is offered."""
        if self._many:
            return home_relative(str(self._folder), self._home) + "/"
        (export,) = name_exports(self._folder, self._rows, kind, beside=False)
        return home_relative(str(export.file), self._home)

    def _place(self) -> Path | None:
        """Return what stands in the field as a path; None where it is none."""
        text = self.query_one("#place", Input).value.strip()
        try:
            return Path.cwd() / Path(text).expanduser() if text else None
        except RuntimeError:
            return None

    def _exports(self, place: Path) -> list[Export]:
        """Return what would be written where."""
        typed = self.query_one("#place", Input).value.strip()
        if self._many or typed.endswith("/") or is_folder(place):
            return name_exports(place, self._rows, self._kind, beside=False)
        return [Export(self._rows[0], place)]

    def _objection(self, place: Path | None, exports: Sequence[Export]) -> str | None:
        """Return why this cannot be done, or None."""
        if place is None:
            return "Name a folder." if self._many else "Name a file."
        folder = exports[0].file.parent
        if is_folder(folder):
            objection = None if os.access(folder, os.W_OK) else "You have no right to write there."
        elif os.path.lexists(folder):
            objection = f"Not a folder: {clean(str(folder))}"
        elif self._many and is_folder(folder.parent):
            objection = None
        else:
            objection = f"No such folder: {clean(str(folder))}"
        if objection is None and any(is_folder(export.file) for export in exports):
            objection = "A folder has this name."
        return objection

    def _consequences(self, exports: Sequence[Export]) -> Iterable[Content]:
        """Yield what would be written, a line each."""
        folder = clean(home_relative(str(exports[0].file.parent), self._home))
        if len(exports) == 1:
            typed = Path(self.query_one("#place", Input).value.strip()).name
            name = exports[0].file.name
            what = "Writes a file" if name == typed else f"Writes {clean(name)}"
            yield Content(f"{what} that only you can read.")
        else:
            files = formats.plural(len(exports), "file")
            made = "" if is_folder(exports[0].file.parent) else ", which is made for them"
            yield Content(f"Writes {files} in {folder}{made}: {clean(exports[0].file.name)}, …")
        standing = existing_files(exports)
        if standing and len(exports) == 1:
            yield Content.styled("The file exists and would be replaced.", "$attention")
        elif standing:
            yield Content.styled(
                f"{formats.plural(len(standing), 'such file')} there already, to be replaced.",
                "$attention",
            )

    def _tell(self) -> None:
        """Say what would happen now, and let only what makes sense be chosen."""
        place = self._place()
        exports = self._exports(place) if place is not None else []
        objection = self._objection(place, exports)
        self.query_one("#export", Button).disabled = objection is not None
        self.query_one("#place", Input).set_class(objection is not None, "-invalid")
        for box in self.query(Checkbox):
            box.disabled = self._kind not in ("md", "html")
        if objection is not None:
            told = Content.styled(objection, "$failed")
        else:
            told = Content("\n").join(list(self._consequences(exports)))
        self.query_one("#outcome", Static).update(told)

    @on(OptionList.OptionHighlighted)
    def _format_chosen(self) -> None:
        """Let the name of the file end as the format says."""
        field = self.query_one("#place", Input)
        for extension in EXTENSIONS.values():
            if not self._many and field.value.endswith(extension):
                field.value = field.value.removesuffix(extension) + EXTENSIONS[self._kind]
                break
        self._changed()

    @on(Input.Changed)
    def _changed(self) -> None:
        self._asked = False
        self._label(self._go)
        self._tell()

    @on(Input.Submitted)
    @on(OptionList.OptionSelected)
    def _entered(self) -> None:
        self.action_choose("export")

    def _label(self, choice: DialogButton) -> None:
        button = self.query_one("#export", Button)
        button.label = button_label(choice)
        button.refresh(layout=True)

    def choose(self, choice_id: str) -> None:
        """Answer; files that are there are asked for once more."""
        place = self._place()
        if choice_id != "export" or place is None:
            self.dismiss(None)
            return
        exports = self._exports(place)
        if self._objection(place, exports) is not None:
            self._tell()
            return
        replace = bool(existing_files(exports))
        if replace and not self._asked:
            self._asked = True
            self._label(self._anyway)
            self._tell()
            return
        options = ExportOptions(
            tools=self.query_one("#tools", Checkbox).value,
            thinking=self.query_one("#thinking", Checkbox).value,
        )
        self.dismiss(ExportRequest(tuple(exports), self._kind, options, replace))


class Toggle(Checkbox):
    """A box that tells whether it is checked without colour too."""

    def __init__(self, label: str, value: bool, *, id: str, compact: bool) -> None:  # noqa: A002
        self.BUTTON_INNER = "X" if value else " "
        super().__init__(label, value, id=id, compact=compact)

    def watch_value(self) -> None:
        """Draw the mark, or none."""
        self.BUTTON_INNER = "X" if self.value else " "
        super().watch_value()


class FolderSuggester(Suggester):
    """Completes the folder that is being typed; the right arrow takes it."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """Return the typed path with the first folder that goes on from it."""
        return await asyncio.to_thread(_completed, value)


def _completed(value: str) -> str | None:
    head, slash, begun = value.rpartition("/")
    if not slash or not begun:
        return None
    try:
        with os.scandir(Path(head + slash).expanduser()) as entries:
            names = sorted(
                entry.name
                for entry, _ in zip(entries, range(_LOOKED_AT), strict=False)
                if entry.name.startswith(begun) and entry.is_dir()
            )
    except (OSError, RuntimeError, ValueError):
        return None
    safe = [name for name in names if name != begun and clean(name) == name]
    return f"{head}/{safe[0]}/" if safe else None
