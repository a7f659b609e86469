"""Makes sure that a write whose connection broke can never run any more.

Its bytes may still lie in a buffer on the way, at a proxy or in the server,
and would run when the server gets to them: after we looked, and wrote again.
Ending the connection by its id at the server rules that out. Where this user
may not do that, a key is put down that every script of ours looks for first.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from sessiontui.errors import AccessError
from sessiontui.storage.redis.connection import close, exchange, identify, open_connection
from sessiontui.storage.redis.errors import connection_error, reply_error
from sessiontui.storage.redis.keys import ApartKeys

if TYPE_CHECKING:
    from sessiontui.storage.redis.connection import Link
    from sessiontui.storage.redis.keys import Keys

_LOG = logging.getLogger(__name__)
_FENCE_LIFE_MS = 86_400_000
"""How long a fence key stands: no buffer on the way holds bytes for a day."""


async def raise_fence(writes: Link, keys: Keys) -> None:
    """Return once nothing that was sent over the broken connections of `writes` can run.

    Raises:
        BackendDownError: The server cannot be reached, so it cannot be told.
        AccessError: Neither way is allowed.
    """
    for link in await writes.parts():
        if link.lost:
            await _fence_off(link, writes, keys)


async def _fence_off(link: Link, writes: Link, keys: Keys) -> None:
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
                [killed] = await exchange(connection, [end])
                if isinstance(killed, RedisError):
                    raise reply_error(killed)
            if uncut and isinstance(keys, ApartKeys):
                raise AccessError("this Redis user lacks a right: +client|kill")
            if uncut:
                token, writes.token = writes.token, secrets.token_hex(8)
                _LOG.info("may not end connections by id: a fence key stands for a day instead")
                fence = (b"SET", keys.fence(token, ""), b"1", b"PX", b"%d" % _FENCE_LIFE_MS)
                [put] = await exchange(connection, [fence])
                if isinstance(put, RedisError):
                    raise reply_error(put)
    except (RedisError, OSError, TimeoutError) as error:
        raise connection_error(error, settings.where) from error
    finally:
        await close(connection)
    link.lost = [identity for identity in link.lost if identity not in lost]
