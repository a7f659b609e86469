"""From the start of the process to what is on the screen."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from typing import TYPE_CHECKING, Final

from tests.benchmarks.data import big_session, fill_folder, lines, session_path
from tests.benchmarks.harness import Bench, Figure, ratio, row
from tests.benchmarks.terminal import until_shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

_MARK: Final = b"the-last-line-of-all"
_REPEATS: Final = 7


@row("start.first_paint", "first paint vs `python -c 'import textual.app'`", target=1.25)
async def first_paint(bench: Bench) -> Figure:
    root = _small_folder(bench)

    async def peer() -> float:
        start = time.monotonic()
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "import textual.app")
        await process.wait()
        return time.monotonic() - start

    return await _compared(lambda: _shown(str(root), shown=b"loading"), peer)


@row("start.whole_frame", "first whole frame vs that of an app of one label", target=2.0)
async def whole_frame(bench: Bench) -> Figure:
    root = _small_folder(bench)
    return await _compared(
        lambda: _shown(str(root), shown=b"find"),
        lambda: _shown(shown=b"find", module="tests.benchmarks.empty_app"),
    )


@row("start.open_200mb", "open a 200 MB session vs one of 3 lines, process to paint", target=1.25)
async def open_big(bench: Bench) -> Figure:
    big = bench.folder / "big"
    small = bench.folder / "small"
    _session(big, round(200_000_000 * bench.scale))
    _session(small, 0)
    return await _compared(
        lambda: _shown(str(big), shown=_MARK), lambda: _shown(str(small), shown=_MARK)
    )


async def _shown(*arguments: str, shown: bytes, module: str = "sessiontui") -> float:
    return await asyncio.to_thread(until_shown, *arguments, shown=shown, module=module)


async def _compared(
    ours: Callable[[], Awaitable[float]], peer: Callable[[], Awaitable[float]]
) -> Figure:
    """Measure two programs in turn; the end of a program does not count."""
    await ours()
    await peer()
    own: list[float] = []
    other: list[float] = []
    for _ in range(_REPEATS):
        own.append(await ours())
        other.append(await peer())
    return ratio(statistics.median(own), statistics.median(other))


def _small_folder(bench: Bench) -> Path:
    root = bench.folder / "start"
    if not root.exists():
        fill_folder(root, 200)
    return root


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
