"""The demo's own process: sessions and agents while it runs, nothing left when it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from sessiontui.demo.server import demo_server
from sessiontui.demo.sessions import demo_sessions
from sessiontui.errors import BackendDownError
from sessiontui.sources import DirectorySource, RedisSource
from tests.command import ROOT, command_environment
from tests.waiting import until_sync

SESSIONS = len(demo_sessions(0))
PREFIX = "omp:sessions:"

_HOLD = """
import sys
from sessiontui.demo.server import demo_server
with demo_server(folder=sys.argv[1] == "folder") as stage:
    print(stage.source.label, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the supervisor find the package where it is not installed."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def test_on_a_server_agents_append_to_their_sessions_and_all_is_gone_afterwards() -> None:
    with demo_server() as stage:
        assert isinstance(stage.source, RedisSource)
        socket = Path(str(stage.source.socket))
        with redis.Redis(unix_socket_path=str(socket)) as client:
            assert len(client.hgetall(f"{PREFIX}meta")) >= SESSIONS
            before = {key: client.strlen(key) for key in client.scan_iter(f"{PREFIX}file:*")}
            until_sync(lambda: sum(client.strlen(key) > size for key, size in before.items()) >= 2)
    assert not socket.parent.exists()


def test_in_a_folder_agents_append_to_their_files_and_all_is_gone_afterwards() -> None:
    with demo_server(folder=True) as stage:
        assert isinstance(stage.source, DirectorySource)
        root = stage.source.path
        sizes = {file: file.stat().st_size for file in root.rglob("*.jsonl")}
        assert len(sizes) > 39
        until_sync(lambda: sum(file.stat().st_size > size for file, size in sizes.items()) >= 2)
    assert not root.parent.exists()


def test_it_clears_up_when_the_app_fails() -> None:
    places: list[Path] = []

    def fail() -> None:
        with demo_server(folder=True) as stage:
            assert isinstance(stage.source, DirectorySource)
            places.append(stage.source.path)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not places[0].parent.exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("kind", ["folder", "server"])
def test_it_clears_up_when_the_app_is_killed(
    number: signal.Signals, kind: str, tmp_path: Path
) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, kind],
        env=command_environment(tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        label = holder.stdout.readline().decode()
        place = Path(label.partition(" ")[0].strip().removeprefix("unix://")).parent
        assert place.is_dir()
        holder.send_signal(number)
        holder.wait()
        until_sync(lambda: not place.exists())


def test_it_says_why_it_does_not_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SESSIONTUI_REDIS_SERVER", str(tmp_path / "none"))
    with pytest.raises(BackendDownError, match="SESSIONTUI_REDIS_SERVER"), demo_server():
        pass
