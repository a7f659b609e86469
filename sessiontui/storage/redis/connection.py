"""One connection to Redis that many callers share, and fencing off one that broke.

What callers ask while an exchange is under way goes out together in the next
one, so a hundred sessions appended to at once cost a few round trips, over one
connection, and in the order they were asked. Nothing is decoded: replies are
bytes, integers, lists, None, or an error that redis-py made of an error reply.

Bytes of a write whose connection broke may still lie in a buffer on the way, at a proxy or
in the server, and would run when the server gets to them: after we looked, and wrote again.
Ending the connection by its id at the server rules that out. Where this user may not
do that, a fence key is written that every script of ours looks for first.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import secrets
from collections import deque
from dataclasses import dataclass
from hashlib import sha1
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoScriptError, ReadOnlyError, RedisError, ResponseError

from sessiontui.errors import AccessError, BackendDownError, OutcomeUnknownError, StorageError
from sessiontui.storage.redis.errors import connection_error, reply_error
from sessiontui.storage.redis.keys import UntaggedClusterKeys
from sessiontui.storage.tasks import end_task

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from redis.asyncio.connection import AbstractConnection

    from sessiontui.storage.redis.keys import RedisKeys
    from sessiontui.storage.redis.settings import RedisSettings

_SLOWEST_BYTES_S = 500_000
"""Bytes sent add to the time that an exchange may take, at this pace."""
_IDLE_S = 1.0
"""After this long without an exchange a connection is tried with a PING before it is used."""
_BATCH_COMMANDS = 256
_BATCH_BYTES = 4_000_000
_NAME = b"sessiontui"
_NOBODY = b"%d" % (2**63 - 1)
"""A client id that no connection has."""
_RUN_ID = re.compile(rb"^run_id:([0-9a-f]+)", re.MULTILINE)

Command = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ConnectionIdentity:
    """The identity of a connection at the server, as far as it tells."""

    client_id: int | None
    run_id: bytes | None
    """Changes when the server restarts; client ids begin anew then."""
    may_kill: bool
    """Whether this user may end connections by their id."""

    @property
    def can_be_cut(self) -> bool:
        """Whether the connection can be ended from another one, and no other by mistake."""
        return self.may_kill and self.client_id is not None and self.run_id is not None


def pack_command(command: Command) -> bytes:
    """Return a command as RESP bytes."""
    parts = [b"$%d\r\n%b\r\n" % (len(part), part) for part in command]
    return b"*%d\r\n%b" % (len(parts), b"".join(parts))


async def open_connection(settings: RedisSettings, *, name: bytes = _NAME) -> AbstractConnection:
    """Connect and log in; the caller disconnects.

    Raises:
        BackendDownError: The server cannot be reached or is not ready.
        AccessError: It does not let us in.
    """
    connection = settings.connection_class(**{**settings.arguments, **await settings.place()})
    opened = False
    try:
        async with asyncio.timeout(settings.patience_s):
            connect: Callable[[], Awaitable[None]] = connection.connect
            await connect()
            # For people who look at CLIENT LIST; not everyone may set it.
            [named] = await send_commands(connection, [(b"CLIENT", b"SETNAME", name)])
            if isinstance(named, ResponseError) and str(named).startswith("DENIED"):
                raise reply_error(named)  # Protected mode: it hangs up now.
            if settings.sentinels is not None:
                await _must_be_primary(connection)
        opened = True
    except (RedisError, OSError, TimeoutError) as error:
        raise connection_error(error, settings.where, hint=settings.tls_hint(error)) from error
    finally:
        if not opened:
            await connection.disconnect(nowait=True)
    return connection


async def _must_be_primary(connection: AbstractConnection) -> None:
    """See that a server that sentinels named is what they say: they may be late.

    Raises:
        BackendDownError: It is not.
    """
    [hello] = await send_commands(connection, [(b"HELLO",)])
    if role_of(hello) not in (None, b"master"):
        raise BackendDownError("another server is becoming the primary")


def role_of(hello: Any) -> bytes | None:
    """Return what a server says it is in its answer to `HELLO`; None if it does not say."""
    if isinstance(hello, RedisError):
        return None
    role = dict(zip(hello[::2], hello[1::2], strict=True)).get(b"role")
    return role if isinstance(role, bytes) else None


async def send_commands(connection: AbstractConnection, commands: Sequence[Command]) -> list[Any]:
    """Send commands in one go and return their replies; error replies come as exceptions.

    Raises:
        RedisError: The connection broke; also of OSError and TimeoutError.
    """
    await connection.send_packed_command(map(pack_command, commands), check_health=False)
    return [await read_reply(connection) for _ in commands]


async def read_reply(connection: AbstractConnection) -> Any:
    """Return the next reply; an error reply comes as an exception object."""
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error


async def identify(connection: AbstractConnection) -> ConnectionIdentity:
    """Ask the server what it knows the connection by."""
    client_id, killed, info = await send_commands(
        connection,
        [(b"CLIENT", b"ID"), (b"CLIENT", b"KILL", b"ID", _NOBODY), (b"INFO", b"server")],
    )
    run_id = _RUN_ID.search(info) if isinstance(info, bytes) else None
    return ConnectionIdentity(
        client_id if isinstance(client_id, int) else None,
        run_id.group(1) if run_id else None,
        may_kill=isinstance(killed, int),
    )


class Script:
    """A Lua script, sent by its hash where the server knows it."""

    def __init__(self, text: str, *, apart: Script | None = None) -> None:
        self.apart = apart
        """The same where the two hashes are elsewhere."""
        self.text = text.encode()
        self.digest = sha1(self.text, usedforsecurity=False).hexdigest().encode()


class _Request:
    """The commands of one caller, which stay together and in order."""

    def __init__(self, commands: Iterable[Command]) -> None:
        parts = [pack_command(command) for command in commands]
        self.count = len(parts)
        self.data = b"".join(parts)
        self.result: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self.retried = False

    def fail(self, error: StorageError) -> None:
        if not self.result.done():
            self.result.set_exception(error)


class RedisConnection:
    """A shared connection; opened when first used, again after it broke.

    The queue is as long as there are callers waiting: each waits for its answer.
    """

    def __init__(self, settings: RedisSettings, *, changes: bool) -> None:
        """Prepare a link; nothing is opened yet.

        Args:
            settings: Where to connect to.
            changes: Whether what is asked changes something. Then nothing is ever sent
                twice, and `lost` keeps the connections that broke with work in them.
        """
        self.token = secrets.token_hex(8)
        """Goes along with every script; a fence may be raised against it."""
        self.lost: list[ConnectionIdentity] = []
        """Connections that broke with changes under way; at most one a break."""
        self._settings = settings
        self._changes = changes
        self._jobs: deque[_Request] = deque()
        self._serving: asyncio.Task[None] | None = None
        self._connection: AbstractConnection | None = None
        self._identity = ConnectionIdentity(None, None, may_kill=False)
        self._used_s = 0.0
        self._stale = False
        self._closed = False

    @property
    def settings(self) -> RedisSettings:
        """Where it connects to."""
        return self._settings

    async def nodes(self) -> list[RedisConnection]:
        """Return a link to each server that holds some of the keys: itself."""
        return [self]

    async def parts(self) -> list[RedisConnection]:
        """Return the links that may have lost something: itself."""
        return [self]

    async def ask(
        self,
        commands: Iterable[Command],
        *,
        at: RedisConnection | None = None,  # noqa: ARG002
    ) -> list[Any]:
        """Return the replies to commands that are sent next to each other.

        Args:
            commands: What to send.
            at: Who is to be asked what has no key, one of `nodes`.

        Raises:
            BackendDownError: The server cannot be reached; nothing ran.
            OutcomeUnknownError: The connection of a link for changes broke meanwhile.
            AccessError: The server does not let us in.
        """
        if self._closed:
            raise BackendDownError(f"the connection to {self._settings.where} was closed")
        job = _Request(commands)
        if not job.count:
            return []
        self._jobs.append(job)
        if self._serving is None:
            self._serving = asyncio.get_running_loop().create_task(self._serve())
        return await job.result

    async def run(
        self, script: Script, keys: Sequence[bytes], arguments: Sequence[bytes]
    ) -> list[Any]:
        """Run a script and return its reply, a list.

        Raises:
            StorageError: As for `ask`, or what the server's refusal means.
        """
        rest = (b"%d" % len(keys), *keys, *arguments)
        [reply] = await self.ask([(b"EVALSHA", script.digest, *rest)])
        if isinstance(reply, NoScriptError):
            [reply] = await self.ask([(b"EVAL", script.text, *rest)])
        if self._settings.sentinels is not None and _is_demoted(reply):
            self._stale = True
            raise BackendDownError("the server is no longer the primary")
        if isinstance(reply, RedisError):
            raise reply_error(reply)
        if not isinstance(reply, list):
            raise StorageError("the server answered a script with something else")
        return reply

    async def aclose(self) -> None:
        """Close the connection; what still waits for an answer fails."""
        self._closed = True
        try:
            if self._serving is not None:
                await end_task(self._serving)
        finally:
            self._fail_waiting(self._jobs)  # Where serving had not begun yet.
            connection, self._connection = self._connection, None
            if connection is not None:
                await close(connection)

    async def _serve(self) -> None:
        batch: list[_Request] = []
        try:
            while self._jobs:
                batch = self._next_batch()
                await self._exchange(batch)
        finally:
            self._serving = None
            self._fail_waiting(batch)
            self._fail_waiting(self._jobs)

    @staticmethod
    def _fail_waiting(jobs: deque[_Request] | list[_Request]) -> None:
        for job in jobs:
            job.fail(OutcomeUnknownError("the connection was closed meanwhile"))
        jobs.clear()

    def _next_batch(self) -> list[_Request]:
        batch: list[_Request] = []
        commands = size = 0
        while self._jobs and (not batch or (commands < _BATCH_COMMANDS and size < _BATCH_BYTES)):
            job = self._jobs.popleft()
            batch.append(job)
            commands += job.count
            size += len(job.data)
        return batch

    async def _exchange(self, batch: list[_Request]) -> None:
        try:
            connection = await self._connected()
        except StorageError as error:
            for job in (*batch, *self._jobs):
                job.fail(error)
            self._jobs.clear()
            return
        loop = asyncio.get_running_loop()
        sent = b"".join(job.data for job in batch)
        try:
            async with asyncio.timeout(
                self._settings.patience_s + len(sent) / _SLOWEST_BYTES_S
            ) as limit:
                await connection.send_packed_command(sent, check_health=False)
                for job in batch:
                    replies = [await read_reply(connection) for _ in range(job.count)]
                    if not job.result.done():
                        job.result.set_result(replies)
                    limit.reschedule(loop.time() + self._settings.patience_s)
            self._used_s = loop.time()
        except (RedisError, OSError, TimeoutError) as error:
            await self._broken(connection, batch, error)
        except asyncio.CancelledError:
            await self._broken(connection, batch, ConnectionAbortedError())
            raise

    async def _broken(
        self, connection: AbstractConnection, batch: list[_Request], error: Exception
    ) -> None:
        self._connection = None
        open_jobs = [job for job in batch if not job.result.done()]
        if self._changes and open_jobs:
            self.lost.append(self._identity)
        await connection.disconnect(nowait=True)
        reason = connection_error(error, self._settings.where)
        for job in reversed(open_jobs):
            if self._changes:
                job.fail(OutcomeUnknownError(f"the connection broke in a write: {reason}"))
            elif job.retried or isinstance(error, TimeoutError) or self._closed:
                job.fail(reason)
            else:
                job.retried = True
                self._jobs.appendleft(job)

    async def _connected(self) -> AbstractConnection:
        """Return a connection that answered within the last second, a new one if need be."""
        loop = asyncio.get_running_loop()
        connection = self._connection
        if self._stale and connection is not None:
            self._connection = None
            await connection.disconnect(nowait=True)
            connection = None
        self._stale = False
        if connection is not None and loop.time() - self._used_s > _IDLE_S:
            try:
                async with asyncio.timeout(self._settings.patience_s):
                    await send_commands(connection, [(b"PING",)])
            except (RedisError, OSError, TimeoutError):
                self._connection = None
                await connection.disconnect(nowait=True)
                connection = None
        if connection is not None:
            return connection
        connection = await open_connection(self._settings)
        self._connection = connection
        if self._changes:
            try:
                async with asyncio.timeout(self._settings.patience_s):
                    self._identity = await identify(connection)
            except (RedisError, OSError, TimeoutError) as error:
                self._connection = None
                await connection.disconnect(nowait=True)
                raise connection_error(error, self._settings.where) from error
        return connection


def _is_demoted(reply: Any) -> bool:
    """Tell whether a script was refused since the server has become a replica."""
    if isinstance(reply, ReadOnlyError):
        return True
    refused = isinstance(reply, list) and reply[0] == b"refused"
    return refused and b"READONLY" in reply[-1]


async def close(connection: AbstractConnection) -> None:
    """Close a connection in good order, whatever state it is in."""
    with contextlib.suppress(RedisError, OSError, TimeoutError):
        await connection.disconnect()


_LOG = logging.getLogger(__name__)
_FENCE_LIFE_MS = 86_400_000
"""How long a fence key stands: no buffer on the way holds bytes for a day."""


async def fence_writes(writes: RedisConnection, keys: RedisKeys) -> None:
    """Fence off writes: return once nothing sent over broken connections can run.

    Raises:
        BackendDownError: The server cannot be reached, so it cannot be told.
        AccessError: Neither way is allowed.
    """
    for link in await writes.parts():
        if link.lost:
            await _fence_off(link, writes, keys)


async def _fence_off(link: RedisConnection, writes: RedisConnection, keys: RedisKeys) -> None:
    settings, lost = link.settings, list(link.lost)
    connection = await open_connection(settings)
    try:
        async with asyncio.timeout(settings.patience_s):
            here = await identify(connection)
            uncut = False
            for identity in lost:
                if identity.run_id != here.run_id and identity.run_id and here.run_id:
                    continue  # That server is no more, and what it held is gone with it.
                if not (identity.can_be_cut and here.may_kill):
                    uncut = True
                    continue
                end = (b"CLIENT", b"KILL", b"ID", b"%d" % (identity.client_id or 0))
                [killed] = await send_commands(connection, [end])
                if isinstance(killed, RedisError):
                    raise reply_error(killed)
            if uncut and isinstance(keys, UntaggedClusterKeys):
                raise AccessError("this Redis user lacks a right: +client|kill")
            if uncut:
                token, writes.token = writes.token, secrets.token_hex(8)
                _LOG.info("may not end connections by id: a fence key stands for a day instead")
                fence = (b"SET", keys.fence(token, ""), b"1", b"PX", b"%d" % _FENCE_LIFE_MS)
                [put] = await send_commands(connection, [fence])
                if isinstance(put, RedisError):
                    raise reply_error(put)
    except (RedisError, OSError, TimeoutError) as error:
        raise connection_error(error, settings.where) from error
    finally:
        await close(connection)
    link.lost = [identity for identity in link.lost if identity not in lost]
