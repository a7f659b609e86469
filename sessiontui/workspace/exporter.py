"""Exports sessions of a workspace to files: facts, names, one after the other."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

from sessiontui.catalog.projects import project_label
from sessiontui.catalog.sorting import shown_title
from sessiontui.errors import ExportError
from sessiontui.export import EXTENSIONS, NewFile, SessionFacts, export_bytes, file_name, writer_for
from sessiontui.formats.registry import AGENT_NAMES
from sessiontui.paths import PRIVATE_FOLDER, is_folder
from sessiontui.workspace.bulk import Outcome, run_each

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import tzinfo
    from pathlib import Path

    from sessiontui.catalog.row import Row
    from sessiontui.export import ExportFormat, ExportOptions
    from sessiontui.progress import Progress
    from sessiontui.workspace.workspace import Workspace

_MEGABYTE: Final = 1_000_000


class Export(NamedTuple):
    """One session and the file it is to be written to."""

    row: Row
    file: Path


def export_facts(row: Row, *, home: str, zone: tzinfo | None = None) -> SessionFacts:
    """Return what an export tells of a session beside its entries."""
    return SessionFacts(
        title=shown_title(row),
        path=row.path,
        size=row.size,
        id=row.id,
        project=project_label(row.cwd, row.path, home=home),
        agent=AGENT_NAMES.get(row.agent, ""),
        model=row.model,
        created_ms=row.created_ms,
        modified_ms=row.mtime_ms,
        zone=zone,
    )


def name_exports(
    folder: Path,
    rows: Iterable[Row],
    kind: ExportFormat,
    *,
    beside: bool,
) -> list[Export]:
    """Return a file in a folder for each session, no two with one name.

    Args:
        folder: Where they are to be.
        rows: The sessions.
        kind: Decides what the names end with.
        beside: Whether names of files that are there are passed over.
    """
    taken: set[str] = set()
    if beside and is_folder(folder):
        taken = {name.casefold() for name in os.listdir(folder)}  # noqa: PTH208 - names alone
    exports: list[Export] = []
    for row in rows:
        name = file_name(shown_title(row), row.id, EXTENSIONS[kind], taken.__contains__)
        taken.add(name.casefold())
        exports.append(Export(row, folder / name))
    return exports


def make_folder(folder: Path) -> None:
    """Make a folder for files unless there is one; the folder around it has to be there.

    Raises:
        ExportError: It cannot be made.
    """
    try:
        folder.mkdir(PRIVATE_FOLDER, exist_ok=True)
    except OSError as error:
        raise ExportError(f"{folder} is no folder: {error.strerror}") from error


def existing_files(exports: Sequence[Export]) -> list[Path]:
    """Return the files that stand where sessions are to be written."""
    return [export.file for export in exports if os.path.lexists(export.file)]


async def export_to(
    workspace: Workspace,
    row: Row,
    write: Callable[[bytes], None],
    kind: ExportFormat,
    options: ExportOptions,
    *,
    progress: Callable[[int], None] = lambda _done: None,
) -> None:
    """Write a session, as long as it is now, in a format.

    Args:
        workspace: Where it is.
        row: The session, its head and tail read.
        write: Takes the bytes of the file; called in a thread.
        kind: What to make of it.
        options: What of it is wanted.
        progress: Told how many bytes of the session are done; what it raises ends it.

    Raises:
        ExportError: It was rewritten meanwhile.
        StorageError: It cannot be read.
    """

    async def read(start: int, stop: int) -> bytes:
        return await workspace.read_raw(row.path, start, stop)

    facts = export_facts(row, home=workspace.home)
    await export_bytes(read, row.size, writer_for(kind, facts, options), write, progress)


async def export_to_file(
    workspace: Workspace,
    export: Export,
    kind: ExportFormat,
    options: ExportOptions,
    *,
    replace: bool,
    progress: Callable[[int], None] = lambda _done: None,
) -> int:
    """Write a session to its file; return the file's length. What fails leaves no file.

    Args:
        workspace: Where it is.
        export: The session and its file.
        kind: What to make of it.
        options: What of it is wanted.
        replace: Whether a file that is there may be replaced.
        progress: As for `export_to`.

    Raises:
        ExportError: The file cannot be written, or is there already.
        StorageError: The session cannot be read.
    """
    written = 0
    with NewFile(export.file, replace=replace) as file:

        def write(data: bytes) -> None:
            nonlocal written
            file.write(data)
            written += len(data)

        await export_to(workspace, export.row, write, kind, options, progress=progress)
        file.commit()
    return written


async def export_each(
    workspace: Workspace,
    exports: Sequence[Export],
    kind: ExportFormat,
    options: ExportOptions,
    *,
    replace: bool,
    progress: Progress,
) -> Outcome[Export]:
    """Write sessions to their files, one after the other.

    The parts of the work are sessions, of a single one its megabytes. What is
    stopped in the middle leaves no file; what is written already stays.

    Raises:
        ExportError: A file cannot be written; those after it would fare no better.
    """
    files = {export.row.path: export for export in exports}

    async def write(path: str) -> Export:
        await export_to_file(workspace, files[path], kind, options, replace=replace)
        return files[path]

    if len(exports) != 1:
        for folder in {export.file.parent for export in exports}:
            make_folder(folder)
        return await run_each(
            list(files), write, progress, lambda path: shown_title(files[path].row)
        )
    (export,) = exports
    progress.begin(max(1, export.row.size // _MEGABYTE))
    progress.work_on(shown_title(export.row))

    def tell(done: int) -> None:
        while progress.done < done // _MEGABYTE:
            progress.over()
        if progress.stopped:
            raise _StoppedError

    try:
        await export_to_file(workspace, export, kind, options, replace=replace, progress=tell)
    except _StoppedError:
        return Outcome(left=(export.row.path,))
    return Outcome((export,))


class _StoppedError(Exception):
    """The user ended it in the middle of a session."""
