"""Long runs of faults: many lines, many breaks, and a count of what is lost or doubled.

Each storm draws everything from one seed, so that a run can be had again. Lines are
numbered; what the store holds afterwards is compared with what was written.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from sessiontui.errors import OutcomeUnknownError
from sessiontui.storage import RetryPolicy, SessionStorage
from sessiontui.storage.directory.backend import DirectoryBackend
from sessiontui.storage.redis.backend import RedisBackend
from sessiontui.storage.redis.settings import RedisSettings
from tests.faults.proxy import FAULTS, proxied
from tests.servers import real_server
from tests.unit.redis_parts import FILE
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    import redis.asyncio

    from sessiontui.storage.backend import Backend, Stat
    from tests.servers import RealServer

EAGER = RetryPolicy(attempts=2000, first_s=0.001, longest_s=0.05)
AOF = ("--appendonly", "yes", "--appendfsync", "always")


@dataclass
class Tally:
    """What one storm did, and what came of it."""

    name: str
    operations: int = 0
    """Calls that changed something."""
    faults: Counter[str] = field(default_factory=Counter)
    lines: int = 0
    """Lines that were accepted."""
    unsure: int = 0
    """How many commands broke off without an answer, so that what they did had to be found out."""
    lost: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)
    """What else is not as it should be."""
    seconds: float = 0.0

    def compare(self, path: str, stored: bytes, written: Sequence[str], *, own: str = "") -> None:
        """Count what a session lacks and what it has twice; only lines that begin with `own`."""
        text = stored.decode("utf-8", "replace")
        found = [line for line in text.splitlines(keepends=True) if line.startswith(own)]
        count = Counter(found)
        self.lines += len(written)
        self.lost += sum(line not in count for line in written)
        self.doubled += sum(number - 1 for number in count.values() if number > 1)
        if not self.lost and not self.doubled and found != list(written):
            self.wrong.append(f"{path}: the lines are not those written, in their order")

    @property
    def failed(self) -> bool:
        """Whether anything is not as it should be."""
        return bool(self.lost or self.doubled or self.wrong)


class Unsure:
    """Passes everything on to a backend, and counts appends of which no answer came."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def __init__(self, backend: RedisBackend) -> None:
        self.backend = backend
        self.unsure = 0

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            return getattr(self.backend, name)

    async def append(self, path: str, data: bytes, *, mtime_ms: int) -> Stat:
        """Append, and count where nobody knows whether it happened."""
        try:
            return await self.backend.append(path, data, mtime_ms=mtime_ms)
        except OutcomeUnknownError:
            self.unsure += 1
            raise


def numbered(name: str, start: int, count: int) -> list[str]:
    """Return so many different lines."""
    return [f"{name} {number} {'x' * (number % 90)}\n" for number in range(start, start + count)]


def over(backend: Backend) -> SessionStorage:
    """Return a storage that goes on for long."""
    return SessionStorage(backend, contents="on_demand", retries=EAGER)


def backend_at(socket: Path, *, patience_s: float = 0.2) -> RedisBackend:
    """Return a backend that soon takes a silent server for a lost one."""
    import redis.asyncio

    settings = RedisSettings.of_client(redis.asyncio.Redis(unix_socket_path=str(socket)))
    return RedisBackend(
        RedisSettings(settings.connection_class, dict(settings.arguments), "storm", patience_s)
    )


async def write(
    storage: SessionStorage,
    path: str,
    lines: Sequence[str],
    trouble: Callable[[int], Awaitable[None]],
) -> None:
    """Write lines one after the other, with trouble after each, and wait for all of them."""
    writer = storage.open_writer(path)
    for number, line in enumerate(lines):
        writer.write_line_sync(line)
        await trouble(number)
    await storage.drain()


@contextlib.asynccontextmanager
async def timed(name: str) -> AsyncIterator[Tally]:
    tally = Tally(name)
    started = time.monotonic()
    yield tally
    tally.seconds = time.monotonic() - started


