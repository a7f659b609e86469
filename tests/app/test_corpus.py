"""Every real session of the corpus opens in the whole app, from Redis and from a folder.

`pytest tests/app/test_corpus.py -s` prints a table: file, entries, lines shown as
placeholders, and how long each took from being chosen to standing on the screen.
"""

from __future__ import annotations

import shutil
import sys
import time
from typing import TYPE_CHECKING, Literal

import pytest

from sessiontui.formats.jsonl import BadLine, decode_line
from sessiontui.storage.storage import open_backend
from tests.app.support import app_of, running, settle
from tests.corpus import CORPUS

if TYPE_CHECKING:
    from pathlib import Path

    from redis.asyncio import Redis
    from textual.pilot import Pilot

    from tests.servers import RealServer

FILES = sorted(CORPUS.glob("*.jsonl"))
CONTENTS = {file.name: file.read_bytes() for file in FILES}

pytestmark = pytest.mark.skipif(not FILES, reason="the corpus is not beside this checkout")


@pytest.mark.parametrize("kind", ["redis", "folder"])
async def test_every_session_of_the_corpus_opens(
    kind: Literal["redis", "folder"],
    tmp_path: Path,
    redis_server: RealServer,
    redis_client: Redis,
) -> None:
    if kind == "redis":
        source = redis_server.url
        for file in FILES:
            await redis_client.set(f"omp:sessions:file:/corpus/{file.name}", CONTENTS[file.name])
    else:
        source = str(tmp_path / "corpus")
        shutil.copytree(CORPUS, source)
    table = [f"{'file':<50} {'entries':>8} {'placeholders':>12} {'ms':>6}  {kind}"]
    async with running(source=source, connect=open_backend) as (app, pilot):
        assert app.workspace.state.sessions == len(FILES)
        for file in FILES:
            [path] = [path for path in app.workspace.catalog.rows if path.endswith(file.name)]
            began = time.perf_counter()
            app.main.show_session(path)
            await settle(pilot)
            took = time.perf_counter() - began
            entries, bad = await read_all(pilot, CONTENTS[file.name])
            table.append(f"{file.name:<50} {entries:>8} {len(bad):>12} {took * 1e3:>6.0f}")
            if bad:
                await shows_placeholder(pilot, bad[0])
    sys.stdout.write("\n".join(["", *table, ""]))


async def read_all(pilot: Pilot[None], stored_bytes: bytes) -> tuple[int, list[BadLine]]:
    """Read the open transcript from end to end; it must be the file's bytes."""
    document = app_of(pilot).main.transcript.document
    assert document is not None
    stored = []
    entries = 0
    bad: list[BadLine] = []
    offset = 0
    async for line in document.lines():
        stored.append(line)
        for item in decode_line(line, offset):
            if isinstance(item, BadLine):
                bad.append(item)
            else:
                entries += 1
        offset += len(line) + 1
    assert b"\n".join(stored).rstrip(b"\n") == stored_bytes.rstrip(b"\n")
    return entries, bad


async def shows_placeholder(pilot: Pilot[None], bad: BadLine) -> None:
    """Go to the beginning and page down until the broken line stands on the screen."""
    view = app_of(pilot).main.transcript
    view.focus()
    await pilot.press("g")
    for _ in range(200):
        await settle(pilot)
        rows = [view.render_line(y).text for y in range(view.size.height)]
        if any(f"{bad.offset:,}" in row or str(bad.offset) in row for row in rows):
            return
        await pilot.press("pagedown")
    raise AssertionError(f"the broken line at {bad.offset} is not to be seen")
