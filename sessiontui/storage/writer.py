"""Writes a session line by line; lines that wait for the same session go as one append."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sessiontui.errors import WriterClosedError
from sessiontui.storage.operations import MOST_JOINED, Append

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessiontui.storage.mirror import Mirror
    from sessiontui.storage.write_queue import Operation, WriteQueue


class SessionStorageWriter:
    """Appends to one session, in order; made by `SessionStorage.open_writer`.

    The first error sticks: no later line is written, since it would stand after
    a hole. Lines are written as they are, a newline at the end is the caller's.

    Args:
        path: The session.
        mirror: Shows each line at once.
        write_queue: Takes the lines to the store.
        check: Called with the name of the caller's call; raises if nothing can be queued.
        closed: Called once the writer is closed.
        on_error: Called once, with the first error.
    """

    def __init__(
        self,
        path: str,
        mirror: Mirror,
        write_queue: WriteQueue,
        *,
        check: Callable[[str], None],
        closed: Callable[[SessionStorageWriter], None],
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        self.path = path
        """Where it writes; another once the session is renamed."""
        self.follows: Operation | None = None
        """The pending rename that gave it this path."""
        self._mirror = mirror
        self._write_queue = write_queue
        self._check = check
        self._closed = closed
        self._on_error = on_error
        self._last: Operation | None = None
        self._error: Exception | None = None
        self._is_closed = False

    def write_line_sync(self, line: str) -> None:
        """Queue a line.

        Raises:
            WriterClosedError: The writer is closed.
            StorageError: An earlier line could not be written.
            RuntimeError: No event loop runs.
        """
        self._queue(line, "write_line_sync")

    async def write_line(self, line: str) -> None:
        """Write a line and wait until the store has it; raises as `write_line_sync`."""
        await self._written(self._queue(line, "write_line"))

    async def flush(self) -> None:
        """Wait until the store has every line; raises the writer's error, if it has one."""
        self._raise()
        if self._last is not None:
            await self._written(self._last)

    async def fsync(self) -> None:
        """Do the same as `flush`: what a store has confirmed is all that can be waited for."""
        await self.flush()

    async def close(self) -> None:
        """Flush and write no more; raises as `flush` the first time, never again."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            await self.flush()
        finally:
            self._closed(self)

    def get_error(self) -> Exception | None:
        """Return the first error, None if there is none."""
        return self._error

    def fail(self, error: Exception | None) -> None:
        """Let the writer stop with an error; only the first counts."""
        if self._error is None and error is not None:
            self._error = error
            if self._on_error is not None:
                asyncio.get_running_loop().call_soon(self._on_error, error)

    def wait_for(self, operation: Operation) -> None:
        """Count an operation among those that `flush` waits for."""
        self._last = operation

    def _queue(self, line: str, call: str) -> Operation:
        """Queue a line for the path where the writer is now; return what it waits in."""
        if self._is_closed:
            raise WriterClosedError("the writer is closed", path=self.path)
        self._raise()
        data = encode_text(line)
        self._check(call)
        mtime_ms = self._mirror.next_mtime()
        waiting = self._write_queue.last(self.path)
        if (
            isinstance(waiting, Append)
            and not waiting.started
            and waiting.follows is self.follows
            and waiting.size < MOST_JOINED
        ):
            waiting.join(data, self, mtime_ms)
            self._write_queue.joined(waiting)
            self._mirror.preview_append(self.path, data, mtime_ms)
            self._last = waiting
            return waiting
        operation = Append(self.path, self.follows)
        operation.join(data, self, mtime_ms)
        self._write_queue.add(operation)
        self._last = operation
        return operation

    async def _written(self, operation: Operation) -> None:
        """Wait until an operation has succeeded or failed."""
        await asyncio.shield(operation.done)
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error


def encode_text(text: str) -> bytes:
    """Return text as UTF-8; half a surrogate pair becomes U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