async def held(client: redis.asyncio.Redis, path: str) -> bytes:
    """Return the bytes of a session as the server has them."""
    data = await client.get(FILE + path.encode())
    return data if isinstance(data, bytes) else b""


# Storms


async def cuts(seed: int, count: int) -> Tally:
    """Cut, lose, hold back and delay the connection `count` times, over a hundred lines each."""
    chance = random.Random(seed)
    total = 100 * count
    points = set(chance.sample(range(total * 9 // 10), count))
    whole = numbered("line", 0, total)
    async with timed("connection cut, lost, held back, delayed; CLIENT KILL") as tally:
        with real_server() as server:
            async with (
                server.client() as client,
                proxied(server.socket, chance, delay_s=0.0005) as proxy,
                over(backend := Unsure(backend_at(proxy.socket))) as storage,
            ):
                await storage.load()
                due = 0

                async def trouble(number: int) -> None:
                    nonlocal due
                    if proxy.held and chance.random() < 0.3:
                        proxy.release()
                    due += number in points
                    await until(lambda: not proxy.is_armed or not storage.pending)
                    if due and not proxy.is_armed:
                        due -= 1
                        if chance.random() < 0.2:
                            killed = await kill_one(client, chance)
                            tally.faults["killed"] += killed
                            due += not killed
                        else:
                            fault = chance.choice(FAULTS)
                            proxy.strike(fault, chance.randrange(30 if "reply" in fault else 600))
                    # Commands are to be on their way when something breaks, not one for all lines.
                    if chance.random() < 0.3:
                        await asyncio.sleep(chance.choice((0, 0, 0.0005, 0.001)))

                writer = storage.open_writer("/s/a.jsonl")
                number = 0
                while number < total or due or proxy.is_armed:
                    if number == len(whole):
                        whole += numbered("line", number, 1)
                    writer.write_line_sync(whole[number])
                    await trouble(number)
                    number += 1
                while storage.pending:
                    proxy.release()
                    await asyncio.sleep(0.01)
                await storage.drain()
                tally.operations = number
                tally.unsure = backend.unsure
                tally.faults.update(proxy.done)
                tally.compare("a", await held(client, "/s/a.jsonl"), whole)
    return tally


async def kill_one(client: redis.asyncio.Redis, chance: random.Random) -> int:
    """End one of our connections at the server."""
    entries = [e for e in await client.client_list() if e["name"].startswith("sessiontui")]
    if entries:
        await client.client_kill_filter(_id=chance.choice(entries)["id"])
    return len(entries[:1])


async def peers(seed: int, count: int) -> Tally:
    """Break connections while agents append to the very sessions that are written."""
    chance = random.Random(seed)
    paths = [f"/s/{number}.jsonl" for number in range(4)]
    total = 50 * count
    points = set(chance.sample(range(total), min(count, total)))
    async with timed("the same, while an agent appends to the same sessions") as tally:
        with real_server() as server:
            async with (
                server.client() as client,
                server.client() as agent,
                proxied(server.socket, chance) as proxy,
                over(backend_at(proxy.socket)) as storage,
            ):
                await storage.load()
                ours: dict[str, list[str]] = {path: [] for path in paths}
                theirs: dict[str, list[str]] = {path: [] for path in paths}
                writers = {path: storage.open_writer(path) for path in paths}
                for number in range(total):
                    path = chance.choice(paths)
                    ours[path].append(f"ours {number}\n")
                    writers[path].write_line_sync(ours[path][-1])
                    if number in points:
                        await until(lambda: not proxy.is_armed or not storage.pending)
                        if not proxy.is_armed:
                            fault = chance.choice(FAULTS)
                            proxy.strike(fault, chance.randrange(30 if "reply" in fault else 600))
                    if proxy.held:
                        proxy.release()
                    theirs[path].append(f"theirs {number}\n")
                    await agent.append(FILE + path.encode(), theirs[path][-1])
                while storage.pending:
                    proxy.release()
                    await asyncio.sleep(0.01)
                await storage.drain()
                tally.operations = 2 * total
                tally.faults.update(proxy.done)
                for path in paths:
                    data = await held(client, path)
                    tally.compare(path, data, ours[path], own="ours")
                    tally.compare(path, data, theirs[path], own="theirs")
    return tally


async def restarts(seed: int, count: int) -> Tally:
    """Kill the server with SIGKILL and start it again from its append-only file."""

    async def hurt(server: RealServer, chance: random.Random) -> str:
        await asyncio.sleep(chance.uniform(0, 0.005))
        await asyncio.to_thread(server.crash)
        return "killed -9"

    name = "server killed -9, restarted from its AOF"
    return await _hurt(name, hurt, seed, count, arguments=AOF)


async def frozen(seed: int, count: int) -> Tally:
    """Stop the server's process in the middle, longer than we are patient, and let it go on."""

    async def hurt(server: RealServer, chance: random.Random) -> str:
        with server.frozen():
            await asyncio.sleep(chance.uniform(0.02, 0.2))
        return "stopped"

    name = "server stopped (SIGSTOP) and woken"
    return await _hurt(name, hurt, seed, count, patience_s=0.05)


async def memory(seed: int, count: int) -> Tally:
    """Leave the server without memory for a while: it refuses writes (OOM)."""

    async def hurt(server: RealServer, chance: random.Random) -> str:
        async with server.client() as client:
            await client.config_set("maxmemory", "1")
            await asyncio.sleep(chance.uniform(0, 0.05))
            await client.config_set("maxmemory", "0")
        return "OOM"

    return await _hurt("server without memory (OOM)", hurt, seed, count)


async def _hurt(
    name: str,
    hurt: Callable[[RealServer, random.Random], Awaitable[str]],
    seed: int,
    count: int,
    *,
    arguments: Sequence[str] = (),
    patience_s: float = 0.2,
) -> Tally:
    """Write to a server that is hurt now and then; compare with what it holds at the end."""
    chance = random.Random(seed)
    whole = numbered("line", 0, 200 * count)
    async with timed(name) as tally:
        with real_server(arguments=arguments) as server:
            async with over(backend_at(server.socket, patience_s=patience_s)) as storage:
                await storage.load()
                points = set(chance.sample(range(len(whole)), count))

                async def trouble(number: int) -> None:
                    if number in points:
                        tally.faults[await hurt(server, chance)] += 1
                    elif chance.random() < 0.05:
                        await asyncio.sleep(0)

                await write(storage, "/s/a.jsonl", whole, trouble)
                tally.operations = len(whole)
            async with server.client() as client:
                tally.compare("a", await held(client, "/s/a.jsonl"), whole)
    return tally


async def two_in_redis(seed: int, count: int) -> Tally:
    """Run two storages on one server, renaming and deleting beside each other."""
    with real_server() as server:
        return await _two(
            f"two instances on one server, {count} structural changes",
            lambda: backend_at(server.socket, patience_s=10.0),
            seed,
            count,
        )


async def two_in_folder(seed: int, count: int) -> Tally:
    """Run two storages on one folder."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "sessions")
        await asyncio.to_thread(root.mkdir)
        return await _two(
            f"two instances on one folder, {count} structural changes",
            lambda: DirectoryBackend(root, trash_root=Path(folder, "trash")),
            seed,
            count,
        )


async def _two(name: str, make: Callable[[], Backend], seed: int, count: int) -> Tally:
    """Let two storages write to sessions of their own, move, delete and restore them."""
    chance = random.Random(seed)
    async with timed(name) as tally, over(make()) as first, over(make()) as second:
        await first.load()
        await second.load()
        written: dict[str, list[str]] = {}
        for number in range(count):
            here, there = (first, second) if chance.random() < 0.5 else (second, first)
            path = f"/p{number % 5}/{number}.jsonl"
            written[path] = numbered(path, 0, chance.randrange(1, 60))
            writer = here.open_writer(path)
            for line in written[path]:
                writer.write_line_sync(line)
            match chance.randrange(3):
                case 0:
                    target = path.replace(".jsonl", "-moved.jsonl")
                    await here.rename(path, target)
                    written[target] = written.pop(path)
                    tally.faults["renamed"] += 1
                case 1:
                    await writer.close()
                    await until(partial(there.exists_sync, path))
                    item = await there.trash_session(path, keep_ms=60_000)
                    if chance.random() < 0.5:
                        await here.restore(item.id)
                        tally.faults["deleted, restored"] += 1
                    else:
                        del written[path]
                        tally.faults["deleted"] += 1
            tally.operations += len(written.get(path, ())) + 1
        await first.drain()
        await second.drain()
        for storage in (first, second):
            await until(partial(_shows, storage, written))
        for path, lines in written.items():
            tally.compare(path, await first.read_range(path, 0, None), lines)
            if await second.read_range(path, 0, None) != await first.read_range(path, 0, None):
                tally.wrong.append(f"{path}: the two do not show the same")
    return tally


def _shows(storage: SessionStorage, written: dict[str, list[str]]) -> bool:
    sizes = {path: len("".join(lines).encode()) for path, lines in written.items()}
    return {stat.path: stat.size for stat in storage.stats()} == sizes


async def ended_in_redis(seed: int, count: int) -> Tally:
    """Kill a process of ours with SIGKILL while it writes to a server, again and again."""
    with real_server() as server:
        async with server.client() as client:

            async def stored(path: str) -> bytes:
                return await held(client, path)

            return await _ended(
                "our process killed -9, on a server", server.url, stored, seed, count
            )


async def ended_in_folder(seed: int, count: int) -> Tally:
    """Kill a process of ours with SIGKILL while it writes to a folder, again and again."""
    with tempfile.TemporaryDirectory() as folder:

        async def stored(path: str) -> bytes:
            file = Path(folder, path[1:])
            return await asyncio.to_thread(file.read_bytes)

        return await _ended("our process killed -9, on a folder", folder, stored, seed, count)


async def _ended(
    name: str,
    source: str,
    stored: Callable[[str], Awaitable[bytes]],
    seed: int,
    count: int,
) -> Tally:
    """Compare what a killed process was told is written with what is there."""
    chance = random.Random(seed)
    async with timed(name) as tally:
        confirmed: list[str] = []
        for number in range(count):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "tests.faults.writer", source, "/p/a.jsonl", f"run-{number}"),
                stdout=subprocess.PIPE,
            )
            assert process.stdout is not None
            wanted = chance.randrange(1, 400)
            while wanted and (line := await process.stdout.readline()):
                confirmed.append(line.decode())
                wanted -= 1
            process.kill()
            rest = await process.stdout.read()
            confirmed += rest.decode().splitlines(keepends=True)[: rest.count(b"\n")]
            await process.wait()
            tally.faults["killed -9"] += 1
        data = await stored("/p/a.jsonl")
        tally.operations = tally.lines = len(confirmed)
        there = Counter(data.decode().splitlines(keepends=True))
        tally.lost = sum(line not in there for line in confirmed)
        tally.doubled = sum(times - 1 for times in there.values())
        if any(not line.endswith("\n") for line in there):
            tally.wrong.append("a line was written in part")
    return tally


Storm: TypeAlias = "Callable[[int, int], Awaitable[Tally]]"
"""Takes the seed and how many faults there are to be."""

STORMS: dict[str, tuple[Storm, int]] = {
    "cuts": (cuts, 1000),
    "peers": (peers, 200),
    "restarts": (restarts, 50),
    "frozen": (frozen, 50),
    "memory": (memory, 100),
    "two-redis": (two_in_redis, 200),
    "two-folder": (two_in_folder, 200),
    "ended-redis": (ended_in_redis, 30),
    "ended-folder": (ended_in_folder, 30),
}
"""Each storm with the number of faults of a whole run."""
