"""`sessiontui tail`: the last entries of a session, and what comes, whatever happens to it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

import click

from sessiontui.cli.completion import complete_sessions
from sessiontui.cli.resolve import resolve_session
from sessiontui.cli.root import (
    Count,
    cli,
    source_options,
    source_options_of,
)
from sessiontui.cli.runner import CommandError, print_error, with_workspace
from sessiontui.cli.show import PIECE_BYTES, byte_sink
from sessiontui.workspace import DocumentGone, RowsChanged, StateChanged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

    from sessiontui.workspace import Update, Workspace

MARK_BYTES = 1024
"""How much of what was read last is remembered, to tell growth from a rewrite.

Entries have ids of their own, so no two places of a session look alike.
"""


@cli.command("tail")
@source_options
@click.option("-f", "--follow", is_flag=True, help="Keep printing what is added, until Ctrl-C.")
@click.option(
    "-n",
    "--lines",
    "count",
    type=Count(),
    default=10,
    show_default=True,
    metavar="N",
    help="How many entries (lines of the session).",
)
@click.option("--raw", is_flag=True, help="The stored bytes and nothing else.")
@click.argument("session", shell_complete=complete_sessions)
@click.pass_context
def tail_command(
    context: click.Context, session: str, *, follow: bool, count: int, raw: bool
) -> None:
    """Print the last entries of a session.

    With -f it goes on with what is added, across lost connections, rewrites and
    renames.

    \b
    Examples:
      sessiontui tail -f 0199a1b2
      sessiontui tail --raw -n 1 0199a1b2 | jq .
    """
    with_workspace(
        source_options_of(context),
        lambda workspace: tail_session(workspace, session, raw=raw, count=count, follow=follow),
    )


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
    row = await resolve_session(workspace, name)
    async with SessionTailer(workspace, row.path) as follower:
        follower.restart(await last_lines(workspace, row.path, row.size, count))
        sink = byte_sink(workspace, raw=raw, offset=follower.position)
        async for data in follower.read():
            sink.feed(data)
        if not follow:
            sink.finish()
            return
        while True:
            await follower.changed()
            if await follower.is_rewritten() and not await follower.find_place():
                print_error("the session was rewritten; its last entries follow")
                start = await last_lines(workspace, follower.path, follower.size, count)
                follower.restart(start)
                sink = byte_sink(workspace, raw=raw, offset=start)
            async for data in follower.read():
                sink.feed(data)


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


class SessionTailer:
    """Reads on in one session, from `position`; use it as an async context manager.

    What was read last has to stand before `position` still. If it does not, the
    session was rewritten: reading goes on behind the place where it stands now.
    """

    def __init__(self, workspace: Workspace, path: str) -> None:
        """Prepare to follow; nothing is read yet.

        Args:
            workspace: Where the session is.
            path: Its path; follows it when it is renamed.
        """
        self.path = path
        self.position = 0
        self._workspace = workspace
        self._mark = b""
        self._news = asyncio.Event()
        self._gone = False
        self._live = True

    @property
    def size(self) -> int:
        """Bytes of the session as the feed knows it; 0 when it is gone."""
        row = self._workspace.row(self.path)
        return 0 if row is None else row.size

    async def __aenter__(self) -> Self:
        """Begin to listen, so that nothing is missed between a read and the next."""
        self._remove = self._workspace.listen(self._told)
        await self._workspace.open_document(self.path)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Listen no longer."""
        self._remove()
        self._workspace.close_document(self.path)

    async def read(self) -> AsyncIterator[bytes]:
        """Yield what is between `position` and the end now."""
        while self.position < self.size:
            mark = len(self._mark)
            data = await self._workspace.read_raw(
                self.path, self.position - mark, self.position + PIECE_BYTES
            )
            fresh = data[mark:]
            if not fresh or data[:mark] != self._mark:
                return
            self.position += len(fresh)
            self._mark = (self._mark + fresh)[-MARK_BYTES:]
            yield fresh

    async def changed(self) -> None:
        """Wait until there may be more to read.

        Raises:
            CommandError: The session was deleted.
        """
        await self._news.wait()
        self._news.clear()
        if self._gone:
            raise CommandError("the session was deleted")

    async def is_rewritten(self) -> bool:
        """Tell whether what was read last does not stand before `position` any more."""
        if self.size < self.position:
            return True
        start = self.position - len(self._mark)
        return await self._workspace.read_raw(self.path, start, self.position) != self._mark

    async def find_place(self) -> bool:
        """Put `position` behind what was read last, wherever that stands now, if it does."""
        stop = self.size
        while stop > 0:
            start = max(0, stop - PIECE_BYTES)
            data = await self._workspace.read_raw(self.path, start, stop)
            place = data.rfind(self._mark)
            if place >= 0:
                self.position = start + place + len(self._mark)
                return True
            if start == 0:
                break
            stop = start + len(self._mark) - 1
        return False

    def restart(self, position: int) -> None:
        """Go on at `position`, whatever was read before."""
        self.position = position
        self._mark = b""

    def _told(self, update: Update) -> None:
        if isinstance(update, DocumentGone) and update.path == self.path:
            if update.new_path is None:
                self._gone = True
            else:
                self.path = update.new_path
            self._news.set()
        elif isinstance(update, RowsChanged):
            if update.paths is None or self.path in update.paths:
                self._news.set()
        elif isinstance(update, StateChanged):
            self._tell_connection()

    def _tell_connection(self) -> None:
        """Say on stderr when the connection is lost, and when it is back."""
        live = self._workspace.state.feed.live
        if live != self._live:
            self._live = live
            print_error("connected again" if live else "the connection is lost; trying again")
