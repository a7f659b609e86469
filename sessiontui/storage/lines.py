"""Queues the lines of writers, those of one session that wait together as one append."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sessiontui.storage.operations import MOST_JOINED, Append

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessiontui.storage.mirror import Mirror
    from sessiontui.storage.operation import Operation
    from sessiontui.storage.write_queue import Chain
    from sessiontui.storage.writer import SessionStorageWriter


class Lines:
    """The open writers of a storage, and the way of their lines into the chain.

    Args:
        mirror: Shows each line at once.
        chain: Takes them to the store.
        check: Called with the name of the caller's call; raises if nothing can be queued.
    """

    def __init__(self, mirror: Mirror, chain: Chain, check: Callable[[str], None]) -> None:
        self.writers: set[SessionStorageWriter] = set()
        """Those not closed; a rename takes them along."""
        self._mirror = mirror
        self._chain = chain
        self._check = check

    def append(self, writer: SessionStorageWriter, data: bytes, call: str) -> Operation:
        """Queue a line for the path where the writer is now; returns what it waits in."""
        self._check(call)
        path = writer.path
        mtime_ms = self._mirror.next_mtime()
        waiting = self._chain.last(path)
        if (
            isinstance(waiting, Append)
            and not waiting.started
            and waiting.follows is writer.follows
            and waiting.size < MOST_JOINED
        ):
            waiting.join(data, writer, mtime_ms)
            self._chain.joined(waiting)
            self._mirror.sketch_append(path, data, mtime_ms)
            return waiting
        operation = Append(path, writer.follows)
        operation.join(data, writer, mtime_ms)
        self._chain.add(operation)
        return operation

    async def done(self, operation: Operation) -> None:
        """Wait until an operation has succeeded or failed."""
        await asyncio.shield(operation.done)
