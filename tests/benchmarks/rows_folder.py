"""Reading a folder of many sessions."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from sessiontui.sources import parse_source
from sessiontui.storage import SessionStorage
from sessiontui.storage.storage import open_backend
from tests.benchmarks.data import fill_folder
from tests.benchmarks.harness import Bench, Figure, expect, paired, ratio, row

if TYPE_CHECKING:
    from sessiontui.storage.backend import ScanBatch


@row("folder.walk", "folder of 100k walk + stat vs `find -size`", target=1.5)
async def folder(bench: Bench) -> Figure:
    root = bench.folder / "folder"
    fill_folder(root, bench.count(100_000))
    slow = {
        entry: os.stat(entry).st_size  # noqa: PTH116 - a hundred thousand Path objects take longer
        for place, _folders, files in os.walk(root)
        for name in files
        if (entry := os.path.join(place, name))  # noqa: PTH118
    }

    async def walk() -> list[ScanBatch]:
        backend = open_backend(parse_source(str(root)))
        batches = [batch async for batch in backend.scan()]
        await backend.aclose()
        return batches

    async def peer() -> None:
        process = await asyncio.create_subprocess_exec(
            *("find", str(root), "-name", "*.jsonl", "-size", "+0c"),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        expect(output.count(b"\n") == len(slow), "find found another number")

    storage = SessionStorage(open_backend(parse_source(str(root))), contents="on_demand")
    await storage.load()
    loaded = {stat.path: stat.size for stat in storage.stats()}
    await storage.aclose()
    expect(loaded == slow, f"{len(loaded)} of {len(slow)} sessions")
    found = {stat.path: stat.size for batch in await walk() for stat in batch.stats}
    expect(found == slow, "the walk found something else")
    return ratio(*await paired(walk, peer))
