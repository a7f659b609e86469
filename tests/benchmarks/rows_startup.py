"""From the start of the process to what is on the screen."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final

from tests.benchmarks.data import big_session, fill_folder, lines, session_path
from tests.benchmarks.harness import Bench, Figure, paired, ratio, row
from tests.benchmarks.terminal import until_shown

if TYPE_CHECKING:
    from pathlib import Path

_MARK: Final = b"the-last-line-of-all"
_REPEATS: Final = 7


@row("start.first_paint", "first paint vs `python -c 'import textual.app'`", target=1.25)
async def first_paint(bench: Bench) -> Figure:
    root = bench.folder / "start"
    fill_folder(root, 200)

    async def ours() -> None:
        # The header's first word is what the first frame shows; rows come with the next.
        await asyncio.to_thread(until_shown, str(root), b"loading")

    async def peer() -> None:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "import textual.app")
        await process.wait()

    return ratio(*await paired(ours, peer, repeats=_REPEATS))


@row("start.open_200mb", "open a 200 MB session vs one of 3 lines, process to paint", target=1.25)
async def open_big(bench: Bench) -> Figure:
    big = bench.folder / "big"
    small = bench.folder / "small"
    _session(big, round(200_000_000 * bench.scale))
    _session(small, 0)

    async def ours() -> None:
        await asyncio.to_thread(until_shown, str(big), _MARK)

    async def peer() -> None:
        await asyncio.to_thread(until_shown, str(small), _MARK)

    return ratio(*await paired(ours, peer, repeats=_REPEATS))


def _session(root: Path, size: int) -> None:
    """Write a folder with one session that ends with the mark."""
    file = root / session_path(1).removeprefix("/sessions/")
    file.parent.mkdir(parents=True)
    if size:
        big_session(file, size)
    else:
        file.write_bytes(b"".join(lines(1, 1)))
    with file.open("ab") as stream:
        stream.write(lines(1, 1)[1].replace(b'"text":"', b'"text":"' + _MARK + b" ", 1))
