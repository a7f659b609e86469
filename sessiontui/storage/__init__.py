"""Sessions as bytes over any backend: mirror, write queue and change feed.

| where | what |
| --- | --- |
| `storage`, `reads`, `writer` | what others call: `SessionStorage` and its writers |
| `sync_client` | the same for programs without an event loop |
| `backend` | what a store must be able to do; implemented by `redis/`, `directory/` and `memory` |
| `mirror` | the sessions of a store as confirmed, and with our pending writes |
| `write_queue` | every change in its turn: retries, unknown outcomes |
| `operations`, `session_operations`, `repair_operations` | the changes themselves |
| `sync`, `change_detector` | following what other processes change |
| `changes`, `change_feed` | what happened to a session, and who is told |
| `artifacts` | the files that belong to a session |

What `__all__` names is public, everything else may change. Importing this imports
neither redis nor watchfiles; a backend is loaded by what opens it, and a few names when
they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from sessiontui.errors import (
    AccessError,
    BackendDownError,
    ConfigError,
    InvalidPathError,
    LoginError,
    OutcomeUnknownError,
    ReadOnlyError,
    SessionExistsError,
    SessionHeldError,
    SessionNotFoundError,
    StorageClosedError,
    StorageError,
    TitleNeedsRewriteError,
    WriteConflictError,
    WriterClosedError,
    WritesRefusedError,
    WrongTypeError,
)
from sessiontui.formats.title_slot import TitleSource
from sessiontui.sources import DirectorySource, RedisSource, Source, parse_source
from sessiontui.storage.backend import FeedState, Range, Snapshot, Stat, TrashItem
from sessiontui.storage.change_feed import ChangeFeed
from sessiontui.storage.changes import (
    Appended,
    Change,
    Created,
    Removed,
    Renamed,
    Retitled,
    Rewritten,
)
from sessiontui.storage.reads import SessionStat
from sessiontui.storage.storage import (
    ContentsPolicy,
    DirectorySessionStorage,
    MemorySessionStorage,
    RedisSessionStorage,
    SessionStorage,
    StorageOptions,
    WriterFlags,
)
from sessiontui.storage.write_queue import Guard, PendingWrite, RetryPolicy, UnwrittenData
from sessiontui.storage.writer import SessionStorageWriter

if TYPE_CHECKING:
    from sessiontui.storage.memory import MemoryStore
    from sessiontui.storage.sync_client import (
        SyncChangeFeed,
        SyncSessionStorage,
        SyncSessionStorageWriter,
    )

__all__ = [
    "AccessError",
    "Appended",
    "BackendDownError",
    "Change",
    "ChangeFeed",
    "ConfigError",
    "ContentsPolicy",
    "Created",
    "DirectorySessionStorage",
    "DirectorySource",
    "FeedState",
    "Guard",
    "InvalidPathError",
    "LoginError",
    "MemorySessionStorage",
    "MemoryStore",
    "OutcomeUnknownError",
    "PendingWrite",
    "Range",
    "ReadOnlyError",
    "RedisSessionStorage",
    "RedisSource",
    "Removed",
    "Renamed",
    "Retitled",
    "RetryPolicy",
    "Rewritten",
    "SessionExistsError",
    "SessionHeldError",
    "SessionNotFoundError",
    "SessionStat",
    "SessionStorage",
    "SessionStorageWriter",
    "Snapshot",
    "Source",
    "Stat",
    "StorageClosedError",
    "StorageError",
    "StorageOptions",
    "SyncChangeFeed",
    "SyncSessionStorage",
    "SyncSessionStorageWriter",
    "TitleNeedsRewriteError",
    "TitleSource",
    "TrashItem",
    "UnwrittenData",
    "WriteConflictError",
    "WriterClosedError",
    "WriterFlags",
    "WritesRefusedError",
    "WrongTypeError",
    "parse_source",
]

_LOADED_LATER: Final = {
    "MemoryStore": "memory",
    "SyncChangeFeed": "sync_client",
    "SyncSessionStorage": "sync_client",
    "SyncSessionStorageWriter": "sync_client",
}
"""Names that the app never needs, and the modules that have them."""


def __getattr__(name: str) -> object:
    if name not in _LOADED_LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LOADED_LATER[name]}"), name)
