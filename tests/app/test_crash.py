"""Errors that nobody expected: the terminal is given back, and a report tells nobody's text."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sessiontui import paths
from sessiontui.cli.crash import KEEP, one_line_report, write_report
from tests.app.support import path_of, session
from tests.app.terminal import Terminal
from tests.command import ROOT, command_environment
from tests.servers import real_server
from tests.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "hunter2-swordfish"
TEXT = "the words of a session"
TITLE = "Title alpha"

PROGRAM = f"""
import sys
from sessiontui.cli import main
SECRET, TEXT = {SECRET!r}, {TEXT!r}
def broken(*arguments, **options):
    password, text = SECRET, TEXT
    try:
        raise ValueError(text)
    except ValueError as error:
        raise RuntimeError(f"{{password}} {{text}} {TITLE}") from error
async def broken_later(*arguments, **options):
    broken()
%s
sys.exit(main())
"""

WHERE = {
    "render": """
from sessiontui.app.widgets.details import Details
Details.render = lambda self: broken() if self.row else ""
""",
    "worker": """
from sessiontui.app.controllers.edit import EditController
EditController.refresh = broken_later
""",
    "handler": """
from sessiontui.app.app import SessionApp
SessionApp.action_show_keys = broken
""",
    "timer": """
from sessiontui.app.screens.main import MainPanes
MainPanes._tick = broken
""",
}
KEYS = {"worker": b"R", "handler": b"?"}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    home = tmp_path / "home"
    home.mkdir()
    return {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_STATE_HOME": str(home / "state")}


@pytest.fixture
def secret_source() -> Iterator[str]:
    """A server with a password and a session."""
    with real_server(arguments=("--requirepass", SECRET)) as server:
        client = subprocess.run(
            [sys.executable, "-c", FILL, str(server.socket)], cwd=ROOT, check=False
        )
        assert client.returncode == 0
        yield f"unix://:{SECRET}@{server.socket}"


FILL = f"""
import sys, redis
from tests.app.support import path_of, session
client = redis.Redis(unix_socket_path=sys.argv[1], password={SECRET!r})
path = path_of("alpha")
client.set("omp:sessions:file:" + path, session({TITLE!r}, {TEXT!r}, session_id="alpha"))
client.hset("omp:sessions:meta", path, "1790000000000")
"""


def report_in(home: str) -> str:
    """Return the one report there is, which is the user's alone."""
    [report] = (Path(home) / "state/sessiontui/crashes").iterdir()
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert stat.S_IMODE(report.parent.stat().st_mode) == 0o700
    return report.read_text()


def is_clean(text: str) -> bool:
    """Tell whether nothing of the user's is in a text."""
    ours = (SECRET, TEXT, TITLE, path_of("alpha"), "-code-api", "/home/mira")
    return not any(word in text for word in ours)


@pytest.mark.parametrize("where", list(WHERE))
def test_the_terminal_is_given_back_and_a_report_tells_where(
    where: str, environ: dict[str, str], secret_source: str
) -> None:
    program = ("-c", PROGRAM % WHERE[where])
    with Terminal([secret_source], environ=environ, program=program) as terminal:
        if where in KEYS:
            terminal.until(TITLE.encode())
            terminal.press(KEYS[where])
        assert terminal.finish() == 1
        assert terminal.restored
        left = bytes(terminal.output)[terminal.output.rfind(b"\x1b[?1049l") :].decode()
    told = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", left).strip().splitlines()
    told = [line for line in told if line.strip()]
    assert len(told) == 1, left
    assert "internal error: RuntimeError; a report without any of your text is in" in told[0]
    assert is_clean(told[0])
    report = report_in(environ["HOME"])
    assert is_clean(report)
    for line in ("builtins.RuntimeError", "builtins.ValueError", "which led to:", "sessions: "):
        assert line in report
    assert "<string>:" in report
    assert "textual/" in report
    assert "source: server" in report


def test_what_breaks_behind_the_app_ends_it_too(
    environ: dict[str, str], secret_source: str
) -> None:
    program = (
        PROGRAM
        % """
from sessiontui.workspace.rows import RowUpdater
RowUpdater.apply = broken
"""
    )
    with Terminal([secret_source], environ=environ, program=("-c", program)) as terminal:
        assert terminal.finish() == 1
        assert terminal.restored
        assert b"internal error: ExceptionGroup; a report" in terminal.output
        assert SECRET.encode() not in terminal.output
        assert TEXT.encode() not in terminal.output
    report = report_in(environ["HOME"])
    assert is_clean(report)
    assert "builtins.RuntimeError" in report
    assert "sessiontui/workspace/workspace.py:" in report


def test_a_command_that_breaks_writes_a_report_too(tmp_path: Path, environ: dict[str, str]) -> None:
    file = tmp_path / "sessions" / path_of("alpha")[1:]
    file.parent.mkdir(parents=True)
    file.write_bytes(session(TITLE, TEXT))
    program = PROGRAM % "import sessiontui.cli.ls as l\nl.list_sessions = broken_later"
    done = subprocess.run(
        [sys.executable, "-c", program, "--source", str(tmp_path / "sessions"), "ls"],
        env=command_environment(tmp_path, environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("sessiontui: internal error: RuntimeError; a report")
    assert is_clean(done.stderr)
    report = report_in(environ["HOME"])
    assert is_clean(report)
    assert "sessiontui/cli/runner.py:" in report


def test_a_command_ends_where_what_works_behind_it_breaks(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    (tmp_path / "sessions").mkdir()
    program = PROGRAM % (
        "from sessiontui.search.indexer import Indexer\nIndexer.run = broken_later"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--source", str(tmp_path / "sessions"), "index", "--build"],
        env=command_environment(tmp_path, environ),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("sessiontui: internal error: ")
    assert is_clean(done.stderr)


def test_only_where_asked_for_everything_is_shown(tmp_path: Path, environ: dict[str, str]) -> None:
    program = PROGRAM % "import sessiontui.cli.ls as l\nl.list_sessions = broken_later"
    (tmp_path / "sessions").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", program, "--source", str(tmp_path / "sessions"), "ls"],
        env=command_environment(tmp_path, {**environ, "SESSIONTUI_DEBUG": "1"}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert not (Path(environ["HOME"]) / "state").exists()


def test_a_report_of_several_errors_tells_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "state_dir", lambda: tmp_path / "state")
    group = ExceptionGroup(TEXT, [OSError(28, TEXT, path_of("alpha")), KeyError(SECRET)])
    report = write_report(group, {"sessions": 3})
    assert report is not None
    text = report.read_text()
    assert is_clean(text)
    for line in (
        "builtins.OSError 28",
        "builtins.KeyError",
        "builtins.ExceptionGroup",
        "sessions: 3",
    ):
        assert line in text


def test_old_reports_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "state_dir", lambda: tmp_path)
    for _ in range(KEEP + 3):
        assert write_report(RuntimeError()) is not None
    assert len(list((tmp_path / "crashes").iterdir())) == KEEP


def test_where_no_report_can_be_written_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state").write_bytes(b"in the way")
    monkeypatch.setattr(paths, "state_dir", lambda: tmp_path / "state")
    error = RuntimeError(SECRET)
    assert write_report(error) is None
    assert "no report could be written" in one_line_report(error, None)
    assert is_clean(one_line_report(error, None))
