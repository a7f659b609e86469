"""An agent at work in a process of its own, as omp 18 is at its sessions; run by `omp_at_work`.

It reads its session once, and keeps all of it in memory. Each turn is appended without
any check: APPEND and HSET of the time in one script, or one write with O_APPEND. Now and
then it writes the whole session, checked by the size it knows; where another size stands
there it gives up writing, and every later turn stays in its memory only.

`python -m tests.faults.agent STORE PLACE PATH SEED`, STORE `redis` (PLACE is a socket)
or `folder`. A line `stop` on its input ends it; it then says as JSON how it went.
"""

from __future__ import annotations

import json
import os
import random
import select
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tests.waiting import DEADLINE_S

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

PREFIX = "omp:sessions:"
PAUSE_S = 0.004
REWRITE_EVERY = 25

_APPEND = """
redis.call('APPEND', KEYS[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
"""
_WRITE = """
local size = redis.call('STRLEN', KEYS[1])
if redis.call('EXISTS', KEYS[1]) == 0 then size = -1 end
if size ~= tonumber(ARGV[4]) then return {0, size} end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
redis.call('HDEL', KEYS[3], ARGV[1])
return {1, 0}
"""


class Store(Protocol):
    """Where omp keeps a session."""

    def read(self) -> bytes: ...
    def append(self, data: bytes) -> None: ...
    def write(self, data: bytes, expected_size: int) -> bool: ...


class RedisStore:
    """The keys of omp."""

    def __init__(self, socket: str, path: str) -> None:
        import redis

        self._client: Any = redis.Redis(unix_socket_path=socket, protocol=2)
        self._path = path
        self._keys = (PREFIX + "file:" + path, PREFIX + "meta", PREFIX + "title")
        self._appends = self._client.register_script(_APPEND)
        self._writes = self._client.register_script(_WRITE)

    def read(self) -> bytes:
        data: bytes = self._client.get(self._keys[0])
        return data

    def append(self, data: bytes) -> None:
        self._appends(self._keys[:2], [self._path, data, _now()])

    def write(self, data: bytes, expected_size: int) -> bool:
        done, _ = self._writes(self._keys, [self._path, data, _now(), expected_size])
        return bool(done)


class FolderStore:
    """A file."""

    def __init__(self, root: str, path: str) -> None:
        self._file = Path(root) / path.removeprefix("/")

    def read(self) -> bytes:
        return self._file.read_bytes()

    def append(self, data: bytes) -> None:
        descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, data)
        finally:
            os.close(descriptor)

    def write(self, data: bytes, expected_size: int) -> bool:
        try:
            size = self._file.stat().st_size
        except FileNotFoundError:
            size = -1
        if size != expected_size:
            return False
        beside = self._file.with_name(f".{self._file.name}.agent.tmp")
        beside.write_bytes(data)
        beside.replace(self._file)
        return True


def _now() -> str:
    return str(time.time_ns() // 1_000_000)


class Agent:
    """What omp remembers, and how it writes."""

    def __init__(self, store: Store, seed: int) -> None:
        self._store = store
        self._chance = random.Random(seed)
        self._data = store.read()
        self._stored = len(self._data)
        self._parent = str(json.loads(self._data.splitlines()[-1])["id"])
        self.turns: list[str] = []
        self.unsaved: list[str] = []
        self.rewrites = self.conflicts = 0

    def turn(self) -> None:
        """Say something, and write it."""
        name = f"t{len(self.turns):07}"
        text = "word " * self._chance.randrange(1, 40)
        message = {"role": "user", "content": text}
        entry = {"type": "message", "id": name, "parentId": self._parent, "message": message}
        line = json.dumps(entry).encode() + b"\n"
        self._data += line
        self._parent = name
        self.turns.append(name)
        if self.conflicts:
            self.unsaved.append(name)
            return
        self._store.append(line)
        self._stored += len(line)
        if self._chance.randrange(REWRITE_EVERY) == 0:
            self.rewrite()

    def rewrite(self) -> None:
        """Write the whole session, checked by the size it knows."""
        if self.conflicts:
            return
        if self._store.write(self._data, self._stored):
            self._stored = len(self._data)
            self.rewrites += 1
        else:
            self.conflicts += 1

    def report(self) -> dict[str, Any]:
        return {
            "turns": self.turns,
            "unsaved": self.unsaved,
            "rewrites": self.rewrites,
            "conflicts": self.conflicts,
        }


def main() -> None:
    """Work until told to stop."""
    kind, place, path, seed = sys.argv[1:]
    store: Store = RedisStore(place, path) if kind == "redis" else FolderStore(place, path)
    agent = Agent(store, int(seed))
    while not select.select([sys.stdin], [], [], PAUSE_S)[0]:
        agent.turn()
    agent.rewrite()
    sys.stdout.write(json.dumps(agent.report()) + "\n")


class AtWork:
    """An agent that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def stop(self) -> dict[str, Any]:
        """Let it write everything once more, and return how it went."""
        said, _ = self._process.communicate("stop\n", timeout=DEADLINE_S)
        report: dict[str, Any] = json.loads(said)
        return report


@contextmanager
def omp_at_work(kind: str, place: str, path: str, *, seed: int = 1) -> Iterator[AtWork]:
    """Run an agent beside the test; it is ended at the end if it was not stopped."""
    import subprocess

    command = [sys.executable, "-m", "tests.faults.agent", kind, place, path, str(seed)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent.parent,
    ) as process:
        try:
            yield AtWork(process)
        finally:
            if process.poll() is None:
                process.kill()


if __name__ == "__main__":
    main()
