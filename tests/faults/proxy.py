"""A proxy of our own between the storage and a server: it cuts, loses, holds back and delays.

All it does is what networks do: bytes arrive whole and in order until a
connection breaks; what was on the way then is lost, or arrives late.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator
    from pathlib import Path

Fault = Literal["cut", "lose request", "lose reply", "hold", "swallow"]
"""cut: now, all connections. lose request, lose reply: after some more bytes on their way the
rest is lost, and the connection with it. hold: the same for a request, but what is held back
arrives at the server after the client saw the end. swallow: the rest is lost and nobody sees it."""
FAULTS: tuple[Fault, ...] = ("cut", "lose request", "lose reply", "hold", "swallow")
_CHUNK = 1 << 16


@dataclass
class _Armed:
    fault: Fault
    after_bytes: int


@dataclass
class Proxy:
    """Counts what it did; strikes once for each call of `strike`."""

    upstream: Path
    socket: Path
    chance: random.Random
    delay_s: float = 0.0
    """Each chunk waits up to so long, in seconds."""
    done: dict[Fault, int] = field(default_factory=lambda: dict.fromkeys(FAULTS, 0))
    held: list[bytes] = field(default_factory=list)
    """What is held back at the moment."""
    late: int = 0
    """How many bytes arrived at the server after the client saw the end."""
    _armed: _Armed | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _release: asyncio.Event = field(default_factory=asyncio.Event)

    def strike(self, fault: Fault, after_bytes: int = 0) -> None:
        """Let a fault happen: `cut` at once, the others once so many more bytes went by."""
        if fault == "cut":
            self.done["cut"] += 1
            for writer in list(self._writers):
                writer.transport.abort()
            return
        self._armed = _Armed(fault, after_bytes)

    @property
    def struck(self) -> int:
        """How many faults happened."""
        return sum(self.done.values())

    @property
    def is_armed(self) -> bool:
        """Whether a fault is still to come."""
        return self._armed is not None

    def release(self) -> None:
        """Let what is held back go on to the server."""
        self._release.set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until one side ends."""
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        server_writer: asyncio.StreamWriter | None = None
        self._writers.add(writer)
        try:
            server_reader, server_writer = await asyncio.open_unix_connection(str(self.upstream))
            self._writers.add(server_writer)
            ways = (
                asyncio.create_task(self._carry(reader, server_writer, writer, to_server=True)),
                asyncio.create_task(self._carry(server_reader, writer, server_writer)),
            )
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                # What is held back goes its own way, however the client's side ended.
                if self.held:
                    await asyncio.wait(ways[:1])
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            pass
        finally:
            for end in (writer, server_writer):
                if end is not None:
                    self._writers.discard(end)
                    end.transport.abort()

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        back: asyncio.StreamWriter,
        *,
        to_server: bool = False,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if self.delay_s:
                    await asyncio.sleep(self.chance.uniform(0, self.delay_s))
                armed = self._armed
                if armed is not None and to_server is (armed.fault != "lose reply"):
                    if len(data) <= armed.after_bytes:
                        armed.after_bytes -= len(data)
                    else:
                        self._armed = None
                        self.done[armed.fault] += 1
                        await self._break(armed, data, reader, writer, back)
                        return
                writer.write(data)
                await writer.drain()

    async def _break(
        self,
        armed: _Armed,
        data: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        back: asyncio.StreamWriter,
    ) -> None:
        first, rest = data[: armed.after_bytes], data[armed.after_bytes :]
        writer.write(first)
        await writer.drain()
        if armed.fault == "lose reply":
            # The client reads what came before the end.
            writer.close()
            return
        if armed.fault == "swallow":
            while await reader.read(_CHUNK):
                pass
        elif armed.fault == "hold":
            self.held.append(rest)
            self._release.clear()
            back.transport.abort()
            await self._release.wait()
            self.held.remove(rest)
            if not writer.transport.is_closing():
                writer.write(rest)
                await writer.drain()
                self.late += len(rest)
                # The server has time to take it in before the connection ends.
                writer.close()
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def proxied(
    upstream: Path, chance: random.Random, *, delay_s: float = 0.0
) -> AsyncIterator[Proxy]:
    """Run a proxy on a socket beside the server's."""
    proxy = Proxy(upstream, upstream.with_suffix(".proxy"), chance, delay_s)
    server = await asyncio.start_unix_server(proxy.connected, str(proxy.socket))
    try:
        yield proxy
    finally:
        server.close()
        proxy.strike("cut")
        for _ in range(100):
            proxy.release()
            if proxy._tasks:
                await asyncio.wait(proxy._tasks, timeout=0.01)
        await server.wait_closed()
        proxy.socket.unlink(missing_ok=True)
