"""Carries a session's bytes through the writer of a format, a piece at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from sessiontui.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sessiontui.export.text_writer import (
        ExportFormat,
        ExportOptions,
        ExportWriter,
        SessionFacts,
    )

PIECE_BYTES: Final = 512 * 1024
"""How much of a session is read at a time."""


async def export_bytes(
    read: Callable[[int, int], Awaitable[bytes]],
    size: int,
    writer: ExportWriter,
    write: Callable[[bytes], None],
    progress: Callable[[int], None] = lambda _done: None,
) -> None:
    """Write the first `size` bytes of a session; memory does not grow with it.

    The work is done in a thread, so that whoever waits can answer keys.

    Args:
        read: Reads the bytes `[start, stop)` of the session.
        size: How many bytes of it there are.
        writer: Makes the file of them; not used before.
        write: Takes the bytes of the file; called in a thread.
        progress: Told how many bytes of the session are done, now and then.

    Raises:
        ExportError: The session became shorter meanwhile.
        StorageError: It could not be read.
        OSError: From `write`.
    """
    await asyncio.to_thread(lambda: write(writer.begin()))
    done = 0
    while done < size:
        data = await read(done, min(done + PIECE_BYTES, size))
        if not data:
            raise ExportError("the session was rewritten while it was read; try again")
        await asyncio.to_thread(lambda piece: write(writer.feed(piece)), data)
        done += len(data)
        progress(done)
    await asyncio.to_thread(lambda: write(writer.finish()))


def writer_for(kind: ExportFormat, facts: SessionFacts, options: ExportOptions) -> ExportWriter:
    """Return what writes a session in a format."""
    if kind == "md":
        from sessiontui.export.markdown import MarkdownWriter

        return MarkdownWriter(facts, options)
    if kind == "html":
        from sessiontui.export.html import PageWriter

        return PageWriter(facts, options)
    from sessiontui.export.json import BytesWriter, JsonWriter

    return JsonWriter(facts) if kind == "json" else BytesWriter()
