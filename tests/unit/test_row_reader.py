"""Reading heads and tails in the background, in nobody's way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sessiontui.catalog.row import Row
from sessiontui.workspace import row_reader
from sessiontui.workspace.row_reader import RowReader
from tests.sessions import Omp
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from sessiontui.storage.backend import Range

TURNS = 100


async def test_what_changes_meanwhile_does_not_end_a_pause_but_what_comes_into_view_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(row_reader, "BACKGROUND_SHARE", 1e-6)
    made = Omp()
    made.user("hello")
    rows = {
        path: Row(path=path, size=len(made.data), mtime_ms=1) for path in ("/a.jsonl", "/b.jsonl")
    }

    async def read_many(ranges: Sequence[Range]) -> list[bytes | None]:
        return [made.data[item.start : item.stop] for item in ranges]

    rows_reader = RowReader(
        read_many, rows, lambda found: rows.update({row.path: row for row in found})
    )
    running = asyncio.create_task(rows_reader.run())
    rows_reader.add(["/a.jsonl"])
    await until(lambda: rows["/a.jsonl"].read)
    for _ in range(TURNS):
        rows_reader.add(["/b.jsonl"])
        await asyncio.sleep(0)
    assert not rows["/b.jsonl"].read

    rows_reader.show(["/b.jsonl"])
    await until(lambda: rows["/b.jsonl"].read)
    running.cancel()
