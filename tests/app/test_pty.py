"""The program in a real terminal: it starts, answers keys, and leaves no trace."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import TYPE_CHECKING

import pytest
import redis

from tests.app.support import path_of, session
from tests.app.terminal import Terminal
from tests.servers import real_server
from tests.sessions import Omp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ESCAPE = b"\x1b[27u"
"""The key as terminals send it that tell it from the start of a sequence."""

BROKEN = """
import sys
from sessiontui.app.app import SessionApp
from sessiontui.cli import main
def broken(self):
    raise RuntimeError("this is broken")
SessionApp.action_show_keys = broken
sys.exit(main())
"""

BRIGHT_FOOTER = b"38;2;143;151;166;48;2;20;22;27m keys"
"""The main screen without a dialog over it, which would dim it."""

HOSTILE = {
    "clipboard": "\x1b]52;c;aGFja2Vk\x07",
    "window title": "\x1b]0;owned\x07\x1b]2;owned\x1b\\",
    "clear": "\x1b[2J\x1b[3J\x1bc",
    "eight-bit CSI and OSC": "\x9b31m\x9d0;owned\x9c",
    "device attributes": "\x1b[>c\x1bP+q544e\x1b\\",
    "bell and backspace": "\x07\x08\x08",
    "bidi": "\u202eevil\u202c\u2066x\u2069\u200f",
    "invisible": "a\u200bb\ufeffc\u00ad\U000e0041",
    "markup": "[/x][bold red]not markup[/]",
}
"""What must not reach the terminal, each with a plain mark to find it by."""

FORBIDDEN = (
    b"\x1b]",
    b"\x1bc",
    b"\x1b[2J\x1b[3J",
    b"\x1b[>c",
    b"\x1bP+q",
    b"\x07",
    b"\x08",
    *(bytes([0xC2, code]) for code in range(0x80, 0xA0)),
    *(
        character.encode()
        for character in "\u00ad\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
        "\u2028\u2029\u2066\u2067\u2068\u2069\ufeff\U000e0041"
    ),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two sessions, as omp keeps them."""
    for name in ("alpha", "beta"):
        file = tmp_path / "sessions" / path_of(name)[1:]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(session(f"Title {name}", f"Question about {name}", session_id=name))
    return tmp_path / "sessions"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An empty home, so that nothing of the user's counts."""
    home = tmp_path / "home"
    home.mkdir()
    return {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_STATE_HOME": str(home)}


@pytest.fixture
def terminal(folder: Path, environ: dict[str, str]) -> Iterator[Terminal]:
    """The program at work on the folder."""
    with Terminal([str(folder)], environ=environ) as running:
        yield running


def test_it_starts_answers_keys_and_leaves_the_terminal_as_it_was(terminal: Terminal) -> None:
    terminal.until(b"Title alpha", b"Question about", b"live")
    terminal.press(b"?")
    terminal.until(b"Open transcript")
    terminal.press(b"\x1b")
    terminal.until(BRIGHT_FOOTER)
    terminal.press(b"/nothing-like-this")
    terminal.until(b"0 matches")
    terminal.rest()
    terminal.press(b"\x1b")
    terminal.until(b"Title beta")
    terminal.press(b"q")
    assert terminal.finish() == 0
    assert terminal.restored


def test_editing_keys_and_letters_of_one_read_are_taken_in_order(terminal: Terminal) -> None:
    terminal.until(b"Title alpha", BRIGHT_FOOTER)
    terminal.press(b"/nothing\x15xeta\x1b[H\x1b[3~b\r")
    terminal.until(b"1 match")
    terminal.press(b"q")
    assert terminal.finish() == 0


@pytest.mark.parametrize("keys", [b"\x03", b"\x11"])
def test_control_keys_quit(terminal: Terminal, keys: bytes) -> None:
    terminal.until(b"Title alpha")
    terminal.press(keys)
    assert terminal.finish() == 0
    assert terminal.restored


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_properly(terminal: Terminal, number: signal.Signals) -> None:
    terminal.until(b"Title alpha")
    os.kill(terminal.process.pid, number)
    assert terminal.finish() == 128 + number
    assert terminal.restored


def test_an_error_nobody_expected_leaves_the_terminal_as_it_was(
    folder: Path, environ: dict[str, str]
) -> None:
    with Terminal([str(folder)], environ=environ, program=("-c", BROKEN)) as terminal:
        terminal.until(b"Title alpha")
        terminal.press(b"?")
        assert terminal.finish() == 1
        assert terminal.restored
        assert b"internal error: RuntimeError; a report" in terminal.output
        assert b"this is broken" not in terminal.output


@pytest.mark.parametrize("sent", [b"\xff", b"\xc3\xc3", b"\x9b31", b"\x1b[200~a\xffdq\r\x1b[201~"])
def test_bytes_that_are_no_text_do_no_harm(terminal: Terminal, sent: bytes) -> None:
    terminal.until(b"Title alpha", BRIGHT_FOOTER)
    terminal.press(sent)
    terminal.rest()
    terminal.press(b"?")
    terminal.until(b"Open transcript")
    terminal.press(ESCAPE)
    terminal.until(BRIGHT_FOOTER)
    terminal.press(b"\x03")
    assert terminal.finish() == 0
    assert terminal.restored
    assert b"Delete session" not in terminal.output


def test_a_keyboard_that_cannot_be_read_ends_it_with_a_word(terminal: Terminal) -> None:
    terminal.until(b"Title alpha")
    terminal.press(b"\x1b[1114112u")  # There is no such character.
    assert terminal.finish() == 1
    assert terminal.restored
    assert b"internal error: ValueError; a report" in terminal.output


@pytest.mark.parametrize(
    ("kind", "size"), [("xterm-256color", (0, 0)), ("unknown", (100, 30))], ids=["size", "kind"]
)
def test_a_terminal_that_does_not_say_all_of_itself_is_as_good_as_any(
    folder: Path, environ: dict[str, str], kind: str, size: tuple[int, int]
) -> None:
    with Terminal([str(folder)], environ=environ | {"TERM": kind}, size=size) as terminal:
        terminal.until(b"Title alpha", b"live")
        terminal.rest()
        terminal.press(b"q")
        assert terminal.finish() == 0
        assert terminal.restored


def test_a_terminal_that_cannot_move_its_cursor_is_refused(
    folder: Path, environ: dict[str, str]
) -> None:
    with Terminal([str(folder)], environ=environ | {"TERM": "dumb"}) as terminal:
        assert terminal.finish() == 2
        assert b"TERM=dumb" in terminal.output
        assert b"\x1b" not in terminal.output


def test_an_unreachable_server_is_told_and_can_be_left(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    with Terminal([f"unix://{tmp_path}/no.sock"], environ=environ) as terminal:
        terminal.until(b"Cannot reach the server", b"no.sock")
        terminal.press(b"q")
        assert terminal.finish() == 0
        assert terminal.restored


def hostile_session(name: str, text: str) -> bytes:
    """Return a session with `text` in its title, its folder of work, turns, tools and types."""
    data = session(f"{name} {text}", f"{name} {text}", "Then?", cwd=f"/srv/{text}", slot=False)
    odd = session(f"{name}", slot=False).replace(
        b'"type":"message"', b'"type":"odd\\u001b]0;t\\u0007"'
    )
    return data + odd.split(b"\n", 1)[1] + f"broken {text}\n".encode("utf-8", "surrogatepass")


def go_through(terminal: Terminal, marks: list[bytes]) -> None:
    """Go through list and transcripts, open every dialog, and quit."""
    terminal.until(b"sessions", *marks)
    for _ in range(len(HOSTILE) + 1):
        terminal.press(b"j")
        terminal.rest()
    for keys in (b"\r", b"v", b"v", b"X", b"T", b"g", b"G", b"O", ESCAPE, b"B", ESCAPE, b"M"):
        terminal.press(keys)
        terminal.rest()
    for keys, shown in ((b"@", b"Go to a time"), (b"V", b"esc"), (ESCAPE, BRIGHT_FOOTER)):
        terminal.press(keys)
        terminal.until(shown)
        if shown != BRIGHT_FOOTER:
            terminal.press(ESCAPE)
            terminal.rest()
    for keys, shown, afterwards in (
        (b"\x06", b"exact text", b"exact text"),
        (b"re:/own.d|evil/\r", b"matches in", BRIGHT_FOOTER),
        (b"D", b"gone", BRIGHT_FOOTER),
        (b"C", b"Columns", BRIGHT_FOOTER),
        (b"c", b"Type where to", BRIGHT_FOOTER),
        (b"\x01", b"selected", b"selected"),
        (b"m", b"Type where to", BRIGHT_FOOTER),
        (b"e", b"Export", BRIGHT_FOOTER),
        (b"d", b"Kept in the trash", BRIGHT_FOOTER),
        (b"*", b"clipboard", b"clipboard"),
        (b"r", b"Rename session", BRIGHT_FOOTER),
        (b"d", b"Kept in the trash", BRIGHT_FOOTER),
        (b"e", b"Export session", BRIGHT_FOOTER),
        (b"/bidi", b" match", b"clipboard"),
        (b"\x10", b"title of a session", b"title of a session"),
        (b"clip", b"clipboard", BRIGHT_FOOTER),
        (b"?", b"Switch pane", BRIGHT_FOOTER),
    ):
        terminal.press(keys)
        terminal.until(shown)
        if shown != afterwards:
            terminal.press(ESCAPE)
            terminal.until(afterwards)
    terminal.press(b"\x03")
    assert terminal.finish() == 0


def check_clean(terminal: Terminal) -> None:
    # Textual itself names the shape of the mouse pointer, and nothing else, by OSC.
    output = re.sub(rb"\x1b\]22;[a-z-]+\x07", b"", bytes(terminal.output))
    for bad in FORBIDDEN:
        at = output.find(bad)
        assert at < 0, (bad, output[max(0, at - 60) : at + 60])
    for harmless in (b"aGFja2Vk", b"owned", b"evil", b"[bold red]not markup"):
        assert harmless in output
    assert terminal.restored


def test_nothing_hostile_in_a_folder_reaches_the_terminal(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    root = tmp_path / "sessions"
    for name, text in HOSTILE.items():
        bare = text.replace("/", "_")
        file = root / f"-srv-{bare}" / f"2026-11-23T10-00-00-000Z_{name} {bare}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(hostile_session(name, text))
        tail = file.with_name(f"gone {name} {bare}.jsonl")
        tail.write_bytes(hostile_session(name, text).split(b"\n", 1)[1])
    undecodable = os.fsdecode(b"2026-11-23T10-00-00-000Z_\xff\x9b31m.jsonl")
    (root / undecodable).write_bytes(hostile_session("bytes", "\x9b31m"))
    with Terminal([str(root)], environ=environ, size=(160, 60)) as terminal:
        go_through(terminal, [b"clipboard", b"bidi"])
        check_clean(terminal)


def test_nothing_hostile_in_a_server_reaches_the_terminal(environ: dict[str, str]) -> None:
    with real_server() as server:
        with redis.Redis(unix_socket_path=str(server.socket)) as client:
            for name, text in HOSTILE.items():
                path = f"/{text}/{name}{text}.jsonl"
                client.set(f"omp:sessions:file:{path}", hostile_session(name, text))
                client.hset("omp:sessions:meta", path, text)
                client.hset("omp:sessions:meta", f"/{text}/gone {name}{text}.jsonl", text)
                title = json.dumps({"title": f"{name} {text}", "updatedAt": "x"})
                client.hset("omp:sessions:title", path, title)
            client.set(b"omp:sessions:file:/\xff\x9b31m.jsonl", hostile_session("bytes", "x"))
            client.lpush("omp:sessions:file:/\x1b]0;list\x07.jsonl", "no string")
        with Terminal([server.url], environ=environ, size=(160, 60)) as terminal:
            go_through(terminal, [b"clipboard", b"bidi"])
            check_clean(terminal)


def test_a_size_that_the_environment_names_wrongly_is_passed_over(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    seen = Omp(title="Seen in full")
    seen.user()
    file = tmp_path / "sessions" / "-p" / "2026-11-23T10-00-00-000Z_a.jsonl"
    file.parent.mkdir(parents=True)
    file.write_bytes(seen.data)
    wrong = environ | {"COLUMNS": "80", "LINES": "24"}
    with Terminal([str(tmp_path / "sessions")], environ=wrong, size=(120, 34)) as terminal:
        terminal.until(b"Seen in full", b"live")
        terminal.press(b"\x03")
        assert terminal.finish() == 0
