"""Whether an agent runs a session, by what agents and their processes tell.

A session is in use with its family: what runs it runs its subagents, which lie in its
folder, and what writes to one of those runs it.
"""

from __future__ import annotations

from functools import lru_cache
from heapq import nlargest
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sessiontui.catalog.row_builder import id_from_path
from sessiontui.catalog.status import TOOL_MS
from sessiontui.formats.base import Evidence
from sessiontui.formats.live import Again, LiveAgents
from sessiontui.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sessiontui.catalog.row import Row
    from sessiontui.formats.live import Worker

_LATER_MS: Final = TOOL_MS
"""So much later than the last trace of an agent its session may have been written by it."""


class LiveSessions:
    """Asks for the sessions of one source.

    Args:
        agents: Looks for what agents tell.
        rows: All sessions, by path.
        on_disk: Whether paths are files of this machine.
    """

    def __init__(self, agents: LiveAgents, rows: Mapping[str, Row], *, on_disk: bool) -> None:
        self._agents = agents
        self._rows = rows
        self._on_disk = on_disk
        self._guessed = Again(self._guess)

    def evidence(self, row: Row) -> Evidence | None:
        """Return what registries and locks tell of a session; None where they tell nothing.

        Args:
            row: The session, with the time at which somebody else changed it last.
        """
        found = self._agents.running(_ids(row), Path(row.path) if self._on_disk else None)
        if found is not None and found.state == "gone" and found.as_of_ms is not None:
            changed_ms = max(row.mtime_ms, row.last_message_ms or 0)
            if changed_ms > found.as_of_ms + _LATER_MS:
                return None  # Another has gone on with it since, and told nothing.
        return found

    def guess(self, row: Row) -> Evidence | None:
        """Return what makes it likely that a process has a session, where nothing proves it."""
        if not self._on_disk:
            return None
        found = self._agents.writer(Path(row.path))
        if found is None and not row.closed:
            found = self._guessed.look().get(row.path)
        # Processes choose their names.
        return found and found._replace(reason=one_line(found.reason))

    def _guess(self) -> dict[str, Evidence]:
        """Return the sessions that agents of which nothing is known may have, by path.

        Each has one at most: the newest of its project that was written to since it began.
        """
        workers: dict[tuple[str, str], list[Worker]] = {}
        for worker in self._agents.workers():
            workers.setdefault((worker.agent, worker.folder), []).append(worker)
        if not workers:
            return {}
        found: dict[tuple[str, str], list[Row]] = {}
        for row in self._rows.values():
            if row.cwd is not None and not row.closed:
                project = (row.agent, row.cwd.rstrip("/"))
                if project in workers:
                    found.setdefault(project, []).append(row)
        return {
            row.path: Evidence(
                "maybe",
                f"{worker.agent} (pid {worker.process.pid}) works in its folder and may have it"
                " open",
            )
            for project, rows in found.items()
            for row, worker in _matched(rows, workers[project])
        }


def _matched(rows: Iterable[Row], workers: list[Worker]) -> list[tuple[Row, Worker]]:
    """Return the newest sessions with an agent that was there already when each was written."""
    newest = nlargest(len(workers), rows, key=lambda row: row.mtime_ms)
    by_start = sorted(workers, key=lambda worker: worker.process.started_ms or 0, reverse=True)
    return [
        (row, worker)
        for row, worker in zip(newest, by_start, strict=False)
        if worker.process.started_ms is not None and row.mtime_ms >= worker.process.started_ms
    ]


def _ids(row: Row) -> list[str]:
    """Return the session's id, and those of the sessions in whose folders it lies."""
    own = id_from_path(row.path) or row.id
    above = _ids_of_folders(row.path.rpartition("/")[0])
    return list(dict.fromkeys(one for one in (own, *above) if one))


@lru_cache(maxsize=4096)
def _ids_of_folders(folder: str) -> tuple[str, ...]:
    """Return the ids of the sessions that a folder, and those above it, are named after."""
    found = (id_from_path(f"{name}.jsonl") for name in folder.split("/") if name)
    return tuple(one for one in found if one)
