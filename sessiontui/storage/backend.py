"""The backend protocol: what a store of sessions must be able to do.

A backend moves bytes and never parses them. Each call is one atomic step in
the store: it happens whole or not at all, and bytes, mtime and title change
together. Paths are `str` with undecodable bytes as lone surrogates
(`surrogateescape`); sizes and offsets are bytes; times are integer
milliseconds since the epoch.

Every call may raise `BackendDownError` (it did not run), `AccessError` and
`WrongTypeError`; every call that changes something may raise
`OutcomeUnknownError` (it was sent and the connection died): the caller then
awaits `fence()`, looks, and decides. A backend never retries a change by itself.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from sessiontui.errors import BackendDownError, LoginError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence
    from contextlib import AbstractAsyncContextManager

HEAD_BYTES = 256
"""How much of a session's beginning `probe` returns, to tell a rewrite from an append."""
JOIN_BYTES = 32 << 20
"""The longest session that `join` adds to another one, in one step."""

ROOT = "/sessions"
"""Where new sessions lie in a store that prescribes nothing."""
REPLICA = "a replica"
"""Why nothing may be changed where another server is the primary."""


class Stat(msgspec.Struct, frozen=True, gc=False):
    """What the index knows of a session."""

    path: str
    size: int
    mtime_ms: int | None
    """None where the store has none or an invalid one: then it counts as now."""
    title: bytes | None = None
    """The title hash field as stored (JSON); always None in a folder."""


class PassedOver(msgspec.Struct, frozen=True, gc=False):
    """What stands where a session could, and is none."""

    path: str
    reason: str
    """What it is, in plain words."""


class ScanBatch(msgspec.Struct, frozen=True, gc=False):
    """Some of the sessions of a store; a path may come twice, the later one counts."""

    stats: tuple[Stat, ...]
    warnings: tuple[str, ...] = ()
    """What was passed over and why, safe to show, naming the key or file."""
    contents: tuple[bytes, ...] | None = None
    """All bytes of each, of the same snapshot; None where they are to be read one by one."""
    passed: tuple[PassedOver, ...] = ()
    """What has the name of a session and is none; told by `scan_under` alone."""


class Range(msgspec.Struct, frozen=True, gc=False):
    """Bytes `[start, stop)` of a session; a negative start counts from the end, None is the end."""

    path: str
    start: int
    stop: int | None = None


class Snapshot(msgspec.Struct, frozen=True, gc=False):
    """A snapshot of a session: stat and some of its bytes."""

    stat: Stat
    head: bytes
    """The first `HEAD_BYTES` bytes."""
    data: bytes
    """The bytes of the range that was asked for."""
    identity: object = None
    """Changes when another file took the path (an inode, say); None where nothing tells."""


class TrashItem(msgspec.Struct, frozen=True):
    """A deleted session that can be brought back."""

    id: str
    """Sorts by time of deletion."""
    path: str
    """The session's path before."""
    stats: tuple[Stat, ...]
    """Everything that was deleted with it, the session first."""
    deleted_ms: int
    expires_ms: int


class HashField(msgspec.Struct, frozen=True):
    """A field of the meta hash or of the title hash, as stored."""

    kind: Literal["meta", "title"]
    path: str
    value: bytes
    session: bool = False
    """Whether there is a session of this path."""


class HashFieldChange(msgspec.Struct, frozen=True):
    """A change of a hash field, from an expected old value."""

    kind: Literal["meta", "title"]
    path: str
    old: bytes | None
    """What it must be just before; None: it must not be there."""
    new: bytes | None
    """What it becomes; None: it vanishes."""
    session: bool = False
    """Whether there must be a session of this path; else there must be none."""

    def undone(self) -> HashFieldChange:
        """Return what takes it back."""
        return HashFieldChange(self.kind, self.path, self.new, self.old, self.session)


class Dirty(msgspec.Struct, frozen=True):
    """Sessions that may have changed; more may be told than did."""

    paths: frozenset[str]


class Rescan(msgspec.Struct, frozen=True):
    """Changes may have been missed: compare the whole index. Comes after every (re)connect too."""

    reason: str
    moved: bool = False
    """Another server answers now: what the one before confirmed last may be lost."""


