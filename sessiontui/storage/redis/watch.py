"""Learns of what other clients change, by the best way that the server allows.

| tier | how | needs |
| --- | --- | --- |
| tracking | the server names changed keys (`CLIENT TRACKING … BCAST`) | `client`, `subscribe` |
| keyspace | keyspace events, where they are switched on already | `config get`, `psubscribe` |
| polling | the times of all sessions and the sizes of those in view | nothing more |

The first two use a connection of their own that only listens. Whenever it was
subscribed anew, something may have been missed: then `Rescan` is told, as about
once a minute in any case. `meta` is not listened to, for agents touch it with every line.
What nobody has taken yet is bounded, whatever happens meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import random
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError, ResponseError

from sessiontui.errors import StorageError
from sessiontui.storage.backend import Dirty, FeedState, Rescan, WatchEvent, cause_of
from sessiontui.storage.redis.connection import close, open_connection, read_reply
from sessiontui.storage.redis.errors import connection_error, reply_error
from sessiontui.storage.redis.keys import decode_name, prefix_pattern
from sessiontui.storage.redis.poll import HashDigest, Poller
from sessiontui.storage.tasks import end_task

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from types import TracebackType

    from sessiontui.storage.redis.connection import Command, RedisConnection
    from sessiontui.storage.redis.keys import RedisKeys
    from sessiontui.storage.redis.settings import RedisSettings

MOST_DIRTY: Final = 20_000
"""More changed sessions than this are told as a `Rescan`."""


class WatchEvents(AsyncIterator[WatchEvent]):
    """The signals of one task, which runs while this is entered.

    Holds at most one state, one rescan and `MOST_DIRTY` paths: what is told before
    it is taken is joined with what was told. An error that ends the task is raised
    to whoever takes the signals.
    """

    def __init__(self) -> None:
        self._state: FeedState | None = None
        self._rescan: Rescan | None = None
        self._dirty: set[str] = set()
        self._news = asyncio.Event()
        self._entered = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def _run(self) -> None:
        """Tell what happens, until it is cancelled."""

    async def __aenter__(self) -> Self:
        """Run, and wait for the first state: from then on nothing is missed."""
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._ended)
        try:
            await self._entered.wait()
        except asyncio.CancelledError:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Run no longer."""
        await self._stop()

    async def _stop(self) -> None:
        if self._task is not None:
            await end_task(self._task)

    def _ended(self, _: asyncio.Task[None]) -> None:
        """Let nobody wait for what does not run any more."""
        self._entered.set()
        self._news.set()

    def __aiter__(self) -> Self:
        """Return the watch itself."""
        return self

    async def __anext__(self) -> WatchEvent:
        """Return what comes next: a state before a rescan before changed sessions."""
        while True:
            if self._state is not None:
                state, self._state = self._state, None
                return state
            if self._rescan is not None:
                rescan, self._rescan = self._rescan, None
                return rescan
            if self._dirty:
                dirty, self._dirty = self._dirty, set()
                return Dirty(frozenset(dirty))
            if self._task is None or self._task.done():
                if self._task is not None and not self._task.cancelled():
                    self._task.result()
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()

    def _tell_state(self, state: FeedState) -> None:
        self._state = state
        self._entered.set()
        self._news.set()

    def _tell_rescan(self, reason: str, *, moved: bool = False) -> None:
        """Tell that something may have been missed, and whether another server answers now."""
        moved = moved or (self._rescan is not None and self._rescan.moved)
        self._rescan = Rescan(reason, moved)
        self._news.set()

    def _tell_dirty(self, paths: Iterable[str]) -> None:
        self._dirty.update(paths)
        if len(self._dirty) > MOST_DIRTY:
            self._dirty.clear()
            self._tell_rescan("very many sessions changed at once")
        elif self._dirty:
            self._news.set()


_LOG = logging.getLogger(__name__)
_INVALIDATED = b"__redis__:invalidate"
_NAME = b"sessiontui-feed"

