"""What went wrong in Redis, in plain words and without any secret."""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
from typing import TYPE_CHECKING

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterCrossSlotError,
    ClusterDownError,
    InvalidResponse,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from sessiontui.errors import (
    AccessError,
    BackendDownError,
    LoginError,
    StorageError,
    WritesRefusedError,
    WrongTypeError,
)
from sessiontui.storage.redis.tls import tls_reason
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

_CODES: tuple[tuple[type[RedisError], str], ...] = (
    (NoPermissionError, "NOPERM"),
    (ReadOnlyError, "READONLY"),
    (OutOfMemoryError, "OOM"),
    (MasterDownError, "MASTERDOWN"),
    (BusyLoadingError, "LOADING"),
    (TryAgainError, "TRYAGAIN"),
    (ClusterDownError, "CLUSTERDOWN"),
    (ClusterCrossSlotError, "CROSSSLOT"),
)
"""redis-py takes the code off these replies; here it is put back."""

_NOT_NOW = {
    "LOADING": "the server is still loading its data",
    "MASTERDOWN": "the replica has lost its primary",
    "BUSY": "the server is busy with a script of someone else",
    "CLUSTERDOWN": "the cluster is down",
    "TRYAGAIN": "the cluster is moving these keys",
}
OUT_OF_MEMORY = "the server is out of memory and takes no writes"
_NO_WRITES = {
    "OOM": OUT_OF_MEMORY,
    "MISCONF": "the server cannot save its data and takes no writes: is its disk full? see its log",
    "NOREPLICAS": "the server has too few replicas and takes no writes (min-replicas-to-write)",
}
"""What stays so until somebody does something about it."""
_SHUT_OUT = {
    "DENIED": "the server is in protected mode: it wants a password from other machines",
    "DB index is out of range": "the server has no database of this number (databases)",
}
_CLUSTER = {
    "CROSSSLOT": "in a cluster the prefix needs a hash tag in braces, such as {omp}:sessions:",
    "MOVED": "this cluster node does not hold the sessions: connect to the one that does",
    "ASK": "this cluster node does not hold the sessions: connect to the one that does",
}
_HUNG_UP = frozenset(
    {
        "the connection was closed",
        "no answer in time",
        os.strerror(errno.ECONNRESET),
        os.strerror(errno.EPIPE),
    }
)
"""Reasons that tell little: more may be known of them."""
_ERRNO = re.compile(r"\[Errno (\d+)\]")
_COMMAND = re.compile(r"'([a-z0-9_|.-]+)' command", re.IGNORECASE)


def reply_refused(
    text: str, *, command: str | None = None, key: str | None = None, path: str | None = None
) -> StorageError:
    """Return the error for a server's error reply.

    Args:
        text: The reply with its code, `NOPERM User … has no permissions …`.
        command: The command that was refused, where it is known.
        key: The key concerned, where it is known.
        path: The session concerned.
    """
    words = set(re.findall(r"[A-Z]+", text))
    if "WRONGTYPE" in words:
        what = "the key" if key is None else clean(key)
        return WrongTypeError(f"{what} is of another type than a session's", path=path)
    if "NOPERM" in words or "user executing the script" in text or "ACL failure" in text:
        return _missing_right(text, command, key, path)
    if "READONLY" in words:
        return AccessError("the server is a read-only replica: connect to its primary", path=path)
    for code, reason in _NOT_NOW.items():
        if code in words:
            return BackendDownError(reason, path=path)
    for start, reason in _SHUT_OUT.items():
        if text.startswith(start):
            return AccessError(reason, path=path)
    for code, reason in _NO_WRITES.items():
        if code in words:
            return WritesRefusedError(reason, path=path)
    for code, reason in _CLUSTER.items():
        if code in words:
            return StorageError(reason, path=path)
    return StorageError(f"the server refuses: {clean(text)}", path=path)


def reply_error(error: RedisError, *, path: str | None = None) -> StorageError:
    """Return the error for an error reply as redis-py raised it."""
    code = next((code for kind, code in _CODES if isinstance(error, kind)), "")
    return reply_refused(f"{code} {error}".strip(), path=path)


def connection_error(error: Exception, where: str, *, hint: str = "") -> StorageError:
    """Return the error for a connection that failed or could not be made.

    Args:
        error: What redis-py, asyncio or the system raised.
        where: The server, without any secret.
        hint: What else may be the reason where the error says little.
    """
    # A Unix connection wraps what the server answered to AUTH, so the reason may lie deeper.
    for cause in _causes(error):
        if isinstance(cause, AuthenticationError):
            return _login_error(cause)
        if isinstance(cause, BusyLoadingError | ResponseError):
            return reply_error(cause)
    reason = next(filter(None, map(_reason, _causes(error))), "the connection was closed")
    if reason in _HUNG_UP:
        reason += hint
    return BackendDownError(
        f"cannot reach {clean(where)}: {clean(reason[:1].lower() + reason[1:])}"
    )


def _reason(cause: BaseException) -> str | None:
    """Return what an exception says of the reason, if it says anything."""
    if isinstance(cause, InvalidResponse):
        return "what answers there is no Redis server, or wants TLS (rediss://)"
    if isinstance(cause, RedisConnectionError):
        return "it has too many clients" if "max number of clients" in str(cause) else None
    if isinstance(cause, RedisTimeoutError | TimeoutError):
        return "no answer in time"
    if isinstance(cause, ssl.SSLError):
        return tls_reason(cause)
    if isinstance(cause, socket.gaierror):
        return cause.strerror or cause.__class__.__name__
    if isinstance(cause, OSError):
        # asyncio puts words of its own into strerror, the address among them.
        number = cause.errno or next(iter(_ERRNO.findall(str(cause))), None)
        return os.strerror(int(number)) if number else cause.strerror
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _login_error(error: AuthenticationError) -> LoginError:
    lowered = str(error).lower()
    if "without any password" in lowered or "no password is set" in lowered:
        return LoginError("the server has no password for this user: leave the password out")
    if error.status_code == "NOAUTH" or "required" in lowered:
        return LoginError("the server wants a password")
    return LoginError("wrong password, or no such user, or one that is switched off")


def _missing_right(
    text: str, command: str | None, key: str | None, path: str | None
) -> AccessError:
    lowered = text.lower()
    named = _COMMAND.search(text)
    about_key = "access a key" in lowered or "access one of the keys" in lowered
    about_channel = "channel" in lowered
    if about_channel:
        right = "a channel (&pattern)"
    elif about_key or (command is None and named is None):
        right = "a key (~pattern)" if key is None else f"the key {clean(key)} (~pattern)"
    else:
        right = "+" + (named.group(1) if named else command or "").lower()
    return AccessError(f"this Redis user lacks a right: {right}", path=path)
