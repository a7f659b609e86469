"""The view state of a source's list, saved between runs; one file for each source.

The file lies in the user's state folder and holds no secret and nothing that
sessions say but their paths. It is written whole, beside itself first, so that
a reader never sees half of it; of two instances the one that changed something
last counts, except for pins, of which none gets lost.
"""

from __future__ import annotations

import json
import os
from hashlib import blake2b
from secrets import token_hex
from typing import TYPE_CHECKING, Final

import msgspec

from sessiontui.paths import make_private, open_private
from sessiontui.text import clean

if TYPE_CHECKING:
    from pathlib import Path

    from sessiontui.sources import Source

VERSION: Final = 1
MOST: Final = 1000
"""How many folds, and how many pins, are remembered."""
_LONGEST_FILE: Final = 4 * 1024 * 1024
_LONGEST_TEXT: Final = 4096
_MOST_FILES: Final = 200
"""Of how many sources the list is remembered; those not seen for longest are forgotten."""


class ViewState(msgspec.Struct, frozen=True, kw_only=True):
    """The view state of a list: order, folds, pins, cursor."""

    sort: str = "modified"
    reverse: bool = False
    flat: bool = False
    shows_empty: bool = False
    columns: tuple[str, ...] | None = None
    """None: the usual ones."""
    closed: tuple[str, ...] = ()
    """Projects that are closed."""
    folds: dict[str, bool] = {}
    """Sessions that were unfolded (True) or folded."""
    pins: tuple[str, ...] = ()
    """In the order in which they were pinned."""
    cursor: str | None = None
    """The highlighted session."""
    share: float | None = None
    """How much of the width the list takes; None: the usual."""


class _Stored(msgspec.Struct, frozen=True):
    version: int
    source: str
    list: ViewState


class _Head(msgspec.Struct, frozen=True):
    version: int
    source: str


class ViewStateFile:
    """The file of one source.

    Args:
        folder: Where the files of all sources lie; made when something is to be remembered.
        source: Whose list it is.
    """

    def __init__(self, folder: Path, source: Source) -> None:
        self._folder = folder
        self._source = source.key
        digest = blake2b(source.key.encode("utf-8", "surrogateescape"), digest_size=12)
        self.path = folder / f"{digest.hexdigest()}.json"
        self._pins: frozenset[str] = frozenset()
        """Pins as they were loaded or saved last."""
        self._is_foreign = False

    def load(self) -> tuple[ViewState | None, str]:
        """Return what is remembered, and in one line why nothing can be though there is a file."""
        try:
            stored = self._read()
        except FileNotFoundError:
            return None, ""
        except _ForeignError as error:
            self._is_foreign = True
            return None, f"{error}; nothing is remembered here: {clean(str(self.path))}"
        except (OSError, ValueError, RecursionError) as error:
            told = getattr(error, "strerror", None) or "it is damaged"
            return None, f"How the list was left cannot be read ({told}): {clean(str(self.path))}"
        self._pins = frozenset(stored.pins)
        return stored, ""

    def save(self, state: ViewState) -> str:
        """Remember how the list is shown; return in one line why that failed, if it did.

        A file that a newer version wrote, or that belongs to another source, is left alone.
        """
        if self._is_foreign:
            return ""
        pins = dict.fromkeys(state.pins)
        try:
            others = dict.fromkeys(self._read().pins)
        except (OSError, ValueError, RecursionError, _ForeignError):
            others = dict.fromkeys(self._pins)
        unpinned = self._pins - pins.keys()
        kept = [path for path in others if path in pins or path not in self._pins]
        merged = dict.fromkeys([*(path for path in kept if path not in unpinned), *pins])
        state = _bounded(msgspec.structs.replace(state, pins=tuple(merged)))
        try:
            stored = msgspec.to_builtins(_Stored(VERSION, self._source, state))
            # Not msgspec's own: paths may hold bytes that are no characters.
            self._write(json.dumps(stored).encode())
        except OSError as error:
            return f"How the list is shown cannot be remembered: {error.strerror}"
        self._pins = frozenset(pins)
        return ""

    def _read(self) -> ViewState:
        with self.path.open("rb") as file:
            data = file.read(_LONGEST_FILE + 1)
        if len(data) > _LONGEST_FILE:
            raise ValueError("too long")
        stored = json.loads(data)
        head = msgspec.convert(stored, type=_Head)
        if head.version > VERSION:
            raise _ForeignError("A newer version remembers the list")
        if head.source != self._source:
            raise _ForeignError("The list of another source is remembered")
        return _bounded(msgspec.convert(stored, type=_Stored).list)

    def _write(self, data: bytes) -> None:
        make_private(self._folder)
        if not self.path.exists():
            self._forget_old()
        beside = self.path.with_name(f".{self.path.name}.{token_hex(6)}.tmp")
        opened = open_private(beside, os.O_WRONLY | os.O_EXCL)
        try:
            with open(opened, "wb") as file:  # noqa: PTH123 - it is open already
                file.write(data)
            beside.replace(self.path)
        except OSError:
            beside.unlink(missing_ok=True)
            raise

    def _forget_old(self) -> None:
        files = [(file.stat().st_mtime, file) for file in self._folder.glob("*.json")]
        files.sort(reverse=True)
        for _, file in files[_MOST_FILES - 1 :]:
            file.unlink(missing_ok=True)


class _ForeignError(Exception):
    """The file is not ours to read or write; says whose it is."""


def _bounded(state: ViewState) -> ViewState:
    """Return the state with as much of everything as is remembered, the newest of it."""
    short = [key for key in state.folds if len(key) <= _LONGEST_TEXT]
    return msgspec.structs.replace(
        state,
        closed=_last(state.closed),
        folds={key: state.folds[key] for key in short[-MOST:]},
        pins=_last(state.pins),
    )


def _last(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(text for text in texts if len(text) <= _LONGEST_TEXT)[-MOST:]
