"""A connection to a cluster: each command goes to the primary that holds its key.

A primary that does not hold a key says who does (`MOVED`), or, while a slot is on
its way, who may already (`ASK`). Neither ran anything, so what was refused is sent
there. What has no key goes to any primary, or to the one that was named. Changes are
learned of at every primary, also of those that come later.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from redis.exceptions import AskError, MovedError, RedisError, TryAgainError

from sessiontui.errors import BackendDownError, OutcomeUnknownError, StorageError
from sessiontui.storage.backend import FeedState, Rescan, cause_of
from sessiontui.storage.redis.connection import (
    RedisConnection,
    close,
    open_connection,
    send_commands,
)
from sessiontui.storage.redis.errors import connection_error, reply_error
from sessiontui.storage.redis.keys import SLOTS, slot_of
from sessiontui.storage.redis.watch import DEFAULT_TIMING, RedisWatch, WatchEvents, WatchTiming

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from sessiontui.storage.redis.connection import Command
    from sessiontui.storage.redis.keys import RedisKeys
    from sessiontui.storage.redis.settings import RedisSettings

Address = tuple[str, int]

_KEYLESS = frozenset({b"SCAN", b"PING", b"HELLO", b"INFO"})
_MOST_TURNS = 16
"""How often what was refused is sent on, before that counts as failed."""


class ClusterMap:
    """Which primary holds which slot, as far as is known; shared by the links of a backend."""

    def __init__(self, settings: RedisSettings) -> None:
        """Prepare; nothing is asked yet.

        Args:
            settings: How to reach the nodes; those named by the user are in `nodes`.
        """
        self._settings = settings
        self._known: list[Address] = list(settings.nodes)
        self._slots: list[Address | None] = []
        self._listeners: list[Callable[[], None]] = []
        self._asking = asyncio.Lock()
        self.stale = True
        """Whether to ask again before the next use."""

    def of(self, address: Address) -> RedisSettings:
        """Return how to reach one node."""
        host, port = address
        place = f"[{host}]" if ":" in host else host
        return replace(
            self._settings,
            arguments={**self._settings.arguments, "host": host, "port": port},
            where=f"{self._settings.where.partition('+')[0]}://{place}:{port}",
            nodes=(),
        )

    async def current(self) -> Sequence[Address | None]:
        """Return the primary of each slot; None where a slot has none.

        Raises:
            StorageError: No node can be asked.
        """
        if self.stale:
            async with self._asking:
                if self.stale:
                    await self._ask()
        return self._slots

    async def primaries(self) -> list[Address]:
        """Return every primary that holds a slot; raises as `current`."""
        return sorted({address for address in await self.current() if address is not None})

    def learn(self, slot: int, address: Address) -> None:
        """Take in where a slot is, as a node told; the others may have moved too."""
        if self._slots and self._slots[slot] != address:
            self._slots[slot] = address
            self._changed()
        self.stale = True

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` whenever the map is another one; return what ends that."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def _changed(self) -> None:
        for callback in tuple(self._listeners):
            callback()

    async def _ask(self) -> None:
        problem: StorageError | None = None
        for address in tuple(self._known):
            try:
                found = await self._ask_one(address)
            except StorageError as error:
                problem = problem or error
                continue
            primaries = sorted({one for one in found if one is not None})
            self._known = list(dict.fromkeys([*primaries, *self._settings.nodes]))
            self.stale = False
            if found != self._slots:
                self._slots = found
                self._changed()
            return
        raise problem or BackendDownError("no node of the cluster is known")

    async def _ask_one(self, address: Address) -> list[Address | None]:
        settings = self.of(address)
        connection = await open_connection(settings)
        try:
            async with asyncio.timeout(settings.patience_s):
                [reply] = await send_commands(connection, [(b"CLUSTER", b"SLOTS")])
        except (RedisError, OSError, TimeoutError) as error:
            raise connection_error(error, settings.where) from error
        finally:
            await close(connection)
        if isinstance(reply, RedisError):
            raise reply_error(reply)
        slots: list[Address | None] = [None] * SLOTS
        for first, last, (host, port, *_), *_ in reply:
            # A node that does not know its own address is where it was asked.
            slots[first : last + 1] = [(_text(host) or address[0], port)] * (last + 1 - first)
        return slots


def _text(host: bytes | None) -> str:
    return "" if host in (None, b"?") else (host or b"").decode()


class _CommandUnit:
    """Commands that go to one node together: a single one, or a transaction."""

    def __init__(self, first: int, commands: list[Command]) -> None:
        self.first = first
        self.commands = commands
        self.asked: Address | None = None
        """Where to ask this once, while the slot is on its way there."""
        keys = filter(None, map(_key_of, commands))
        self.slot = next(map(slot_of, keys), None)

    @property
    def is_transaction(self) -> bool:
        return len(self.commands) > 1

    def sent(self) -> list[Command]:
        return self.commands if self.asked is None else [(b"ASKING",), *self.commands]


def _key_of(command: Command) -> bytes | None:
    name = command[0]
    if name in (b"EVALSHA", b"EVAL"):
        return command[3] if command[2] != b"0" else None
    return None if name in _KEYLESS or len(command) < 2 else command[1]


def _units(commands: Sequence[Command]) -> list[_CommandUnit]:
    units: list[_CommandUnit] = []
    at = 0
    while at < len(commands):
        end = at + 1
        if commands[at][0] == b"MULTI":
            end = next(n for n in range(at, len(commands)) if commands[n][0] == b"EXEC") + 1
        units.append(_CommandUnit(at, list(commands[at:end])))
        at = end
    return units


class ClusterConnection(RedisConnection):
    """Shared connections to the primaries of a cluster, one to each."""

    def __init__(self, settings: RedisSettings, cluster: ClusterMap, *, changes: bool) -> None:
        """Prepare a link; nothing is opened yet.

        Args:
            settings: How to reach the nodes.
            cluster: Which primary holds which slot.
            changes: As for `RedisConnection`.
        """
        super().__init__(settings, changes=changes)
        self.cluster = cluster
        self.owed: dict[tuple[bytes, bytes], bytes | None] = {}
        """Fields of hashes that are still to follow what became of a session; None: to go."""
        self._links: dict[Address, RedisConnection] = {}

    async def nodes(self) -> list[RedisConnection]:
        """Return a link to each primary."""
        return [self._link(address) for address in await self.cluster.primaries()]

    async def parts(self) -> list[RedisConnection]:
        """Return the links that may have lost something; those to former primaries have not.

        What a server still does that is none any more is thrown away when it follows another.
        """
        if any(link.lost for link in self._links.values()):
            self.cluster.stale = True
            primaries = set(await self.cluster.primaries())
            for address, link in self._links.items():
                if address not in primaries:
                    link.lost.clear()
        return list(self._links.values())

    async def ask(
        self, commands: Iterable[Command], *, at: RedisConnection | None = None
    ) -> list[Any]:
        """Return the replies to commands; those to one node are sent next to each other.

        Raises:
            BackendDownError: A node cannot be reached; what it was to do did not run.
            OutcomeUnknownError: A connection of a link for changes broke meanwhile.
            AccessError: A node does not let us in.
        """
        units = _units(list(commands))
        replies: list[Any] = [None] * sum(len(unit.commands) for unit in units)
        for _ in range(_MOST_TURNS):
            units = await self._turn(units, replies, at)
            if not units:
                return replies
        raise BackendDownError("the cluster is being rearranged")

    async def _turn(
        self, units: list[_CommandUnit], replies: list[Any], at: RedisConnection | None
    ) -> list[_CommandUnit]:
        """Send units to their nodes and take in the replies; return those to be sent again."""
        slots = await self.cluster.current()
        groups: dict[RedisConnection, list[_CommandUnit]] = {}
        for unit in units:
            groups.setdefault(self._where(unit, slots, at), []).append(unit)
        answers = await asyncio.gather(
            *(
                link.ask([command for unit in group for command in unit.sent()])
                for link, group in groups.items()
            ),
            return_exceptions=True,
        )
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        if failures:
            self.cluster.stale = True
            unknown = (one for one in failures if isinstance(one, OutcomeUnknownError))
            raise next(unknown, failures[0])
        again: list[_CommandUnit] = []
        for group, answer in zip(groups.values(), answers, strict=True):
            told = list(answer if isinstance(answer, list) else ())
            for unit in group:
                own, told = told[: len(unit.sent())], told[len(unit.sent()) :]
                if unit.asked is not None:
                    own = own[1:]
                if await self._is_refused(unit, own):
                    again.append(unit)
                else:
                    replies[unit.first : unit.first + len(own)] = own
        return again

    def _where(
        self, unit: _CommandUnit, slots: Sequence[Address | None], at: RedisConnection | None
    ) -> RedisConnection:
        if unit.asked is not None:
            return self._link(unit.asked)
        if unit.slot is None:
            address = next(filter(None, slots), None)
            if at is not None:
                return at
        else:
            address = slots[unit.slot]
        if address is None:
            self.cluster.stale = True
            raise BackendDownError("the cluster is down: nobody holds these sessions")
        return self._link(address)

    async def _is_refused(self, unit: _CommandUnit, replies: list[Any]) -> bool:
        """Tell whether a unit has to be sent again, and take note of where."""
        unit.asked = None
        for reply in replies:
            if isinstance(reply, MovedError):
                self.cluster.learn(reply.slot_id, (reply.host, reply.port))
                return True
            if isinstance(reply, AskError):
                if not unit.is_transaction:
                    unit.asked = (reply.host, reply.port)
                    return True
                break
            if isinstance(reply, TryAgainError) and unit.is_transaction:
                break
        else:
            return False
        # A transaction over keys of which some are here and some there already cannot be had.
        inner = await self.ask(unit.commands[1:-1])
        replies[:] = [b"OK", *[b"QUEUED"] * len(inner), inner]
        return False

    def _link(self, address: Address) -> RedisConnection:
        link = self._links.get(address)
        if link is None:
            link = self._links[address] = RedisConnection(
                self.cluster.of(address), changes=self._changes
            )
        return link

    async def aclose(self) -> None:
        """Close every connection; what still waits for an answer fails."""
        self._closed = True
        for link in self._links.values():
            await link.aclose()


def open_links(settings: RedisSettings) -> tuple[RedisConnection, RedisConnection]:
    """Return a link for reads and one for changes, to a server or to a cluster."""
    if not settings.nodes:
        return RedisConnection(settings, changes=False), RedisConnection(settings, changes=True)
    cluster = ClusterMap(settings)
    return (
        ClusterConnection(settings, cluster, changes=False),
        ClusterConnection(settings, cluster, changes=True),
    )


_LOOK_S = 5.0
"""How often the cluster is asked who its primaries are, where nobody said that they changed."""
_WORST = ("none", "polling", "keyspace", "tracking")


class ClusterWatch(WatchEvents):
    """One subscription at each primary, told as one; see `Backend.watch`."""

    def __init__(
        self,
        reads: ClusterConnection,
        keys: RedisKeys,
        visible: Callable[[], Collection[str]],
        pace: WatchTiming = DEFAULT_TIMING,
    ) -> None:
        """Prepare; entering it subscribes.

        Args:
            reads: Where hashes and sizes are read, and who knows the primaries.
            keys: Names of the keys.
            visible: Names the sessions in view, when asked.
            pace: How often and how long.
        """
        super().__init__()
        self._reads = reads
        self._keys = keys
        self._visible = visible
        self._pace = pace
        self._tasks: dict[Address, asyncio.Task[None]] = {}
        self._states: dict[Address, FeedState] = {}
        self._told: FeedState | None = None
        self._other = asyncio.Event()
        self._known: set[Address] = set()

    async def _run(self) -> None:
        cluster = self._reads.cluster
        remove = cluster.listen(self._other.set)
        try:
            while True:
                self._other.clear()
                for task in self._tasks.values():
                    if task.done():
                        task.result()  # It never ends by itself: this raises.
                try:
                    primaries = await cluster.primaries()
                except StorageError as error:
                    cause = cause_of(error)
                    self._tell_once(
                        FeedState(
                            "none", live=False, error=str(error), retry_s=_LOOK_S, cause=cause
                        )
                    )
                else:
                    await self._follow_all(set(primaries))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await self._other.wait()
                cluster.stale = True
        finally:
            remove()
            await self._follow_all(set())

    async def _follow_all(self, primaries: set[Address]) -> None:
        """Follow these primaries and no other."""
        for address in self._tasks.keys() - primaries:
            task = self._tasks.pop(address)
            self._states.pop(address, None)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        for address in primaries - self._tasks.keys():
            task = self._tasks[address] = asyncio.create_task(self._follow(address))
            task.add_done_callback(self._one_ended)
        self._tell_worst()

    def _one_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self._other.set()

    async def _follow(self, address: Address) -> None:
        settings = self._reads.cluster.of(address)
        took_over = bool(self._known) and address not in self._known
        watch = RedisWatch(settings, self._reads, self._keys, self._visible, self._pace)
        async with watch as signals:
            async for signal in signals:
                if isinstance(signal, FeedState):
                    self._states[address] = signal
                    if not signal.live:
                        self._other.set()  # Has another taken over?
                    self._tell_worst()
                elif isinstance(signal, Rescan):
                    self._known.add(address)
                    self._tell_rescan(signal.reason, moved=signal.moved or took_over)
                    took_over = False
                else:
                    self._tell_dirty(signal.paths)

    def _tell_worst(self) -> None:
        """Tell the worst of all states, once each primary has one."""
        states = [self._states.get(address) for address in self._tasks]
        told = [state for state in states if state is not None]
        if not told or len(told) < len(states):
            return
        away = next((state for state in told if not state.live), None)
        if away is not None:
            self._tell_once(away)
        else:
            self._tell_once(FeedState(min((one.tier for one in told), key=_WORST.index), live=True))

    def _tell_once(self, state: FeedState) -> None:
        if state != self._told:
            self._told = state
            self._tell_state(state)
