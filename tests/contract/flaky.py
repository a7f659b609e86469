"""Any backend, with a connection that can be made to die at a given moment."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Literal

from sessiontui.errors import BackendDownError, OutcomeUnknownError, StorageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence
    from contextlib import AbstractAsyncContextManager

    from sessiontui.storage.backend import (
        Backend,
        HashField,
        Range,
        ScanBatch,
        Snapshot,
        WatchEvent,
    )

CHANGES = (
    "append",
    "write",
    "patch",
    "prepend",
    "rename",
    "delete",
    "trash",
    "restore",
    "keep",
    "join",
    "change_fields",
    "stage",
    "place",
    "unstage",
)

Fault = StorageError | Literal["before", "after"] | None


class FlakyBackend:
    """Passes every command on to another backend, unless told otherwise."""

    if TYPE_CHECKING:
        append: Any
        write: Any
        patch: Any
        prepend: Any
        rename: Any
        delete: Any
        trash: Any
        restore: Any
        keep: Any
        join: Any
        change_fields: Any
        stage: Any
        place: Any
        unstage: Any

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.label = backend.label
        self.root = backend.root
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        """Every command and its arguments by position."""
        self.faults: deque[Fault] = deque()
        """What becomes of the next changes: an error is raised instead, or the connection
        dies `before` or `after` the change took effect, or (None) nothing goes wrong."""
        self.after: deque[Callable[[], Any]] = deque()
        """What a peer does right after each of the next changes took effect."""
        self.down = False
        """Whether the store cannot be reached: nothing runs."""
        self.scan_error: StorageError | None = None
        """What the index ends with, after its first batch."""
        self.open = asyncio.Event()
        """Changes wait for it before they take effect."""
        self.open.set()
        self.scanning = asyncio.Event()
        """The index waits for it after its first batch."""
        self.scanning.set()
        self.answering = asyncio.Event()
        """Looks wait for it after they have seen what they saw."""
        self.answering.set()
        self.reading = asyncio.Event()
        """Reads wait for it before they read."""
        self.reading.set()
        self.waiting = 0
        """How many commands wait for one of them."""
        for name in CHANGES:
            setattr(self, name, self._changing(name))

    def named(self, name: str) -> list[tuple[Any, ...]]:
        """Return the arguments of every command of that name."""
        return [arguments for called, arguments in self.calls if called == name]

    def scan(self) -> AsyncIterator[ScanBatch]:
        return self._scan(self.backend.scan())

    def scan_contents(self) -> AsyncIterator[ScanBatch]:
        """Pass on, unless it is to fail."""
        return self._scan(self.backend.scan_contents())

    def scan_under(self, prefix: str) -> AsyncIterator[ScanBatch]:
        self._ask("scan_under", prefix)
        return self.backend.scan_under(prefix)

    async def probe(self, ranges: Sequence[Range]) -> list[Snapshot | None]:
        self._ask("probe", ranges)
        seen = await self.backend.probe(ranges)
        await self._wait(self.answering)
        return seen

    async def read(self, ranges: Sequence[Range]) -> list[bytes | None]:
        self._ask("read", ranges)
        await self._wait(self.reading)
        return await self.backend.read(ranges)

    def loose_fields(self) -> AsyncIterator[list[HashField]]:
        self._ask("loose_fields")
        return self.backend.loose_fields()

    async def trashed(self, *, tidy: bool = True) -> Any:
        self._ask("trashed")
        return await self.backend.trashed(tidy=tidy)

    async def lives(self, paths: Sequence[str]) -> list[int | None]:
        self._ask("lives", paths)
        return await self.backend.lives(paths)

    async def staged(self, token: str) -> bool:
        self._ask("staged", token)
        return await self.backend.staged(token)

    async def read_only(self) -> str | None:
        self._ask("read_only")
        return await self.backend.read_only()

    async def fence(self) -> None:
        self._ask("fence")
        await self.backend.fence()

    def watch(
        self, visible: Callable[[], Collection[str]] = tuple
    ) -> AbstractAsyncContextManager[AsyncIterator[WatchEvent]]:
        return self.backend.watch(visible)

    async def aclose(self) -> None:
        await self.backend.aclose()

    def _ask(self, name: str, *arguments: Any) -> None:
        self.calls.append((name, arguments))
        if self.down:
            raise BackendDownError("the store cannot be reached")

    async def _wait(self, event: asyncio.Event) -> None:
        self.waiting += 1
        try:
            await event.wait()
        finally:
            self.waiting -= 1

    async def _scan(self, batches: AsyncIterator[ScanBatch]) -> AsyncIterator[ScanBatch]:
        self._ask("scan")
        async for batch in batches:
            yield batch
            await self._wait(self.scanning)
        if self.scan_error is not None:
            raise self.scan_error

    def _changing(self, name: str) -> Callable[..., Any]:
        async def change(*arguments: Any, **options: Any) -> Any:
            self._ask(name, *arguments)
            await self._wait(self.open)
            fault = self.faults.popleft() if self.faults else None
            if isinstance(fault, StorageError):
                raise fault
            if fault == "before":
                raise OutcomeUnknownError("the connection died")
            answer = await getattr(self.backend, name)(*arguments, **options)
            if self.after:
                await self.after.popleft()()
            if fault == "after":
                raise OutcomeUnknownError("the connection died")
            return answer

        return change
