"""Crash reports: where an unexpected error happened, nothing of the user's data.

A report names versions, kinds of errors, files and lines of programs, and figures. What an
error says may repeat text of a session, a path or a password, and so may variables and lines
typed by the user: none of that is in it. It lies in the user's state folder, readable to them
alone; the newest `KEEP` stay.
"""

from __future__ import annotations

import os
import platform
import secrets
import sys
import sysconfig
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sessiontui import __version__, paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KEEP: Final = 20
"""How many reports are kept."""
_FRAMES: Final = 60
"""How many frames of one error are told: the last ones."""
_DEEPEST: Final = 8
"""How many errors behind an error are told."""
_PARTS: Final = ("textual", "rich", "redis", "watchfiles", "msgspec", "click")


def write_report(
    error: BaseException, figures: Mapping[str, int | str] | None = None
) -> Path | None:
    """Write a report of an error.

    Args:
        error: What happened.
        figures: How things stood: numbers, and words of our own; no text of anybody's.

    Returns:
        Where it is; None where it could not be written.
    """
    now = datetime.now(UTC)
    folder = paths.state_dir() / "crashes"
    file = folder / f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}.txt"
    text = "\n".join((*_surroundings(now), *_figures(figures or {}), *_told(error))) + "\n"
    try:
        paths.make_private(folder)
        descriptor = paths.open_private(file, os.O_WRONLY | os.O_EXCL)
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as stream:  # noqa: PTH123 - a descriptor
            stream.write(text)
        _prune(folder)
    except OSError:
        return None
    return file


def one_line_report(error: BaseException, report: Path | None) -> str:
    """Return what the user is told of an error that nobody expected."""
    kind = type(error).__name__
    if report is None:
        return f"internal error: {kind}; no report could be written to {paths.state_dir()}"
    return f"internal error: {kind}; a report without any of your text is in {report}"


def _surroundings(now: datetime) -> Iterator[str]:
    yield f"sessiontui {__version__}"
    yield f"{now:%Y-%m-%d %H:%M:%S} UTC"
    yield f"Python {platform.python_version()} ({platform.python_implementation()})"
    yield f"{platform.system()} {platform.release()} {platform.machine()}"
    yield f"terminal {os.environ.get('TERM', 'unknown')[:40]}"
    for name in _PARTS:
        with suppress(PackageNotFoundError):
            yield f"{name} {version(name)}"
    yield ""


def _figures(figures: Mapping[str, int | str]) -> Iterator[str]:
    for name, value in figures.items():
        yield f"{name}: {value}"
    if figures:
        yield ""


def _told(error: BaseException, depth: int = 0) -> Iterator[str]:
    """Yield the kinds of an error and of those behind it, with where they happened."""
    if depth > _DEEPEST:
        yield "…"
        return
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _told(inner, depth + 1)
            yield f"which is one of {len(error.exceptions)} in:"
    behind = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if behind is not None and behind is not error:
        yield from _told(behind, depth + 1)
        yield "which led to:"
    frames = [
        (frame.f_code.co_filename, line, frame.f_code.co_name)
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    for file, line, name in frames[-_FRAMES:]:
        yield f"  {_place(file)}:{line} in {name}"
    number = error.errno if isinstance(error, OSError) else None
    yield type(error).__module__ + "." + type(error).__qualname__ + (f" {number}" if number else "")


def _place(file: str) -> str:
    """Return where a program's file lies, without where the user has put it."""
    here = Path(__file__).resolve().parents[2]
    known = (sysconfig.get_path("purelib"), sysconfig.get_path("stdlib"), str(here))
    for folder in known:
        if folder and file.startswith(folder + os.sep):
            return file[len(folder) + 1 :]
    return file.rpartition(os.sep)[2] or file


def _prune(folder: Path) -> None:
    """Leave the newest reports alone, and take the others away."""
    for old in sorted(folder.glob("*.txt"))[:-KEEP]:
        old.unlink(missing_ok=True)


def unexpected(kind: type[BaseException], error: BaseException, _traceback: object) -> None:
    """Stand in for `sys.excepthook`: write a report and say where it is, on one line."""
    from sessiontui.cli.runner import print_error

    if issubclass(kind, KeyboardInterrupt):
        return
    print_error(one_line_report(error, write_report(error)))
    sys.stderr.flush()
