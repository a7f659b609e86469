"""Opens a workspace for as long as it is needed, and leaves nothing open behind it."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sessiontui.config import Config
from sessiontui.search.session_index import Library
from sessiontui.times import now_ms
from sessiontui.workspace.connection import open_backend
from sessiontui.workspace.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from sessiontui.sources import Source
    from sessiontui.storage.backend import Backend


@asynccontextmanager
async def open_workspace(
    source: Source,
    *,
    config: Config | None = None,
    clock: Callable[[], int] = now_ms,
    home: str | None = None,
    connect: Callable[[Source, str | None], Backend] = open_backend,
    library: Library | None = None,
    failed: Callable[[], None] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> AsyncIterator[Workspace]:
    """Yield a workspace at once; it connects and loads in the background.

    On the way out pending writes are waited for and everything opened is closed.

    Args:
        source: Where the sessions are.
        config: Settings; the defaults if None.
        clock: The time in milliseconds since the epoch.
        home: The home folder, shown as `~`; the user's own if None.
        connect: Opens the backend of the source, with a password typed by the user.
        library: Keeps the index; none is kept if None.
        environ: Environment variables, which may move the folders of agents.
        failed: Called where it ends by an error nobody expected, which is raised on the way out.
    """
    workspace = Workspace(
        source,
        config=Config() if config is None else config,
        clock=clock,
        home=str(Path.home()) if home is None else home,
        connect=connect,
        library=Library() if library is None else library,
        environ=environ,
    )

    def stopped(running: asyncio.Task[None]) -> None:
        workspace.stopped(running)
        if failed is not None and not running.cancelled() and running.exception() is not None:
            failed()

    running = asyncio.create_task(workspace.run(), name="workspace")
    running.add_done_callback(stopped)
    try:
        yield workspace
    finally:
        await workspace.close(running)
