"""Copying: what reaches the clipboard, and what is told about it."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

import pytest
from textual.widgets import OptionList

from sessiontui.app.controllers.clipboard import MAX_BYTES
from sessiontui.app.screens.code_list import CodeListScreen
from sessiontui.formats.jsonl import encode_entries
from sessiontui.storage.memory import MemoryStore
from sessiontui.transcript.entry_text import CodeSnippet, fenced_code
from tests.app.support import NOW_MS, path_of, running, session, settle, shows, store_with
from tests.app.terminal import Terminal
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from textual.pilot import Pilot

    from sessiontui.app.app import SessionApp

PROSE = "Use this:\n\n```make\nall:\n\tcc -o x\x1b]0;t\x07\n```\nor ~~~ that\n"


def store(*messages: dict[str, Any], cwd: str = "/home/mira/code/api") -> MemoryStore:
    """Return a store with one session of these messages."""
    entries = [
        {
            "type": "message",
            "id": f"m{number:07}",
            "parentId": f"m{number - 1:07}" if number else None,
            "timestamp": "2026-11-22T10:00:00.000Z",
            "message": message,
        }
        for number, message in enumerate(messages)
    ]
    head = session("Copy me", cwd=cwd, session_id="0199-abc").splitlines(keepends=True)[:2]
    kept = MemoryStore(clock=lambda: NOW_MS)
    kept.write(
        path_of("copy"), b"".join(head) + encode_entries(entries), mtime_ms=NOW_MS - 9_000_000
    )
    return kept


def answer(text: str) -> dict[str, Any]:
    return {
        "role": "assistant",
        "model": "opus-5",
        "content": [{"type": "text", "text": text}],
        "stopReason": "stop",
    }


def bash(script: str, output: str) -> list[dict[str, Any]]:
    call = {"type": "toolCall", "id": "c1", "name": "bash", "arguments": {"command": script}}
    return [
        {"role": "assistant", "model": "opus-5", "content": [call], "stopReason": "toolUse"},
        {"role": "toolResult", "toolCallId": "c1", "toolName": "bash", "content": output},
    ]


async def copied(app: SessionApp, pilot: Pilot[None], *keys: str) -> str:
    """Press keys and return what is in the clipboard then."""
    app.copy_to_clipboard("")
    await pilot.press(*keys)
    await until(lambda: bool(app.clipboard))
    await settle(pilot)
    return app.clipboard


async def test_id_and_path_of_the_highlighted_session() -> None:
    async with running(store_with("alpha", "beta")) as (app, pilot):
        assert await copied(app, pilot, "y") == "alpha"
        assert shows(app, "Copied the id alpha   if your terminal allows it (OSC 52)")
        await pilot.press("down")
        await settle(pilot)
        assert await copied(app, pilot, "Y") == path_of("beta")
        assert shows(app, "Copied the path")
        assert not shows(app, "OSC 52")


async def test_ids_and_paths_of_marked_sessions_a_line_each() -> None:
    async with running(store_with("alpha", "beta")) as (app, pilot):
        await pilot.press("ctrl+a")
        assert await copied(app, pilot, "y") == "alpha\nbeta"
        assert shows(app, "Copied 2 ids")
        assert await copied(app, pilot, "Y") == f"{path_of('alpha')}\n{path_of('beta')}"
        assert shows(app, "Copied 2 paths")


async def test_the_command_that_resumes_it(tmp_path: Path) -> None:
    folder = tmp_path / "-code-api"
    folder.mkdir()
    file = folder / "2026-11-23T10-00-00-000Z_x.jsonl"
    file.write_bytes(session("Title", cwd="/home/mira/a b"))
    from sessiontui.storage.storage import open_backend

    async with running(source=str(tmp_path), connect=open_backend) as (app, pilot):
        line = await copied(app, pilot, "ctrl+y")
        assert line == f"cd '/home/mira/a b' && omp --resume {file}"


async def test_a_session_in_redis_has_no_such_command() -> None:
    async with running(store_with("alpha")) as (app, pilot):
        await pilot.press("ctrl+y")
        await until(lambda: shows(app, "Not copied: omp resumes only from disk"))
        assert app.clipboard == ""


async def test_the_text_of_the_current_entry_with_its_tabs_and_nothing_harmful() -> None:
    async with running(store(answer(PROSE))) as (app, pilot):
        text = await copied(app, pilot, "tab", "y")
        assert text == "Use this:\n\n```make\nall:\n\tcc -o x␛]0;t␇\n```\nor ~~~ that"
        assert await copied(app, pilot, "Y") == "all:\n\tcc -o x␛]0;t␇"
        assert shows(app, "Copied 2 lines of make")


async def test_a_call_is_copied_with_its_result_and_its_command_alone() -> None:
    async with running(store(*bash("make all", "one\ntwo"))) as (app, pilot):
        assert await copied(app, pilot, "tab", "y") == "bash  make all\none\ntwo"
        assert await copied(app, pilot, "Y") == "make all"


async def test_of_several_pieces_of_code_one_is_chosen() -> None:
    text = "```sh\nfirst\n```\n\n~~~~python\nx = 1\n~~~\n~~~~\n"
    async with running(store(answer(text))) as (app, pilot):
        await pilot.press("tab", "Y")
        await until(lambda: isinstance(app.screen, CodeListScreen))
        assert app.screen.query_one(OptionList).option_count == 2
        assert await copied(app, pilot, "j", "enter") == "x = 1\n~~~"
        await pilot.press("Y")
        await until(lambda: isinstance(app.screen, CodeListScreen))
        app.copy_to_clipboard("kept")
        await pilot.press("escape")
        await settle(pilot)
        assert app.clipboard == "kept"


async def test_where_there_is_no_code_it_says_so() -> None:
    async with running(store(answer("Nothing here"))) as (app, pilot):
        await pilot.press("tab", "Y")
        await until(lambda: shows(app, "No code in this entry"))


async def test_a_stored_line_is_copied_as_it_is_stored() -> None:
    async with running(store(answer("Plain"))) as (app, pilot):
        text = await copied(app, pilot, "tab", "v", "y")
        assert text.startswith('{"type":"message"')
        assert text.endswith("}")


async def test_what_is_too_long_is_cut_and_that_is_told() -> None:
    async with running(store(answer("é" * MAX_BYTES))) as (app, pilot):
        text = await copied(app, pilot, "tab", "y")
        assert text == "é" * (MAX_BYTES // 2)
        assert shows(app, "Copied the first 524 KB of this entry")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("```\na\n```", [CodeSnippet("", "a")]),
        ("   ```` js title=x\n```\n````", [CodeSnippet("js", "```")]),
        ("```a`b\nno code", []),
        ("~~~ a`b\ncode\n~~~ x\n~~~", [CodeSnippet("a`b", "code\n~~~ x")]),
        ("```\nnever closed", [CodeSnippet("", "never closed")]),
        ("    ```\nindented", []),
        ("```\n```", [CodeSnippet("", "")]),
    ],
)
def test_fences_are_read_as_markdown_has_them(text: str, found: list[CodeSnippet]) -> None:
    assert list(fenced_code(tuple(text.split("\n")))) == found


def test_the_terminal_is_asked_with_exactly_the_text(tmp_path: Path) -> None:
    folder = tmp_path / "sessions" / "-code"
    folder.mkdir(parents=True)
    head = session("Copy me", session_id="0199-abc").splitlines(keepends=True)[:2]
    entry = {"type": "message", "id": "m1", "message": answer(PROSE)}
    (folder / "2026-11-23T10-00-00-000Z_0199-abc.jsonl").write_bytes(
        b"".join(head) + encode_entries([entry])
    )
    home = tmp_path / "home"
    home.mkdir()
    environ = {"HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    with Terminal([str(folder.parent)], environ=environ) as terminal:
        terminal.until(b"Use this")
        terminal.press(b"y")
        terminal.until(b"Copied the id 0199-abc")
        terminal.press(b"\ty")
        terminal.until(b"Copied this entry")
        terminal.press(b"q")
        assert terminal.finish() == 0
        asked = re.findall(rb"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", bytes(terminal.output))
    message = "Use this:\n\n```make\nall:\n\tcc -o x␛]0;t␇\n```\nor ~~~ that"
    assert [base64.b64decode(text).decode() for text in asked] == ["0199-abc", message]
