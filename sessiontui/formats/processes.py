"""Processes of this machine: which of some live, since when, and what they have open.

From `/proc` where there is one, else from `ps`. Nothing here raises: what the system
does not tell is None, and a process that cannot be looked into is left out. Times are
milliseconds since the epoch.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_PROC: Final = Path("/proc")
_MOST_DESCRIPTORS: Final = 50_000
"""So many open files are looked at, of all processes together."""
_LONGEST_COMMAND: Final = 4096
_PS_S: Final = 5.0
"""`ps` may take this long, in seconds."""
_MONTHS: Final = "JanFebMarAprMayJunJulAugSepOctNovDec"
_START = re.compile(r"\w{3} +(\w{3}) +(\d{1,2}) +(\d\d):(\d\d):(\d\d) +(\d{4})")
"""A time as `ps -o lstart` writes it: `Thu Sep 10 08:31:58 2026`."""
_SCRIPT = re.compile(r"\.[cm]?js$")
_WRITES: Final = os.O_WRONLY | os.O_RDWR


class Process(NamedTuple):
    """A process that lives."""

    pid: int
    started_ms: int | None = None
    ticks: str | None = None
    """When it was started, as `/proc/<pid>/stat` has it: no clock that is set moves this."""
    command: tuple[str, ...] = ()
    """Its name and the words it was called with; empty where the system does not tell."""

    def is_called(self, name: str) -> bool:
        """Tell whether its program goes by exactly this name, itself or run by another."""
        words = (word.rpartition("/")[2] for word in self.command[:3] if name in word)
        return any(_SCRIPT.sub("", word) == name for word in words)

    def mentions(self, name: str) -> bool:
        """Tell whether `name` stands in what its program is called or where it lies."""
        return any(name in word for word in self.command[:3])


class OpenFiles(NamedTuple):
    """What the processes that can be looked into have open."""

    written: dict[str, Process]
    """Sessions that are open for writing, by the real path of the file."""
    folders: dict[Process, str]
    """Programs with these names, with the folder each works in."""


def living(pids: Collection[int]) -> dict[int, Process]:
    """Return those of the processes that live, by their numbers."""
    if not _PROC.joinpath("self", "stat").exists():
        return _asked_of_ps(pids)
    found = ((pid, _in_proc(pid)) for pid in pids)
    return {pid: process for pid, process in found if process is not None}


def parsed_start(text: str) -> list[int]:
    """Return the times that a written start may mean: `ps` knows no zone, so UTC and our own."""
    if match := _START.fullmatch(text.strip()):
        month, day, hour, minute, second, year = match.groups()
        number = _MONTHS.find(month) // 3 + 1
        text = f"{year}-{number:02}-{int(day):02} {hour}:{minute}:{second}"
    try:
        when = datetime.fromisoformat(text.strip())
        zones = [when] if when.tzinfo else [when.replace(tzinfo=UTC), when.astimezone()]
        return [int(one.timestamp() * 1000) for one in zones]
    except (ValueError, OverflowError, OSError):
        return []


def open_files(names: Collection[str]) -> OpenFiles:
    """Return the sessions that others write to, and where programs of these names work.

    Only `/proc` tells; without it there is nothing. Costs a look at each process of the user.
    """
    found = OpenFiles({}, {})
    left = _MOST_DESCRIPTORS
    try:
        pids = [int(name) for name in _names(_PROC) if name.isdecimal()]
    except OSError:
        return found
    for pid in pids:
        if pid == os.getpid():
            continue
        try:
            descriptors = _names(_PROC / str(pid) / "fd")
        except OSError:
            continue  # Another user's, or gone.
        left -= len(descriptors)
        if left < 0:
            break
        for path in _sessions_written(pid, descriptors):
            found.written[path] = _in_proc(pid) or Process(pid)
        if any(map(Process(pid, command=_words(pid)).is_called, names)):
            process, folder = _in_proc(pid), _link(f"{_PROC}/{pid}/cwd")
            if process is not None and folder is not None:
                found.folders[process] = folder
    return found


def lock_holder(path: Path) -> int | None:
    """Return the process that has a file locked as a whole, as the system lists locks; or None.

    0 where the lock is there and its process is not of this namespace.
    """
    try:
        found = path.stat()
        lines = (_PROC / "locks").read_text("ascii", "replace").splitlines()
    except OSError:
        return None
    name = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    for line in lines:
        words = line.split()
        if "->" not in words and len(words) > 5 and words[5] == name:
            return max(0, int(words[4])) if words[4].lstrip("-").isdecimal() else 0
    return None


def open_regular(path: Path) -> BinaryIO:
    """Open a file that others may have put there to be read; never waits for a pipe.

    Raises:
        OSError: It cannot be opened, or is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), str(path))


def _in_proc(pid: int) -> Process | None:
    """Return the process if it lives; one that only waits to be reaped does not."""
    try:
        line = (_PROC / str(pid) / "stat").read_text("utf-8", "replace")
    except OSError:
        # It may be hidden from us, and live.
        return Process(pid) if _is_there(pid) else None
    name, _, rest = line.partition("(")[2].rpartition(")")
    fields = rest.split()
    if len(fields) < 20 or fields[0] in ("Z", "X", "x"):
        return None
    return Process(pid, _since_boot(int(fields[19])), fields[19], (name, *_words(pid)))


def _words(pid: int) -> tuple[str, ...]:
    """Return what a process was called with; nothing where the system does not tell."""
    try:
        with open(f"{_PROC}/{pid}/cmdline", "rb") as opened:  # noqa: PTH123 - of every process
            words = opened.read(_LONGEST_COMMAND).decode("utf-8", "replace").split("\0")
    except OSError:
        return ()
    return tuple(word for word in words if word)


def _since_boot(ticks: int) -> int | None:
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    if boottime is None:
        return None
    up_s = time.clock_gettime(boottime)
    return int((time.time() - up_s + ticks / os.sysconf("SC_CLK_TCK")) * 1000)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OverflowError:
        return False  # No system counts that far.
    except OSError:
        return True
    return True


def _asked_of_ps(pids: Collection[int]) -> dict[int, Process]:
    """Return those that live where there is no `/proc`."""
    there = [pid for pid in pids if _is_there(pid)]
    if not there:
        return {}
    try:
        done = subprocess.run(
            ["ps", "-o", "pid=,stat=,lstart=,command=", "-p", ",".join(map(str, there))],
            capture_output=True,
            timeout=_PS_S,
            check=False,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
        )
    except (OSError, subprocess.SubprocessError):
        return {pid: Process(pid) for pid in there}
    found = {pid: Process(pid) for pid in there}
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        words = line.split()
        if len(words) < 7 or not words[0].isdecimal():
            continue
        pid = int(words[0])
        if words[1].startswith("Z"):
            found.pop(pid, None)
            continue
        started = parsed_start(" ".join(words[2:7]))
        found[pid] = Process(pid, started[0] if started else None, None, tuple(words[7:]))
    return found


def _sessions_written(pid: int, descriptors: Collection[str]) -> Iterator[str]:
    for number in descriptors:
        path = _link(f"{_PROC}/{pid}/fd/{number}")
        if path is None or not path.endswith(".jsonl"):
            continue
        try:
            about = (_PROC / str(pid) / "fdinfo" / number).read_text("ascii", "replace")
        except OSError:
            continue
        flags = re.search(r"^flags:\s+([0-7]+)$", about, re.MULTILINE)
        if flags and int(flags[1], 8) & _WRITES:
            yield path


def _names(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def _link(path: str) -> str | None:
    try:
        return os.readlink(path)  # noqa: PTH115 - of every open file
    except OSError:
        return None
