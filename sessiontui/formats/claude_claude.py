"""How to tell whether Claude Code runs a session: its registry of processes.

Each interactive Claude Code keeps `<root>/sessions/<pid>.json` with the id of the session
it has open now, and removes it when it leaves; a crash leaves it behind, and its number may
go to another process. So the start of the process is compared: `procStart` is the figure of
`/proc/<pid>/stat` on Linux and a time in UTC as `ps -o lstart` writes it on macOS; `startedAt`
is when the file was first written. `pidDomain` names the machine and the namespace that the
number belongs to. None of that is documented: what is missing proves nothing.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from sessiontui.formats.evidence import Evidence, strongest
from sessiontui.formats.processes import living, parsed_start

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessiontui.formats.processes import Process

_NAME = re.compile(r"([1-9]\d{0,9})\.json")
_MOST_FILES: Final = 1000
_LONGEST: Final = 1 << 16
_READS: Final = 3
"""A file that is just being written is read so often."""
_SLACK_MS: Final = 2000
"""Times of a start that differ by less mean the same one: they are told in whole seconds."""
_ELSEWHERE_MS: Final = 12 * 3_600_000
"""Of a process of another machine only the file tells: it counts for this long."""


class Registry(NamedTuple):
    """What the registry of one root tells."""

    sessions: dict[str, Evidence]
    """By session id."""
    pids: frozenset[int]
    """Processes whose sessions are known by it."""


def claude_roots(environ: Mapping[str, str], home: Path) -> list[Path]:
    """Return the folders in which Claude Code keeps its things."""
    moved = environ.get("CLAUDE_CONFIG_DIR")
    return [*([Path(moved)] if moved else []), home / ".claude"]


def claude_root_of(path: Path) -> Path | None:
    """Return the root to which a session file belongs: it lies in `<root>/projects/`."""
    folder = next((folder for folder in path.parents if folder.name == "projects"), None)
    return None if folder is None else folder.parent


def read_registry(root: Path, now_ms: int) -> Registry:
    """Return what the registry of a root tells; empty where there is none."""
    records = dict(_records(root / "sessions"))
    processes = living(records.keys())
    sessions: dict[str, Evidence] = {}
    known: set[int] = set()
    for pid, record in records.items():
        session_id = record.get("sessionId")
        if not isinstance(session_id, str):
            continue
        trace = _judged(record, pid, processes.get(pid), now_ms)
        if trace is None:
            continue
        if trace.state != "gone":
            known.add(pid)
        counts = strongest((sessions.get(session_id), trace))
        sessions[session_id] = counts or trace
    return Registry(sessions, frozenset(known))


def _records(folder: Path) -> list[tuple[int, dict[str, Any]]]:
    """Return the records of the registry by process; each with when it was written."""
    found: list[tuple[int, dict[str, Any]]] = []
    try:
        files = list(folder.iterdir())
    except OSError:
        return found
    for file in files:
        match = _NAME.fullmatch(file.name)
        record = _record(file) if match else None
        if match is None or record is None:
            continue
        pid = record.get("pid")
        found.append((pid if isinstance(pid, int) and pid > 1 else int(match[1]), record))
        if len(found) >= _MOST_FILES:
            break
    return found


def _record(file: Path) -> dict[str, Any] | None:
    for _ in range(_READS):
        try:
            with file.open("rb") as opened:
                record = msgspec.json.decode(opened.read(_LONGEST))
                written_ms = os.fstat(opened.fileno()).st_mtime_ns // 1_000_000
        except msgspec.DecodeError:
            continue
        except OSError:
            return None
        if not isinstance(record, dict):
            return None
        updated = record.get("updatedAt")
        updated = updated if isinstance(updated, int | float) else 0
        return {**record, "written": max(int(updated), written_ms)}
    return None


def _judged(
    record: Mapping[str, Any], pid: int, process: Process | None, now_ms: int
) -> Evidence | None:
    """Return what a record says now that its process is known, or known to be none."""
    written_ms = int(record["written"])
    if _is_elsewhere(record.get("pidDomain")):
        if now_ms - written_ms > _ELSEWHERE_MS:
            return None
        return Evidence("maybe", "Claude Code may be running it on another machine or container")
    gone = Evidence("gone", f"Claude Code has left it (pid {pid} is gone)", written_ms)
    if process is None:
        return gone
    same = _is_same(record, process)
    if same:
        return Evidence("running", f"Claude Code is running it (pid {pid})")
    looks_so = not process.command or process.mentions("claude")
    # A clock that was set since makes times differ; the figure of the system does not change.
    if same is False and (not looks_so or _is_figure(record.get("procStart"))):
        return gone
    if looks_so:
        return Evidence("maybe", f"Claude Code may be running it (pid {pid})")
    return None


def _is_same(record: Mapping[str, Any], process: Process) -> bool | None:
    """Tell whether a process is the one that wrote the record; None where nothing tells."""
    start = record.get("procStart")
    if _is_figure(start) and process.ticks is not None:
        return str(start) == process.ticks
    if process.started_ms is None:
        return None
    times = parsed_start(start) if isinstance(start, str) else []
    if times:
        return any(abs(when - process.started_ms) < _SLACK_MS for when in times)
    begun = record.get("startedAt")
    if isinstance(begun, str):
        times = parsed_start(begun)
    elif isinstance(begun, int | float) and not isinstance(begun, bool):
        times = [int(begun)]
    # It writes the file once it is up: whoever was started later is another.
    return any(process.started_ms < when + _SLACK_MS for when in times) if times else None


def _is_figure(start: object) -> bool:
    return isinstance(start, str) and start.isdecimal()


def _is_elsewhere(domain: object) -> bool:
    """Tell whether a record names processes of another machine, or of another namespace.

    A part that is empty on either side is not known, and tells nothing.
    """
    if not isinstance(domain, str):
        return False
    theirs, own = domain.split(":", 2), _domain()
    return any(one and other and one != other for one, other in zip(theirs, own, strict=False))


def _domain() -> tuple[str, ...]:
    """Return platform, machine and namespace as Claude Code names them."""
    machine = namespace = ""
    with suppress(OSError):
        machine = Path("/etc/machine-id").read_text("ascii", "replace").strip()
    with suppress(OSError):
        namespace = str(Path("/proc/self/ns/pid").readlink())
    return sys.platform, machine, namespace