Tier = Literal["tracking", "keyspace", "polling"]
_Subscribe = Callable[[AbstractConnection], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class WatchTiming:
    """How often and how long; seconds."""

    ping: float = 5.0
    """Silence after which the server is asked whether it is there."""
    pong: float = 2.0
    """Longest time until it says so."""
    check: float = 60.0
    """Between two regular rescans."""
    poll: float = 0.5
    """Shortest time between two looks, where changes are polled."""
    first_retry: float = 0.05
    longest_retry: float = 2.0


DEFAULT_TIMING = WatchTiming()


class _NotAllowedError(Exception):
    """This tier cannot be had; the text says why."""


class RedisWatch(WatchEvents):
    """One subscription; see `Backend.watch`."""

    def __init__(
        self,
        settings: RedisSettings,
        reads: RedisConnection,
        keys: RedisKeys,
        visible: Callable[[], Collection[str]],
        pace: WatchTiming = DEFAULT_TIMING,
    ) -> None:
        """Prepare a subscription; entering it subscribes.

        Args:
            settings: How to reach the server.
            reads: Where hashes and sizes are read.
            keys: Names of the keys.
            visible: Names the sessions in view, when asked.
            pace: How often and how long.
        """
        super().__init__()
        self._settings = settings
        self._reads = reads
        self._keys = keys
        self._visible = visible
        self._pace = pace
        self._tier: Tier = "tracking"
        self._armed = False
        self._place: tuple[str, int] | None = None

    def _arm(self, tier: Tier, *, moved: bool = False) -> None:
        """Tell that from now on nothing is missed, and whether another server answers now."""
        self._tier = tier
        self._armed = True
        self._tell_rescan("connected", moved=moved)
        self._tell_state(FeedState(tier, live=True))

    async def _run(self) -> None:
        delay = self._pace.first_retry
        while True:
            self._armed = False
            try:
                await self._follow_best()
            except StorageError as error:
                problem: StorageError = error
            except (RedisError, OSError, TimeoutError) as error:
                problem = connection_error(error, self._settings.where)
            if self._armed:
                delay = self._pace.first_retry
            wait = delay * random.uniform(0.5, 1.0)
            self._tell_state(
                FeedState(
                    self._tier,
                    live=False,
                    error=str(problem),
                    retry_s=wait,
                    cause=cause_of(problem),
                )
            )
            await asyncio.sleep(wait)
            delay = min(delay * 2, self._pace.longest_retry)

    async def _follow_best(self) -> None:
        """Follow until the connection breaks, which raises."""
        ways: tuple[tuple[Tier, _Subscribe], ...] = (
            ("tracking", self._track),
            ("keyspace", self._subscribe_events),
        )
        for tier, subscribe in ways:
            try:
                await self._listen(tier, subscribe)
            except _NotAllowedError as reason:
                _LOG.info("no feed by %s: %s", tier, reason)
        self._tier = "polling"
        await Poller(self._reads, self._keys, self._visible).run(
            arm=lambda: self._arm("polling"),
            tell=self._tell_dirty,
            check=lambda: self._tell_rescan("regular check"),
            poll_s=self._pace.poll,
            check_s=self._pace.check,
        )

    async def _listen(self, tier: Tier, subscribe: _Subscribe) -> None:
        connection = await open_connection(self._settings, name=_NAME)
        place = (getattr(connection, "host", ""), getattr(connection, "port", 0))
        titles = _Titles(self._reads, self._keys.title, self._tell_dirty, self._tell_rescan)
        try:
            async with asyncio.timeout(self._settings.patience_s):
                await subscribe(connection)
            self._arm(tier, moved=self._place not in (None, place))
            self._place = place
            titles.start()
            await self._read_pushes(connection, titles)
        finally:
            try:
                await titles.stop()
            finally:
                await close(connection)

    async def _track(self, connection: AbstractConnection) -> None:
        client_id = await _ask(connection, (b"CLIENT", b"ID"))
        await _ask(
            connection,
            (
                *(b"CLIENT", b"TRACKING", b"ON", b"REDIRECT", b"%d" % client_id, b"BCAST"),
                *(b"PREFIX", self._keys.files, b"PREFIX", self._keys.title),
            ),
        )
        await _ask(connection, (b"SUBSCRIBE", _INVALIDATED))

    async def _subscribe_events(self, connection: AbstractConnection) -> None:
        setting = await _ask(connection, (b"CONFIG", b"GET", b"notify-keyspace-events"))
        flags = set(setting[1].decode()) if len(setting) == 2 else set()
        if "K" not in flags or not ("A" in flags or flags >= set("$gh")):
            raise _NotAllowedError("the server sends no keyspace events")
        await _ask(connection, (b"SUBSCRIBE", self._channel + self._keys.title))
        await _ask(connection, (b"PSUBSCRIBE", self._channel + prefix_pattern(self._keys.files)))

    @property
    def _channel(self) -> bytes:
        """Start of the names of the channels of keyspace events."""
        return b"__keyspace@%d__:" % self._settings.db

    async def _read_pushes(self, connection: AbstractConnection, titles: _Titles) -> None:
        loop = asyncio.get_running_loop()
        check_at = loop.time() + self._pace.check
        asked = False
        while True:
            if loop.time() >= check_at:
                self._tell_rescan("regular check")
                check_at = loop.time() + self._pace.check
            message = await connection.read_response(
                timeout=self._pace.pong if asked else self._pace.ping
            )
            if message is None and asked:
                raise TimeoutError
            if message is None:
                await connection.send_command("PING", check_health=False)
            asked = message is None
            for key in self._changed_keys(message):
                if key == self._keys.title:
                    titles.changed()
                elif key.startswith(self._keys.files):
                    self._tell_dirty([self._keys.path(key)])

    def _changed_keys(self, message: Any) -> Iterable[bytes]:
        """Return the keys that a push names; tells a flush by itself."""
        match message:
            case [b"message", channel, None] if channel == _INVALIDATED:
                self._tell_rescan("the database was emptied")
            case [b"message", channel, [*keys]] if channel == _INVALIDATED:
                return keys
            case [b"message", channel, _] | [b"pmessage", _, channel, _]:
                return [channel[len(self._channel) :]]
        return ()


class _Titles:
    """Tells which titles changed, once it is known that some did.

    The server names the hash, not the field: so the hash is read and compared
    with what it was, at most 5% of the time.
    """

    def __init__(
        self,
        reads: RedisConnection,
        key: bytes,
        tell: Callable[[Iterable[str]], None],
        rescan: Callable[[str], None],
    ) -> None:
        self._digest = HashDigest(reads, key)
        self._tell = tell
        self._rescan = rescan
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def changed(self) -> None:
        """Take note that some title changed."""
        self._news.set()

    def start(self) -> None:
        """Begin to read; what changes before the first reading is over is told as a rescan."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Read no more."""
        if self._task is not None:
            await end_task(self._task)

    async def _run(self) -> None:
        failed = False
        while True:
            try:
                known = self._digest.known
                changed = await self._digest.update()
                if known:
                    self._tell(map(decode_name, changed))
                elif failed or self._news.is_set():
                    self._rescan("titles changed")
                failed = False
            except StorageError as error:
                # The feed finds out by itself whether the server is gone.
                self._digest.forget()
                failed = True
                self._rescan(f"the titles could not be read: {error}")
            await asyncio.sleep(self._digest.rest_s)
            await self._news.wait()
            self._news.clear()


async def _ask(connection: AbstractConnection, command: Command) -> Any:
    """Send one command and return its reply.

    Raises:
        _NotAllowedError: The server refuses it.
    """
    await connection.send_command(*command, check_health=False)
    reply = await read_reply(connection)
    if isinstance(reply, ResponseError):
        raise _NotAllowedError(str(reply_error(reply)))
    return reply
