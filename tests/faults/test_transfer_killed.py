"""A copy or move that is killed at any moment: nothing is lost, nothing half done is seen."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

import pytest
import redis

from sessiontui.formats.jsonl import encode_entries
from tests.command import Command

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers import RealServer

PREFIX = "omp:sessions:"
ID = "0199a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b"
NAME = f"2026-09-21T13-33-20-000Z_{ID}.jsonl"
SIZE = 40_000_000
WHEN_S = 1_790_000_000


def body() -> bytes:
    header = {
        "type": "session",
        "version": 3,
        "id": ID,
        "timestamp": "2026-09-21T13:33:20.000Z",
        "cwd": "/srv/app",
    }
    line = encode_entries([{"type": "custom", "id": "00000001", "parentId": None, "x": "y" * 9000}])
    return encode_entries([header]) + line * (SIZE // len(line))


class Stage:
    """A folder and a server; one holds the session with its draft."""

    def __init__(self, tmp_path: Path, server: RealServer, client: redis.Redis) -> None:
        self.root = tmp_path / "sessions"
        self.root.mkdir()
        self.file = self.root / "--srv-app--" / NAME
        self.path = f"/sessions/--srv-app--/{NAME}"
        self.url = server.url
        self.client = client
        self.body = body()
        self.command = Command(tmp_path)

    def fill_folder(self) -> None:
        self.file.parent.mkdir()
        self.file.write_bytes(self.body)
        os.utime(self.file, (WHEN_S, WHEN_S))
        draft = self.file.with_suffix("") / "draft.txt"
        draft.parent.mkdir()
        draft.write_bytes(b"unsent")

    def fill_redis(self) -> None:
        draft = self.path.removesuffix(".jsonl") + "/draft.txt"
        for path, data in ((self.path, self.body), (draft, b"unsent")):
            self.client.set(f"{PREFIX}file:{path}", data)
            self.client.hset(f"{PREFIX}meta", path, str(WHEN_S * 1000))

    def in_folder(self) -> dict[str, bytes]:
        """Return what an agent sees in the folder."""
        files = (file for file in self.root.rglob("*") if file.is_file())
        seen = {str(file.relative_to(self.root)): file for file in files}
        return {
            name: file.read_bytes()
            for name, file in seen.items()
            if not any(part.startswith(".") for part in name.split("/")[:-1])
        }

    def in_redis(self) -> dict[str, bytes]:
        """Return what an agent sees in Redis."""
        start = f"{PREFIX}file:"
        keys = [key.decode() for key in self.client.scan_iter(match=start + "*")]
        found = {key.removeprefix(start): self.client.get(key) for key in keys}
        return {path: data for path, data in found.items() if isinstance(data, bytes)}

    def kill_when(self, arguments: list[str], moment: Callable[[], bool]) -> None:
        """Run a command and kill it at a moment, unless it has ended by then."""
        with self.command.running(*arguments) as process:
            while process.poll() is None and not moment():
                time.sleep(0.001)
            process.kill()
            process.wait()

    def run(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        return self.command(*arguments)


@pytest.fixture
def stage(tmp_path: Path, redis_server: RealServer) -> Iterator[Stage]:
    with redis.Redis(unix_socket_path=str(redis_server.socket)) as client:
        client.flushall()
        yield Stage(tmp_path, redis_server, client)
        client.flushall()


def staged_in_redis(stage: Stage) -> bool:
    return any(
        int(stage.client.strlen(key)) > SIZE // 2
        for key in stage.client.scan_iter(match=f"{PREFIX}temp:*")
    )


def staged_in_folder(stage: Stage) -> bool:
    with contextlib.suppress(OSError):
        return any(
            file.stat().st_size > SIZE // 2 for file in stage.root.glob(".sessiontui-incoming/*/*")
        )
    return False


@pytest.mark.parametrize("command", ["cp", "mv"])
@pytest.mark.parametrize("moment", ["half", "placed", "gone"])
def test_from_a_folder_to_redis(stage: Stage, command: str, moment: str) -> None:
    stage.fill_folder()
    key = f"{PREFIX}file:{stage.path}"
    moments: dict[str, Callable[[], bool]] = {
        "half": lambda: staged_in_redis(stage),
        "placed": lambda: bool(stage.client.exists(key)),
        "gone": lambda: not stage.file.exists(),
    }
    yes = ["--yes"] if command == "mv" else []
    arguments = [command, *yes, "--source", str(stage.root), "--to", stage.url, ID]
    stage.kill_when(arguments, moments[moment])
    there = stage.in_redis()
    assert there in ({}, {stage.path: stage.body, stage.path[:-6] + "/draft.txt": b"unsent"})
    if stage.file.exists():
        assert stage.file.read_bytes() == stage.body
    else:
        assert command == "mv"
        assert there
    # Once more ends it, whatever was done before.
    again = stage.run(arguments)
    assert stage.in_redis()[stage.path] == stage.body
    assert len(stage.in_redis()) == 2
    assert again.returncode == 0 or (command == "mv" and "no session is called" in again.stderr)
    # A deletion that was killed half way is finished by whoever uses the trash next.
    assert stage.run(["trash", "--source", str(stage.root)]).returncode == 0
    assert bool(stage.in_folder()) == (command == "cp")


@pytest.mark.parametrize("command", ["cp", "mv"])
@pytest.mark.parametrize("moment", ["half", "placed", "gone"])
def test_from_redis_to_a_folder(stage: Stage, command: str, moment: str) -> None:
    stage.fill_redis()
    key = f"{PREFIX}file:{stage.path}"
    moments: dict[str, Callable[[], bool]] = {
        "half": lambda: staged_in_folder(stage),
        "placed": stage.file.exists,
        "gone": lambda: not stage.client.exists(key),
    }
    yes = ["--yes"] if command == "mv" else []
    arguments = [command, *yes, "--source", stage.url, "--to", str(stage.root), ID]
    stage.kill_when(arguments, moments[moment])
    there = stage.in_folder()
    name = f"--srv-app--/{NAME}"
    if name in there:
        assert there == {name: stage.body, f"{name[:-6]}/draft.txt": b"unsent"}
    else:
        assert not any(path.endswith(".jsonl") for path in there)
        assert stage.client.get(key) == stage.body
    again = stage.run(arguments)
    assert stage.in_folder() == {name: stage.body, f"{name[:-6]}/draft.txt": b"unsent"}
    assert again.returncode == 0 or (command == "mv" and "no session is called" in again.stderr)
    assert bool(stage.in_redis()) == (command == "cp")
    assert not list(stage.root.glob(".sessiontui-incoming/*"))
