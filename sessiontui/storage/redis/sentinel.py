"""Asks sentinels which server is the primary now; every connection is made to what they say."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError, ResponseError

from sessiontui.errors import AccessError, BackendDownError, StorageError
from sessiontui.storage.redis.errors import connection_error, reply_error
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from redis.asyncio.connection import AbstractConnection

Address = tuple[str, int]
_PATIENCE_S = 2.0
"""Longest time for one sentinel: there are others."""


class Sentinels:
    """The sentinels of one primary; the one that answered last is asked first."""

    def __init__(
        self,
        nodes: Sequence[Address],
        service: str,
        connection_class: type[AbstractConnection],
        arguments: Mapping[str, Any],
    ) -> None:
        """Prepare; nothing is connected yet.

        Args:
            nodes: Where they are.
            service: What they call the primary.
            connection_class: How to connect to them.
            arguments: With what, their own user and password included.
        """
        self._nodes = list(nodes)
        self._service = service
        self._connection_class = connection_class
        self._arguments = dict(arguments)

    async def primary(self) -> Address:
        """Return where the primary is.

        Raises:
            BackendDownError: No sentinel can be reached, or none knows a primary of this name.
            AccessError: They do not let us ask.
        """
        problem: StorageError | None = None
        unknown = 0
        for node in tuple(self._nodes):
            try:
                found = await self._ask(node)
            except AccessError:
                raise
            except StorageError as error:
                problem = problem or error
                continue
            if found is not None:
                self._nodes.remove(node)
                self._nodes.insert(0, node)
                return found
            unknown += 1
        if unknown:
            raise BackendDownError(f"no sentinel knows a primary called {clean(self._service)}")
        raise BackendDownError(f"no sentinel answers: {problem}") from problem

    async def _ask(self, node: Address) -> Address | None:
        host, port = node
        arguments = self._arguments | {"host": host, "port": port}
        connection = self._connection_class(**arguments)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                connect: Callable[[], Awaitable[None]] = connection.connect
                await connect()
                await connection.send_command(
                    "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service, check_health=False
                )
                reply = await connection.read_response()
        except ResponseError as error:
            raise reply_error(error) from error
        except (RedisError, OSError, TimeoutError) as error:
            raise connection_error(error, f"{host}:{port}") from error
        finally:
            await connection.disconnect(nowait=True)
        return None if reply is None else (reply[0].decode(), int(reply[1]))