class FeedState(msgspec.Struct, frozen=True):
    """The state of the change feed: its tier, and whether it is live."""

    tier: Literal["tracking", "keyspace", "inotify", "polling", "memory", "none"]
    live: bool
    error: str | None = None
    """One line in plain words without any secret, when not live."""
    retry_s: float | None = None
    """Seconds until the next attempt, when not live."""
    cause: Literal["away", "password", "refused"] = "away"
    """What keeps it from being live: the store cannot be reached, wants a password, or says no
    for another reason, which stays so until somebody mends it."""


def cause_of(error: Exception) -> Literal["away", "password", "refused"]:
    """Return what an error that ended a feed says of its cause."""
    if isinstance(error, LoginError):
        return "password"
    return "away" if isinstance(error, BackendDownError) else "refused"


WatchEvent = Dirty | Rescan | FeedState


class Backend(Protocol):
    """A store of sessions."""

    label: str
    """Where it is, without any secret: `redis://cache:6379/0 · omp:sessions:` or a folder."""
    root: str
    """What the path of a new session begins with, before a slash and its project's folder."""

    def scan(self) -> AsyncIterator[ScanBatch]:
        """Yield the index in batches, as it is read."""
        ...

    def scan_contents(self) -> AsyncIterator[ScanBatch]:
        """Yield the same, with contents where that costs less than reading them one by one."""
        ...

    def scan_under(self, prefix: str) -> AsyncIterator[ScanBatch]:
        """Yield everything whose path starts with `prefix`, listed as a session or not.

        In a folder this finds every file, also those that `scan` does not list
        (logs, drafts, lock files); in Redis every key.
        """
        ...

    async def probe(self, ranges: Sequence[Range]) -> list[Snapshot | None]:
        """Return each session and some of its bytes, of one snapshot; None for one that is gone."""
        ...

    async def read(self, ranges: Sequence[Range]) -> list[bytes | None]:
        """Return the bytes of each range, in few round trips; None where there is no session."""
        ...

    async def append(self, path: str, data: bytes, *, mtime_ms: int) -> Stat:
        """Add `data` at the end, creating the session where there is none, without any check."""
        ...

    async def write(
        self,
        path: str,
        data: bytes,
        *,
        mtime_ms: int,
        expected_size: int | Literal["any", "absent"] = "any",
        title: bytes | Literal["keep"] | None = "keep",
    ) -> Stat:
        """Replace the whole session.

        Raises:
            WriteConflictError: The size is not `expected_size`; nothing changed.
        """
        ...

    async def patch(
        self,
        path: str,
        *,
        old: bytes,
        new: bytes,
        mtime_ms: int | None,
        title: bytes | Literal["keep"],
    ) -> Stat:
        """Replace the first bytes `old` by `new` of the same length, in place, and set the title.

        Safe beside a running agent: the length stays. Both may be empty. With `mtime_ms` None
        the time stays what it is.

        Raises:
            SessionNotFoundError: There is no such session.
            WriteConflictError: The session does not begin with `old`; nothing changed.
        """
        ...

    async def prepend(
        self, path: str, data: bytes, *, expected_size: int, mtime_ms: int | None, title: bytes
    ) -> Stat:
        """Put `data` before the first byte, without reading the whole into memory here.

        With `mtime_ms` None the time stays what it is.

        Raises:
            WriteConflictError: The size is not `expected_size`; nothing changed.
        """
        ...

    async def keep(
        self,
        path: str,
        start: int,
        stop: int,
        *,
        expected_size: int,
        mtime_ms: int,
        title: bytes | Literal["keep"] | None = "keep",
    ) -> Stat:
        """Keep only the bytes `[start, stop)` of a session, at least one.

        Raises:
            WriteConflictError: The size is not `expected_size`; nothing changed.
        """
        ...

    async def join(
        self, item: TrashItem, target: Stat, *, between: bytes, skip: int, mtime_ms: int
    ) -> Stat:
        """Add a session's bytes at the end of another one, and move it to the trash; or neither.

        Args:
            item: Lists the session alone, with the size it must have: at most `JOIN_BYTES`.
            target: The other one, with the size it must have.
            between: Comes before the bytes.
            skip: How many of the first bytes are left out.
            mtime_ms: The new time of the other one.

        Raises:
            SessionNotFoundError: The session is missing; nothing changed.
            WriteConflictError: One of them has another size; nothing changed.
        """
        ...

    def loose_fields(self) -> AsyncIterator[list[HashField]]:
        """Yield times and titles that belong to no session, and times that are no numbers.

        There are none in a folder.
        """
        ...

    async def change_fields(self, changes: Sequence[HashFieldChange]) -> list[bool]:
        """Change fields, each for itself; tell which are as wished now.

        One that is neither `old` nor `new` stays, and so does one that has, or has not, a
        session against its condition.
        """
        ...

    async def rename(self, moves: Sequence[tuple[str, str]], *, overwrite: bool = False) -> None:
        """Move sessions with mtime and title, all or none; a destination's old title vanishes.

        Raises:
            SessionNotFoundError: A source is missing; nothing moved.
            SessionExistsError: A destination exists and `overwrite` is false; nothing moved.
        """
        ...

    async def delete(self, paths: Sequence[str]) -> None:
        """Remove sessions with mtime and title for good; the first must exist, others may be gone.

        Raises:
            SessionNotFoundError: The first is missing; nothing was removed.
        """
        ...

    async def stage(self, token: str, number: int, start: int, data: bytes) -> None:
        """Keep bytes of a file that is built aside, from `start` on; the same again is no matter.

        Nobody sees them, and what is never put in place goes by itself.

        Args:
            token: Names what is put in place together, as `new_staging_token` makes them.
            number: Which of the files.
            start: Offset of the first byte.
            data: The bytes.
        """
        ...

    async def staged(self, token: str) -> bool:
        """Tell whether this very store has a first file staged under a token, by whomever."""
        ...

    async def lives(self, paths: Sequence[str]) -> list[int | None]:
        """Return how many milliseconds each still has to live; None for ever, as in a folder."""
        ...

    async def place(
        self, token: str, files: Sequence[Stat], lives: Sequence[int | None] = ()
    ) -> None:
        """Put staged files in place with size, mtime and title, all or none.

        Args:
            token: What they were staged under; nothing is left under it.
            files: The files by number, the session itself first: it appears last.
            lives: How long each is to live, as `lives` tells, where the store lets anything
                expire; none: all for ever.

        Raises:
            WriteConflictError: What was staged has another size; nothing was put in place.
            SessionExistsError: A path is taken; nothing was put in place.
        """
        ...

    async def unstage(self, token: str) -> None:
        """Drop what was staged, and what was by processes that are no more."""
        ...

    async def trash(self, item: TrashItem) -> tuple[Stat, ...] | None:
        """Move what `item.stats` lists to where no agent looks, with everything `restore` needs.

        What has a time to live is there no longer than that, and has it again once it is back.

        Returns:
            What went, the session first: it may be newer than what was listed. None where that
            is not told.

        Raises:
            SessionNotFoundError: The session itself is missing; nothing moved.
        """
        ...

    async def restore(self, item_id: str) -> TrashItem:
        """Bring back exactly what was deleted: bytes, mtime, title, artifacts.

        Raises:
            SessionNotFoundError: Nothing of this id is in the trash (any more).
            SessionExistsError: One of the paths is taken again; nothing moved.
        """
        ...

    async def trashed(self, *, tidy: bool = True) -> list[TrashItem]:
        """Return what can be restored, newest first; with `tidy` this removes what has expired."""
        ...

    async def read_only(self) -> str | None:
        """Return in a few plain words why nothing can be changed here; None where something may.

        Finds out without changing anything, and needs no right beyond those to read.
        """
        ...

    async def fence(self) -> None:
        """Return once no write sent earlier can take effect any more.

        To be awaited after `OutcomeUnknownError`, before looking whether it did.
        Raises `BackendDownError` while that cannot be told.
        """
        ...

    def watch(
        self, visible: Callable[[], Collection[str]] = tuple
    ) -> AbstractAsyncContextManager[AsyncIterator[WatchEvent]]:
        """Subscribe; entered means subscribed, or that the first `FeedState` says why not yet.

        The iterator never ends by itself: it reconnects, and says `Rescan` whenever
        something may have been missed. `visible` names the paths that deserve
        quick answers where changes have to be polled.
        """
        ...

    async def aclose(self) -> None:
        """Close what the backend opened itself."""
        ...


def new_staging_token() -> str:
    """Return a name for files that are put in place together; tells whose process they are."""
    return f"{os.getpid():x}-{secrets.token_hex(8)}"
