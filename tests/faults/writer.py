"""Writes lines until it is killed; says each line once it is confirmed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from sessiontui.sources import parse_source
from sessiontui.storage import SessionStorage
from sessiontui.storage.storage import open_backend


async def main(source: str, path: str, name: str) -> None:
    """Write to a session of a source as fast as it goes."""
    backend = open_backend(parse_source(source), None)
    async with SessionStorage(backend, contents="on_demand") as storage:
        await storage.load()
        writer = storage.open_writer(path_in(source, path))
        number = 0
        while True:
            lines = [f"{name} {number + index}\n" for index in range(5)]
            number += len(lines)
            for line in lines:
                writer.write_line_sync(line)
            await writer.flush()
            sys.stdout.write("".join(lines))
            sys.stdout.flush()


def path_in(source: str, path: str) -> str:
    """Return the path as the source names it: in a folder that is opened so, the file's own."""
    return path if "://" in source else f"{Path(source).resolve()}{path}"


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
