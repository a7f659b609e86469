"""`sessiontui show` and `tail`: a session's bytes, read in pieces, as text or as stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sessiontui.cli.output import Output, write_bytes
from sessiontui.cli.rendering import Renderer
from sessiontui.cli.resolve import the_session
from sessiontui.cli.runner import CommandError, complain
from sessiontui.cli.tail import Follower

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sessiontui.workspace import Workspace

PIECE_BYTES = 1024 * 1024
"""How much of a session is read at a time."""


class Sink(Protocol):
    """Takes a session's bytes in order."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        ...

    def finish(self) -> None:
        """There are no more."""
        ...


class RawSink:
    """Writes the bytes as they are."""

    def feed(self, data: bytes) -> None:
        """Write them."""
        write_bytes(data)

    def finish(self) -> None:
        """Add nothing."""


async def show_session(workspace: Workspace, name: str, *, raw: bool) -> None:
    """Write a whole session."""
    row = await the_session(workspace, name)
    sink = _sink(workspace, raw=raw, offset=0)
    async for data in pieces(workspace, row.path, 0, row.size):
        sink.feed(data)
    sink.finish()


async def tail_session(
    workspace: Workspace, name: str, *, raw: bool, count: int, follow: bool
) -> None:
    """Write the last entries of a session, and go on with what is added.

    Args:
        workspace: Where it is.
        name: What the user calls it.
        raw: The stored bytes instead of text.
        count: How many lines of the session, each an entry.
        follow: Whether to go on until interrupted.
    """
    row = await the_session(workspace, name)
    async with Follower(workspace, row.path) as follower:
        follower.restart(await last_lines(workspace, row.path, row.size, count))
        sink = _sink(workspace, raw=raw, offset=follower.position)
        async for data in follower.read():
            sink.feed(data)
        if not follow:
            sink.finish()
            return
        while True:
            await follower.changed()
            if await follower.is_rewritten() and not await follower.find_place():
                complain("the session was rewritten; its last entries follow")
                start = await last_lines(workspace, follower.path, follower.size, count)
                follower.restart(start)
                sink = _sink(workspace, raw=raw, offset=start)
            async for data in follower.read():
                sink.feed(data)


def _sink(workspace: Workspace, *, raw: bool, offset: int) -> Sink:
    if raw:
        return RawSink()
    return Renderer(Output(), offset=offset, clock=workspace.clock)


async def pieces(workspace: Workspace, path: str, start: int, stop: int) -> AsyncIterator[bytes]:
    """Yield the bytes `[start, stop)` of a session in order.

    Raises:
        CommandError: The session became shorter meanwhile.
    """
    while start < stop:
        data = await workspace.read_raw(path, start, min(start + PIECE_BYTES, stop))
        if not data:
            raise CommandError("the session was rewritten while it was read; try again")
        yield data
        start += len(data)


async def last_lines(workspace: Workspace, path: str, size: int, count: int) -> int:
    """Return where the last `count` lines of a session begin, reading backwards from its end.

    A last line without a newline counts. Nothing but the piece in hand is kept.
    """
    if count <= 0:
        return size
    stop = size
    wanted = count
    while stop > 0:
        start = max(0, stop - PIECE_BYTES)
        data = await workspace.read_raw(path, start, stop)
        end = len(data)
        if stop == size and data.endswith(b"\n"):
            end -= 1  # It ends the last line and begins none.
        while (end := data.rfind(b"\n", 0, end)) >= 0:
            wanted -= 1
            if wanted == 0:
                return start + end + 1
        stop = start
    return 0
