"""Polling: finds changes where the server tells none.

Every session's time is compared with what it was, and the sizes of the
sessions in view, which an agent that writes no times would not give away. Neither
takes more than 5% of the time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from sessiontui.storage.redis.errors import reply_error
from sessiontui.storage.redis.keys import decode_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from sessiontui.storage.redis.connection import Command, RedisConnection
    from sessiontui.storage.redis.keys import RedisKeys

_WHOLE_FIELDS = 1000
"""Hashes with more fields are read step by step, so that nobody waits for us."""
_STEP = b"1000"
_REST = 19
"""Rest is this many times as long as the work: 5% of the time."""


class HashDigest:
    """Remembers a hash well enough to tell which fields changed."""

    def __init__(self, reads: RedisConnection, key: bytes) -> None:
        """Read this key over this link."""
        self._reads = reads
        self._key = key
        self._digest: dict[bytes, int] = {}
        self.known = False
        """Whether it was read before, so that a difference means a change."""
        self.rest_s = 0.0
        """How long to rest after the last reading; seconds."""

    def forget(self) -> None:
        """Make the next reading the first one."""
        self.known = False
        self._digest = {}

    async def update(self) -> set[bytes]:
        """Read the hash and return the fields that are new, different or gone.

        Raises:
            StorageError: The server cannot be reached or refuses.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        digest = await self._read()
        self.rest_s = _REST * (loop.time() - started)
        before, self._digest = self._digest, digest
        self.known = True
        changed = {name for name, value in digest.items() if before.get(name) != value}
        changed.update(before.keys() - digest.keys())
        return changed

    async def _read(self) -> dict[bytes, int]:
        digest: dict[bytes, int] = {}
        fields = await self._ask((b"HLEN", self._key))
        if fields is not None and fields <= _WHOLE_FIELDS:
            _add(digest, await self._ask((b"HGETALL", self._key)) or ())
            return digest
        cursor = b"0"
        while step := await self._ask((b"HSCAN", self._key, cursor, b"COUNT", _STEP)):
            cursor, part = step
            _add(digest, part)
            if cursor == b"0":
                break
        return digest

    async def _ask(self, command: Command) -> Any:
        """Return the reply, or None where the key is no hash: then it has no fields."""
        [reply] = await self._reads.ask([command])
        if not isinstance(reply, RedisError):
            return reply
        if str(reply).startswith("WRONGTYPE"):
            return None
        raise reply_error(reply)


def _add(digest: dict[bytes, int], flat: Iterable[bytes]) -> None:
    names = iter(flat)
    digest.update((name, hash(value)) for name, value in zip(names, names, strict=True))


class Poller:
    """Looks again and again, the sessions in view more often than the others."""

    def __init__(
        self, reads: RedisConnection, keys: RedisKeys, visible: Callable[[], Collection[str]]
    ) -> None:
        """Prepare; `visible` names the sessions in view, when asked."""
        self._reads = reads
        self._keys = keys
        self._visible = visible
        self._times = HashDigest(reads, keys.meta)
        self._sizes: dict[str, int] = {}

    async def run(
        self,
        *,
        arm: Callable[[], None],
        tell: Callable[[Iterable[str]], None],
        check: Callable[[], None],
        poll_s: float,
        check_s: float,
    ) -> None:
        """Look until the server cannot be reached, which raises.

        Args:
            arm: Called once the first look is over: later changes will be found.
            tell: Takes the paths of sessions that changed.
            check: Called every `check_s` seconds.
            poll_s: Shortest time between two looks.
            check_s: Time between two regular checks.

        Raises:
            StorageError: The server cannot be reached or refuses.
        """
        loop = asyncio.get_running_loop()
        await self._times.update()
        await self._changed_sizes()
        arm()
        all_at = loop.time() + max(poll_s, self._times.rest_s)
        check_at = loop.time() + check_s
        rest_s = poll_s
        while True:
            await asyncio.sleep(rest_s)
            started = loop.time()
            tell(await self._changed_sizes())
            rest_s = max(poll_s, _REST * (loop.time() - started))
            if started >= all_at:
                tell([decode_name(name) for name in await self._times.update()])
                all_at = loop.time() + max(poll_s, self._times.rest_s)
            if started >= check_at:
                check()
                check_at = loop.time() + check_s

    async def _changed_sizes(self) -> list[str]:
        """Return the sessions in view whose size is not what it was."""
        paths = list(self._visible())
        replies = await self._reads.ask((b"STRLEN", self._keys.file(path)) for path in paths)
        # A key of another type has no size: it is as good as gone.
        sizes = {
            path: reply if isinstance(reply, int) else -1
            for path, reply in zip(paths, replies, strict=True)
        }
        before, self._sizes = self._sizes, sizes
        return [path for path, size in sizes.items() if before.get(path, size) != size]
