"""What the tests of the directory backend share: a peer at work, a place without rights."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.waiting import DEADLINE_S

if TYPE_CHECKING:
    from sessiontui.storage.backend import ScanBatch, Stat
    from sessiontui.storage.directory.backend import DirectoryBackend

PROJECT = Path(__file__).resolve().parents[2]

PRELUDE = """
import asyncio, os, sys
from pathlib import Path
from sessiontui.errors import *
from sessiontui.storage.backend import *
from sessiontui.storage.directory.backend import DirectoryBackend
"""


def put(file: Path, data: bytes = b"{}\n", *, mtime_ns: int | None = None) -> Path:
    """Write a file and the folders above it, as a peer does."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    if mtime_ns is not None:
        os.utime(file, ns=(mtime_ns, mtime_ns))
    return file


def add(file: Path, data: bytes) -> None:
    """Append in one write, as an agent does."""
    with file.open("ab", buffering=0) as stream:
        stream.write(data)


def names(folder: Path) -> set[str]:
    """Return everything under a folder, by path relative to it."""
    return {str(file.relative_to(folder)) for file in folder.rglob("*")}


def no_leftovers(folder: Path) -> bool:
    """Tell whether no temporary file is left under a folder."""
    return not [name for name in names(folder) if name.endswith(".tmp")]


def open_files() -> int:
    """Return how many files this process has open; skips where that cannot be told."""
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("open files cannot be counted here")
    return len(list(descriptors.iterdir()))


async def scanned(backend: DirectoryBackend) -> dict[str, Stat]:
    """Return the sessions by path."""
    return {stat.path: stat async for batch in backend.scan() for stat in batch.stats}


async def batches(backend: DirectoryBackend, prefix: str | None = None) -> list[ScanBatch]:
    """Return the batches of a scan, of everything under a prefix if one is given."""
    source = backend.scan() if prefix is None else backend.scan_under(prefix)
    return [batch async for batch in source]


def run_script(
    script: str, *arguments: object, within: tuple[str, ...] = (), check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own.

    Args:
        script: The code; `PRELUDE` stands before it.
        arguments: Become `sys.argv[1:]`.
        within: A command that runs it, as `unshare`.
        check: Whether it must end well.
    """
    command = [*within, sys.executable, "-c", PRELUDE + textwrap.dedent(script)]
    done = subprocess.run(
        [*command, *map(str, arguments)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    if check and done.returncode:
        raise AssertionError(done.stderr)
    return done


def _unshare(*options: str) -> tuple[str, ...]:
    """Return a command that runs another one in name spaces of its own; skips where forbidden."""
    tool = shutil.which("unshare")
    if tool is None:
        pytest.skip("unshare is not installed")
    command = (tool, *options)
    tried = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"name spaces are not allowed here: {tried.stderr.strip()}")
    return command


def without_rights() -> tuple[str, ...]:
    """Return a command prefix under which permissions count; none is needed unless we are root."""
    return _unshare("--user") if os.geteuid() == 0 else ()


def with_mounts() -> tuple[str, ...]:
    """Return a command prefix under which small disks of one's own can be mounted."""
    return _unshare("--user", "--map-root-user", "--mount")


def with_own_limits() -> tuple[str, ...]:
    """Return a command prefix under which the system's limits can be lowered for oneself alone."""
    return _unshare("--user", "--map-root-user")
