"""The keys of sessions in Redis, as omp lays them out, and ours beside.

| key | type | holds |
| --- | --- | --- |
| `<prefix>file:<path>` | string | the session's bytes |
| `<prefix>meta` | hash | path -> mtime, decimal milliseconds |
| `<prefix>title` | hash | path -> JSON of the title |
| `<prefix>trash:<id>` | hash | what one deletion removed; expires |
| `<prefix>trash:<id>:<n>` | string | the bytes of its n-th session; expires |
| `<prefix>moves` | hash | in a cluster, renamings under way: id -> JSON |
| `<prefix>temp:<random>` | string | a session that is being rewritten; expires |
| `<prefix>fence:<token>` | string | writes with this token are refused; expires |
"""

from __future__ import annotations

import re
from binascii import crc_hqx
from functools import cache

from sessiontui.errors import InvalidPathError
from sessiontui.text import clean

_GLOB = re.compile(rb"[\\*?\[\]^-]")
_LATEST_MS = 253_402_300_799_999
"""The last millisecond of the year 9999: later times are no dates."""


class RedisKeys:
    """Names of the keys below one prefix, as bytes; paths keep undecodable bytes.

    Whatever takes a text raises `InvalidPathError` where it holds half a surrogate pair.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = _encode(prefix)
        self.files = self.prefix + b"file:"
        self.meta = self.prefix + b"meta"
        self.title = self.prefix + b"title"
        self.trash = self.prefix + b"trash:"

    def file(self, path: str) -> bytes:
        """Return the key of a session."""
        return self.files + _encode(path)

    def path(self, key: bytes) -> str:
        """Return the path of a session's key."""
        return decode_name(key[len(self.files) :])

    def record(self, item_id: str) -> bytes:
        """Return the key that tells what one deletion removed."""
        return self.trash + _encode(item_id)

    def trashed(self, item_id: str, number: int, path: str) -> bytes:
        """Return the key of the bytes of one deleted session, whose path is told too."""
        return self.trash + _encode(item_id) + b":%d" % number + self._beside(path)

    def temporary(self, name: str, path: str) -> bytes:
        """Return the key of a value under construction that is to be the session of a path."""
        return self.prefix + b"temp:" + _encode(name) + self._beside(path)

    def fence(self, token: str, path: str) -> bytes:
        """Return the key whose presence makes scripts with this token refuse."""
        return self.prefix + b"fence:" + _encode(token) + self._beside(path)

    def _beside(self, path: str) -> bytes:  # noqa: ARG002 - one server holds all keys
        """Return what a name has to end with to be where the session of a path is."""
        return b""


class UntaggedClusterKeys(RedisKeys):
    """Names in a cluster whose prefix has no hash tag: each session has a slot of its own.

    What is to be renamed to or from a session ends with a hash tag of that session's slot.
    """

    def _beside(self, path: str) -> bytes:
        return b"{%b}" % tag_of(slot_of(self.file(path)))


SLOTS = 16_384
"""How many slots a cluster has."""


def hashed_part(key: bytes) -> bytes:
    """Return what decides where a key is: what stands in its first braces, if that is anything."""
    _, brace, rest = key.partition(b"{")
    tag, end, _ = rest.partition(b"}")
    return tag if brace and end and tag else key


def slot_of(key: bytes) -> int:
    """Return the slot of a key in a cluster."""
    return crc_hqx(hashed_part(key), 0) % SLOTS


def tag_of(slot: int) -> bytes:
    """Return a short hash tag of a slot."""
    return _tags()[slot]


@cache
def _tags() -> dict[int, bytes]:
    """Return a tag for each slot; takes some hundredths of a second, once."""
    tags: dict[int, bytes] = {}
    number = 0
    while len(tags) < SLOTS:
        tag = b"%d" % number
        tags.setdefault(crc_hqx(tag, 0) % SLOTS, tag)
        number += 1
    return tags


def hash_field(path: str) -> bytes:
    """Return the field of a session in the two hashes."""
    return _encode(path)


def decode_name(name: bytes) -> str:
    """Return a key or path as text; undecodable bytes become lone surrogates."""
    return name.decode("utf-8", "surrogateescape")


def prefix_pattern(start: bytes) -> bytes:
    """Return the SCAN pattern that matches exactly what starts with `start`."""
    return _GLOB.sub(rb"\\\g<0>", start) + b"*"


def mtime_ms(value: bytes | None) -> int | None:
    """Return a meta field as milliseconds, or None where it is none or not strictly decimal."""
    if value is None or not value.isdigit() or len(value) > 15:
        return None
    number = int(value)
    return number if number <= _LATEST_MS else None


def _encode(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        # A lone surrogate that stands for no byte: no key can be named so.
        raise InvalidPathError(f"no key can have this name: {clean(text)}") from error
