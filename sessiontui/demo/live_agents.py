"""Agents that work for as long as the demo runs, appending to their sessions as omp does."""

from __future__ import annotations

import asyncio
from itertools import cycle
from random import Random
from typing import TYPE_CHECKING

from sessiontui.demo.recorder import Recorder
from sessiontui.demo.script import Step, load_script
from sessiontui.demo.sessions import interleave_rounds, project_folder, with_home
from sessiontui.formats.title_slot import make_title_field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sessiontui.demo.recorder import Beat
    from sessiontui.demo.script import LiveScript
    from sessiontui.storage.backend import Backend

_HASTE = 0.25
"""How much shorter their pauses are than those of the stories: nobody wants to watch these."""
_PAST_MS = 240_000
"""How much of a live session lies in the past already."""


def live_agents(
    backend: Backend, *, clock: Callable[[], int], seed: int, home: str, root: str
) -> list[Agent]:
    """Return all live agents; none has begun.

    Args:
        backend: Where they write.
        clock: The time in milliseconds since the epoch.
        seed: Where ids and pauses come from.
        home: What `~` in the projects' folders stands for.
        root: What the paths of sessions begin with.
    """
    return [
        Agent(backend, tale, Random(f"{seed}/live/{number}"), clock, home, root)
        for number, tale in enumerate(load_script().live)
    ]


class Agent:
    """One agent and the session it writes."""

    def __init__(
        self,
        backend: Backend,
        tale: LiveScript,
        random: Random,
        clock: Callable[[], int],
        home: str,
        root: str,
    ) -> None:
        self._backend = backend
        self._tale = tale
        self._random = random
        self._clock = clock
        self._project = load_script().projects[tale.project]
        self._folder = f"{root}/{project_folder(self._project.cwd)}"
        self._recorder = Recorder(
            random,
            cwd=with_home(self._project.cwd, home),
            model=tale.model,
            models=load_script().models,
            title=tale.title,
        )
        self._beats = self._play()

    async def begin(self) -> None:
        """Write the part of the session that lies in the past; of one that comes later, nothing.

        Raises:
            StorageError: It could not be written.
        """
        if not self._tale.delay:
            await self._write_opening(self._clock() - _PAST_MS)

    async def work(self) -> None:
        """Go on at the pace of the clock, until cancelled or until the agent leaves.

        Raises:
            StorageError: The store is gone.
        """
        if self._tale.delay:
            await asyncio.sleep(self._tale.delay)
            await self._write_opening(self._clock())
        for pause, write in self._beats:
            await asyncio.sleep(pause * _HASTE * self._tale.pace)
            at = self._clock()
            await self._backend.append(self._path, write(at) + b"\n", mtime_ms=at)

    async def _write_opening(self, at: int) -> None:
        """Write the session from its beginning at `at` up to now."""
        now = self._clock()
        lines = self._recorder.opening(at)
        for pause, write in self._beats:
            at += round(pause * 1000)
            lines.append(write(min(at, now)))
            if at >= now:
                break
        data = b"".join(line + b"\n" for line in lines)
        title = make_title_field(self._tale.title, "auto", now)
        await self._backend.write(self._path, data, mtime_ms=now, title=title)

    @property
    def _path(self) -> str:
        return f"{self._folder}/{self._recorder.file_name}"

    def _play(self) -> Iterator[Beat]:
        """Yield prompts, rounds and answers in turn, for ever or until the agent leaves."""
        turns = list(zip(self._tale.prompts, self._tale.answers, strict=True))
        for prompt, answer in turns if self._tale.leaves else cycle(turns):
            yield from self._recorder.play(Step(user=prompt))
            some = interleave_rounds(self._project, self._random, self._random.randint(6, 14))
            for step in self._tale.moves or some:
                yield from self._recorder.play(step)
            yield from self._recorder.play(Step(say=answer))
        yield 5.0, self._recorder.exits
