"""Finds and changes fields of the two hashes that fit no session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from redis.exceptions import RedisError

from sessiontui.storage.backend import HashField
from sessiontui.storage.redis import scripts
from sessiontui.storage.redis.errors import reply_error
from sessiontui.storage.redis.keys import decode_name, hash_field, mtime_ms
from sessiontui.storage.redis.steps import run_step

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sessiontui.storage.backend import HashFieldChange
    from sessiontui.storage.redis.connection import RedisConnection
    from sessiontui.storage.redis.keys import RedisKeys

_STEP = 100
"""How many fields are changed in one step of the server."""


async def orphaned_fields(
    link: RedisConnection, keys: RedisKeys, *, count: int
) -> AsyncIterator[list[HashField]]:
    """Yield times and titles that belong to no session, and times that are no numbers.

    Args:
        link: Where to read.
        keys: Names of the keys.
        count: About how many fields the server looks at in one step.

    Raises:
        StorageError: The server cannot be reached or refuses.
    """
    kinds: tuple[tuple[Literal["meta", "title"], bytes], ...] = (
        ("meta", keys.meta),
        ("title", keys.title),
    )
    for kind, key in kinds:
        cursor = b"0"
        while True:
            [step] = await link.ask([(b"HSCAN", key, cursor, b"COUNT", b"%d" % count)])
            if isinstance(step, RedisError):
                if str(step).startswith("WRONGTYPE"):
                    break
                raise reply_error(step)
            cursor = step[0]
            names = list(zip(step[1][::2], step[1][1::2], strict=True))
            there = await link.ask((b"EXISTS", keys.files + name) for name, _ in names)
            yield [
                HashField(kind, decode_name(name), value, here == 1)
                for (name, value), here in zip(names, there, strict=True)
                if here == 0 or (kind == "meta" and mtime_ms(value) is None)
            ]
            if cursor == b"0":
                break


async def change_fields(
    link: RedisConnection, keys: RedisKeys, changes: Sequence[HashFieldChange]
) -> list[bool]:
    """Change fields; see `Backend.change_fields`."""
    done: list[bool] = []
    for start in range(0, len(changes), _STEP):
        some = changes[start : start + _STEP]
        names = [keys.meta, keys.title, *(keys.file(change.path) for change in some)]
        arguments: list[bytes] = []
        for change in some:
            values = (_marked(change.old), _marked(change.new), b"1" if change.session else b"0")
            arguments += [change.kind.encode(), hash_field(change.path), *values]
        paths = [change.path for change in some]
        answers = await run_step(link, keys, scripts.FIELDS, names, arguments, paths)
        done += [answer == 1 for answer in answers]
    return done


def _marked(value: bytes | None) -> bytes:
    return b"-" if value is None else b"+" + value
