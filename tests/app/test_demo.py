"""`sessiontui demo` in a real terminal: live sessions, and nothing left afterwards."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.app.terminal import Terminal
from tests.command import command_environment


@pytest.mark.parametrize("arguments", [["demo"], ["demo", "--folder"]], ids=" ".join)
def test_the_demo_shows_live_sessions_and_leaves_nothing(
    arguments: list[str], tmp_path: Path
) -> None:
    environ = command_environment(tmp_path)
    with Terminal(arguments, size=(140, 40), environ=environ) as terminal:
        terminal.until(b"Make the importer resumable", b"running")
        match = re.search(rb"(/\S*/sessiontui-demo-[^/ ]+)/", terminal.output)
        assert match is not None
        place = Path(match.group(1).decode())
        assert place.is_dir()
        terminal.press(b"q")
        assert terminal.finish() == 0
        assert terminal.restored
    assert not place.exists()
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]
