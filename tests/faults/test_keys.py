"""Keys, clicks, sizes and signals at random in a real terminal; `python -m tests.faults.keys`."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from tests.faults.keys import play

if TYPE_CHECKING:
    from pathlib import Path

FIRST = int(os.environ.get("SESSIONTUI_SEED", "0"))


@pytest.mark.parametrize("seed", range(FIRST, FIRST + 2))
def test_nothing_that_comes_from_a_terminal_brings_the_app_down(seed: int, tmp_path: Path) -> None:
    assert play(tmp_path, random.Random(seed), moves=120) == ""
