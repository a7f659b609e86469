"""What is exported and how; values without behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol

if TYPE_CHECKING:
    from datetime import tzinfo

Format = Literal["md", "html", "json", "jsonl"]

FORMATS: Final[dict[Format, str]] = {
    "md": "Markdown",
    "html": "HTML",
    "json": "JSON",
    "jsonl": "JSONL",
}
"""The formats with their names."""

EXTENSIONS: Final[dict[Format, str]] = {
    "md": ".md",
    "html": ".html",
    "json": ".json",
    "jsonl": ".jsonl",
}


@dataclass(frozen=True, slots=True)
class Options:
    """What of a session goes into a text for people; JSON and JSONL hold everything."""

    tools: bool = True
    """Whether tool calls and their results are in it."""
    thinking: bool = False
    """Whether the agent's thinking is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a session beside its entries; text in it is as stored."""

    title: str
    path: str
    size: int
    """Length of the session in bytes, all of which is exported."""
    id: str | None = None
    project: str = ""
    agent: str = ""
    model: str | None = None
    created_ms: int | None = None
    modified_ms: int | None = None
    zone: tzinfo | None = None
    """Time zone of the times that people read; None for the local one."""


class Writer(Protocol):
    """Makes a file of a session's bytes; all methods return the next bytes of the file."""

    def begin(self) -> bytes:
        """Return what comes before the entries."""
        ...

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of the session."""
        ...

    def finish(self) -> bytes:
        """Return what comes after the entries."""
        ...
