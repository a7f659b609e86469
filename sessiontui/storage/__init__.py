"""Sessions as bytes over any backend: mirror, write queue and change feed.

| where | what |
| --- | --- |
| `storage`, `reads`, `writer` | what others call: `SessionStorage` and its writers |
| `backend` | what a store must be able to do; implemented by `redis/`, `directory/` and `memory` |
| `mirror` | the sessions of a store as confirmed, and with our pending writes |
| `write_queue` | every change in its turn: retries, unknown outcomes |
| `operations`, `session_operations`, `repair_operations` | the changes themselves |
| `sync`, `change_detector` | following what other processes change |
| `changes`, `change_feed` | what happened to a session, and who is told |
| `artifacts` | the files that belong to a session |

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
from sessiontui.storage.reads import SessionStat
from sessiontui.storage.storage import (
    DirectorySessionStorage,
    MemorySessionStorage,
    RedisSessionStorage,
    SessionStorage,
)
from sessiontui.storage.write_queue import RetryPolicy, UnwrittenData
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
    "RetryPolicy",
    "SessionExistsError",
    "SessionNotFoundError",
    "SessionStat",
    "SessionStorage",
    "SessionStorageWriter",
    "StorageError",
    "TitleNeedsRewriteError",
    "UnwrittenData",
    "WriteConflictError",
    "WriterClosedError",
    "WritesRefusedError",
    "WrongTypeError",
]
