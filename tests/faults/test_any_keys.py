"""Keys at random, over ordinary and hostile sessions that change meanwhile: the app stands.

The keys come from the action table, so that a new action takes part by itself.
`SESSIONTUI_EXAMPLES` asks for more runs, `SESSIONTUI_SEED` for others to begin with.
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from sessiontui.app.actions import ACTIONS
from sessiontui.storage.memory import MemoryStore
from tests.app.support import HOUR_MS, NOW_MS, path_of, rows, running, session
from tests.faults.hostile import hostile_sessions, offences, said

if TYPE_CHECKING:
    from pathlib import Path

FIRST = int(os.environ.get("SESSIONTUI_SEED", "0"))
SEEDS = range(FIRST, FIRST + int(os.environ.get("SESSIONTUI_EXAMPLES", "2")))
KEYS = 150
LOOK_EVERY = 15
NOT_THESE = {"quit", "resume", "pager", "palette"}
"""They end the app, or lend the terminal to another program; the palette lists these too."""
TYPED = ("escape", "enter", "tab", "up", "down", "left", "right", "backspace", "home", "end")


def crowd() -> MemoryStore:
    """Return a store with every kind of session."""
    store = MemoryStore(clock=lambda: NOW_MS)
    for number, (name, data) in enumerate(
        hostile_sessions(long_line=600_000, empty_lines=5_000).items()
    ):
        store.write(path_of(name), data, mtime_ms=NOW_MS - number * HOUR_MS)
    for number in range(30):
        data = session(f"Title {number}", "Why?", "How?", session_id=f"{number:04}")
        folder = f"/-code-{number % 4}"
        store.write(path_of(f"s{number}", folder), data, mtime_ms=NOW_MS - number * 5000)
    return store


def meddle(store: MemoryStore, chance: random.Random) -> None:
    """Do what an agent or somebody else may do meanwhile."""
    path = chance.choice(sorted(store.sessions))
    draw = chance.random()
    if draw < 0.6:
        store.append(path, said(f"more {chance.random()}", chance.randrange(100)))
    elif draw < 0.75:
        store.write(path, session("Rewritten", "Again"))
    elif draw < 0.9:
        store.rename(path, path.replace(".jsonl", "x.jsonl"))
    elif len(store.sessions) > 5:
        store.delete(path)


@pytest.mark.parametrize("seed", SEEDS)
async def test_no_keys_bring_the_app_down(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    chance = random.Random(seed)
    keys = [key for action in ACTIONS if action.id not in NOT_THESE for key in action.keys]
    reserved = {key for action in ACTIONS if action.id in NOT_THESE for key in action.keys}
    usable = [key for key in (*keys, *TYPED * 2) if key not in reserved]
    store = crowd()
    pressed: list[str] = []
    size = chance.choice([(120, 34), (80, 24), (60, 14)])
    async with running(store, size=size) as (app, pilot):
        for number in range(KEYS):
            pressed.append(chance.choice(usable))
            await pilot.press(pressed[-1])
            if chance.random() < 0.2:
                meddle(store, chance)
            if number % LOOK_EVERY == 0:
                await pilot.pause()
                assert app.is_running, pressed
                assert not offences("\n".join(rows(app))), pressed
        for _ in range(5):
            await pilot.press("escape")
        await app.workspace.settled()
        shown = set(app.workspace.catalog.rows)
        assert shown == {path for path in store.sessions if path.endswith(".jsonl")}, pressed
