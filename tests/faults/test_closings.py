"""The terminal is closed, whatever the app does: it ends, and nothing is lost by that."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sessiontui.app.terminal import HUNG_UP
from tests.app.terminal import Terminal
from tests.faults import closings
from tests.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty folder with a short path."""
    with tempfile.TemporaryDirectory(prefix="sc-", dir="/tmp") as place:
        yield Path(place)


@pytest.fixture(scope="module", autouse=True)
def _many() -> Iterator[None]:
    with closings.many_sessions_kept():
        yield


@pytest.mark.parametrize("way", ["leader", "other"])
@pytest.mark.parametrize("state", closings.STATES)
def test_it_ends_with_its_terminal(
    state: str, way: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closings, "MANY", 2000)
    assert closings.close_once(state, way, place, random.Random(state + way)).wrong == ""


@pytest.mark.parametrize("way", ["kill-pane", "kill-server"])
def test_it_ends_with_its_tmux(way: str, place: Path) -> None:
    assert closings.close_once("idle", way, place, random.Random(way)).wrong == ""


def test_it_keeps_no_other_terminal_from_hanging_up(place: Path) -> None:
    environ = {"HOME": str(place)}
    (place / "sessions").mkdir()
    command = (str(place / "sessions"),)
    with (
        Terminal(command, environ=environ, leads=True) as first,
        Terminal(command, environ=environ, leads=True, inherits=[first]) as second,
    ):
        first.until(b"No sessions")
        second.until(b"No sessions")
        first.close()
        assert first.process.wait(DEADLINE_S) == HUNG_UP
        assert second.process.poll() is None
