"""An entry in the user's pager: whole, private, and the terminal given back."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from sessiontui.app.terminal import pager_command, show_in_pager
from sessiontui.errors import PagerError
from sessiontui.formats.jsonl import WHOLE_BYTES, encode_entries
from sessiontui.transcript.document import Document
from sessiontui.transcript.entry_text import full_text
from tests.app.terminal import Terminal
from tests.app.test_transcript_keys import call, marked, message, write
from tests.app.transcript_host import Source, reading, settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PAGER = """
import os, sys
name = sys.argv[1]
text = open(name).read().splitlines()
print("FILE", name, oct(os.stat(name).st_mode & 0o777), flush=True)
print("LINES", len(text), text[-1], flush=True)
sys.exit(3 if sys.stdin.readline() == "fail\\n" else 0)
"""

OUTPUT = "\n".join(f"out {number}" for number in range(1000))


async def text_of(path: Path, line: int, block: int = 0, *, stored: bool = False) -> str:
    source = Source(path)
    try:
        document = Document(source.read, source.size())
        await document.open_tail()
        offset = document.pages[0].offset(line)
        pieces = full_text(document, offset, block, stored=stored)
        return "".join([piece async for piece in pieces])
    finally:
        source.close()


async def test_a_call_comes_with_its_whole_result(tmp_path: Path) -> None:
    path = write(tmp_path, call(1, "make all", OUTPUT))
    assert await text_of(path, 0) == f"bash  make all\n\n{OUTPUT}\n"


async def test_what_the_agent_wrote_comes_with_its_heading_and_alone(tmp_path: Path) -> None:
    content = [{"type": "text", "text": OUTPUT}, {"type": "toolCall", "id": "c", "name": "bash"}]
    path = write(tmp_path, [message("assistant", content, model="opus-5")])
    assert await text_of(path, 0, 1) == f"opus-5\n\n{OUTPUT}\n"


async def test_nothing_harmful_is_written(tmp_path: Path) -> None:
    hostile = "\x1b]52;c;aGk=\x07 \u202eevil \x9b31m"
    path = write(tmp_path, [message("user", f"{hostile}\n" * 500)])
    for stored in (False, True):
        text = await text_of(path, 0, stored=stored)
        assert text.replace("\n", "").isprintable()
        assert "evil" in text


async def test_a_line_too_long_to_decode_comes_as_it_is_stored(tmp_path: Path) -> None:
    entry = message("user", "é" * (WHOLE_BYTES // 2))
    path = write(tmp_path, [entry])
    text = await text_of(path, 0)
    assert text.encode() == encode_entries([entry])


def test_the_pager_is_the_users_else_less_else_more(tmp_path: Path) -> None:
    for name in ("less", "more", "mine"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o700)
    place = {"PATH": str(tmp_path)}
    assert pager_command({**place, "PAGER": "mine -R 'a b'"})[1:] == ["-R", "a b"]
    assert pager_command({**place, "PAGER": " "}) == [str(tmp_path / "less")]
    (tmp_path / "less").unlink()
    assert pager_command(place) == [str(tmp_path / "more")]
    (tmp_path / "more").unlink()
    with pytest.raises(PagerError, match="neither less nor more"):
        pager_command(place)
    with pytest.raises(PagerError, match=r"'gone␛' of .* is not installed"):
        pager_command({**place, "PAGER": "gone\x1b"})
    with pytest.raises(PagerError, match="cannot be understood"):
        pager_command({**place, "PAGER": "less '"})


async def test_without_a_terminal_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAGER", shlex.quote(sys.executable))

    async def text() -> AsyncIterator[str]:
        yield ""

    async with reading(write(tmp_path, call(1, "make", OUTPUT))) as (app, pilot, _source):
        with pytest.raises(PagerError, match="needs a terminal"):
            await show_in_pager(app, text())
        await pilot.press("g", "P")
        await settled(app, pilot)
        assert marked(app)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    home = tmp_path / "home"
    (home / "tmp").mkdir(parents=True)
    (home / "pager.py").write_text(PAGER)
    return {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "PAGER": f"'{sys.executable}' '{home / 'pager.py'}'",
    }


def folder_with(tmp_path: Path, entries: list[dict[str, Any]]) -> Path:
    folder = tmp_path / "sessions" / "-code"
    folder.mkdir(parents=True)
    write(folder, [{"type": "session", "version": 3, "id": "s", "cwd": "/x"}, *entries])
    return folder.parent


def test_the_pager_has_the_terminal_and_leaves_nothing(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    folder = folder_with(tmp_path, call(1, "make all", OUTPUT))
    with Terminal([str(folder)], environ=environ) as terminal:
        terminal.until(b"make all")
        terminal.press(b"\tP")
        terminal.until(b"0o600", b"LINES 1002 out 999")
        assert terminal.output.rfind(b"\x1b[?1049l") > terminal.output.rfind(b"\x1b[?1049h")
        assert len(list((tmp_path / "home" / "tmp").iterdir())) == 1
        os.kill(terminal.process.pid, signal.SIGINT)  # as ctrl+c in a pager sends it to both
        terminal.press(b"\n")
        terminal.until(b"\x1b[?1049h", b"make all")
        assert list((tmp_path / "home" / "tmp").iterdir()) == []
        terminal.press(b"P")
        terminal.until(b"0o600", b"LINES 1002")
        terminal.press(b"fail\n")
        terminal.until(b"\x1b[?1049h", b"make all", b"ended with code 3")
        terminal.press(b"q")
        assert terminal.finish() == 0
        assert terminal.restored


def test_a_missing_pager_is_told(tmp_path: Path, environ: dict[str, str]) -> None:
    folder = folder_with(tmp_path, call(1, "make all", OUTPUT))
    with Terminal([str(folder)], environ={**environ, "PAGER": "no-such-pager"}) as terminal:
        terminal.until(b"make all")
        terminal.press(b"\tP")
        terminal.until(b"The pager 'no-such-pager' of $PAGER is not installed")
        terminal.press(b"q")
        assert terminal.finish() == 0
