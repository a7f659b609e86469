"""Whether a user can change anything, found out without changing anything.

What is asked needs no right: a server answers `HELLO` to everybody, and says
there whether it is a replica. Whether a user may write is told by commands that can
never do it: each is complete enough to be checked against the user's rights, and refused
for its arguments before anything is looked at. A user without the right is answered
`NOPERM`, which a server notes in its ACL LOG.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.exceptions import NoPermissionError

from sessiontui.storage.backend import REPLICA
from sessiontui.storage.redis.connection import role_of

if TYPE_CHECKING:
    from sessiontui.storage.redis.connection import Link
    from sessiontui.storage.redis.keys import Keys

_NO_SCRIPT = b"0" * 40
"""The digest of no script: running it answers NOSCRIPT."""


async def why_read_only(link: Link, keys: Keys) -> str | None:
    """Return in a few plain words why nothing can be changed, None if something may.

    Raises:
        StorageError: The server cannot be reached.
    """
    key = keys.file("")
    hello, script, *writes = await link.ask(
        [
            (b"HELLO",),
            (b"EVALSHA", _NO_SCRIPT, b"0"),
            (b"SETRANGE", key, b"-1", b"x"),  # offset is out of range
            (b"SET", key, b"x", b"NX", b"XX"),  # syntax error
            (b"HSET", keys.meta, b"x", b"x", b"x"),  # wrong number of arguments
        ]
    )
    if role_of(hello) in (b"slave", b"replica"):
        return REPLICA
    if _is_refused(script) or all(map(_is_refused, writes)):
        return "no right to write"
    return None


def _is_refused(reply: Any) -> bool:
    # A script that may be run runs nothing either where the user may not use any command.
    return isinstance(reply, NoPermissionError)
