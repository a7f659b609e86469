"""Sessions as bytes: the mirror, the pending-write chain and the change feed over any backend.

| where | what |
| --- | --- |
| `storage`, `opening`, `reads`, `writer` | what others call |
| `backend` | what a store must be able to do: in `redis/`, `directory/` and `memory/` |
| `mirror`, `cache`, `reading`, `refresh`, `state` | what we know of it |
| `pending`, `operation`, `operations`, `lines`, `moves`, `retitle`, `mending` | changes, in order |
| `feed`, `observe`, `hub`, `losses` | what peers change, and who is told |
| `artifacts` | what belongs to a session beside its bytes |

Importing this imports neither redis nor watchfiles; a backend is loaded by the
`create` that needs it.
"""

from sessiontui.errors import (
    AccessError,
    BackendDownError,
    InvalidPathError,
    OutcomeUnknownError,
    ReadOnlyError,
    SessionExistsError,
    SessionNotFoundError,
    StorageError,
    TitleNeedsRewriteError,
    WriteConflictError,
    WriterClosedError,
    WritesRefusedError,
    WrongTypeError,
)
from sessiontui.storage.change_feed import ChangeFeed
from sessiontui.storage.opening import (
    DirectorySessionStorage,
    MemorySessionStorage,
    RedisSessionStorage,
)
from sessiontui.storage.operation import Retries, Unwritten
from sessiontui.storage.reads import SessionStat
from sessiontui.storage.storage import SessionStorage
from sessiontui.storage.writer import SessionStorageWriter

__all__ = [
    "AccessError",
    "BackendDownError",
    "ChangeFeed",
    "DirectorySessionStorage",
    "InvalidPathError",
    "MemorySessionStorage",
    "OutcomeUnknownError",
    "ReadOnlyError",
    "RedisSessionStorage",
    "Retries",
    "SessionExistsError",
    "SessionNotFoundError",
    "SessionStat",
    "SessionStorage",
    "SessionStorageWriter",
    "StorageError",
    "TitleNeedsRewriteError",
    "Unwritten",
    "WriteConflictError",
    "WriterClosedError",
    "WritesRefusedError",
    "WrongTypeError",
]
