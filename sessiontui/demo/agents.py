"""Agents that work for as long as the demo runs, appending to their sessions as omp does."""

from __future__ import annotations

import asyncio
from itertools import cycle
from random import Random
from typing import TYPE_CHECKING

from sessiontui.demo.recorder import Recorder
from sessiontui.demo.sessions import project_folder, with_home, woven
from sessiontui.demo.story import Step, story
from sessiontui.models.title_slot import title_field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sessiontui.demo.recorder import Beat
    from sessiontui.demo.story import LiveTale
    from sessiontui.storage.backend import Backend

_HASTE = 0.35
"""How much shorter their pauses are than those of the stories: nobody wants to watch these."""
_PAST_MS = 240_000
"""How much of a live session lies in the past already."""


async def live_agents(
    backend: Backend, *, clock: Callable[[], int], seed: int, home: str, root: str
) -> None:
    """Let all live agents work until cancelled.

    Args:
        backend: Where they write.
        clock: The time in milliseconds since the epoch.
        seed: Where ids and pauses come from.
        home: What `~` in the projects' folders stands for.
        root: What the paths of sessions begin with.

    Raises:
        StorageError: The store is gone.
    """
    async with asyncio.TaskGroup() as agents:
        for number, tale in enumerate(story().live):
            agent = _Agent(backend, tale, Random(f"{seed}/live/{number}"), clock, home, root)
            agents.create_task(agent.work())


class _Agent:
    """One agent and the session it writes."""

    def __init__(
        self,
        backend: Backend,
        tale: LiveTale,
        random: Random,
        clock: Callable[[], int],
        home: str,
        root: str,
    ) -> None:
        self._backend = backend
        self._tale = tale
        self._random = random
        self._clock = clock
        self._project = story().projects[tale.project]
        self._folder = f"{root}/{project_folder(self._project.cwd)}"
        self._recorder = Recorder(
            random,
            cwd=with_home(self._project.cwd, home),
            model=tale.model,
            models=story().models,
            title=tale.title,
        )

    async def work(self) -> None:
        """Begin the session, some of it in the past, then go on at the pace of the clock."""
        await asyncio.sleep(self._tale.delay)
        now = self._clock()
        at = now if self._tale.delay else now - _PAST_MS
        lines = self._recorder.opening(at)
        begun = False
        for pause, write in self._beats():
            at += round(pause * 1000)
            if not begun and at <= now:
                lines.append(write(at))
                continue
            if not begun:
                begun = True
                await self._begin(lines, now)
            await asyncio.sleep(pause * _HASTE * self._tale.pace)
            at = self._clock()
            await self._backend.append(self._path, write(at) + b"\n", mtime_ms=at)

    @property
    def _path(self) -> str:
        return f"{self._folder}/{self._recorder.file_name}"

    async def _begin(self, lines: list[bytes], now: int) -> None:
        data = b"".join(line + b"\n" for line in lines)
        title = title_field(self._tale.title, "auto", now)
        await self._backend.write(self._path, data, mtime_ms=now, title=title)

    def _beats(self) -> Iterator[Beat]:
        """Yield prompts, rounds and answers in turn, for ever or until the agent leaves."""
        turns = list(zip(self._tale.prompts, self._tale.answers, strict=True))
        for prompt, answer in turns if self._tale.leaves else cycle(turns):
            yield from self._recorder.play(Step(user=prompt))
            for step in woven(self._project, self._random, self._random.randint(6, 14)):
                yield from self._recorder.play(step)
            yield from self._recorder.play(Step(say=answer))
        yield 5.0, self._recorder.exits
