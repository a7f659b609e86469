"""The open transcripts, kept current by the change feed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessiontui.storage.changes import Appended, Created, Removed, Renamed, Rewritten
from sessiontui.transcript.document import Document
from sessiontui.workspace.events import DocumentChanged, DocumentGone

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sessiontui.storage.changes import Change
    from sessiontui.workspace.events import Update


class _Opened:
    """An open document and where its session is now."""

    def __init__(
        self, path: str, size: int, read: Callable[[str, int, int], Awaitable[bytes]]
    ) -> None:
        self.path = path
        self._read = read
        self.document = Document(self._read_here, size)

    async def _read_here(self, start: int, stop: int) -> bytes:
        return await self._read(self.path, start, stop)


class OpenDocuments:
    """Documents by path; each change of the feed reaches the one it concerns.

    Args:
        read: Reads bytes `[start, stop)` of a path.
        publish: Called for each document that changed or went.
    """

    def __init__(
        self,
        read: Callable[[str, int, int], Awaitable[bytes]],
        publish: Callable[[Update], None],
    ) -> None:
        self._read = read
        self._publish = publish
        self._opened: dict[str, _Opened] = {}

    @property
    def held(self) -> int:
        """How many bytes of transcripts are in memory."""
        pages = (page for opened in self._opened.values() for page in opened.document.pages)
        return sum(page.held for page in pages)

    def open(self, path: str, size: int) -> Document:
        """Return the document of `path`, `size` bytes long now; the same one while it is open."""
        opened = self._opened.get(path)
        if opened is None:
            opened = self._opened[path] = _Opened(path, size, self._read)
        return opened.document

    def close(self, path: str) -> None:
        """Let go of the document; it is fed no more."""
        self._opened.pop(path, None)

    def apply(self, change: Change) -> None:
        """Hand a change to the document it concerns, if that is open."""
        opened = self._opened.get(change.path)
        if opened is None:
            return
        document = opened.document
        if isinstance(change, Appended):
            # What it read while the change was on its way is in it already.
            known = document.size - change.start
            if known < 0:
                document.rewritten(change.start + len(change.data))
            elif known < len(change.data):
                document.append(change.data[known:])
            else:
                return
            self._publish(DocumentChanged(change.path))
        elif isinstance(change, Rewritten) or (
            # Told by a new connection: what happened before it is not known.
            isinstance(change, Created) and change.size != document.size
        ):
            document.rewritten(change.size)
            self._publish(DocumentChanged(change.path))
        elif isinstance(change, Removed):
            del self._opened[change.path]
            self._publish(DocumentGone(change.path))
        elif isinstance(change, Renamed):
            opened.path = change.new_path
            self._opened[change.new_path] = self._opened.pop(change.path)
            self._publish(DocumentGone(change.path, change.new_path))
