"""A small app around the transcript, on a real file that another process may append to."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from datetime import UTC
from typing import TYPE_CHECKING, ClassVar

from textual.app import App

from sessiontui.app.theme import DARK, LIGHT, themes, token_defaults
from sessiontui.app.widgets.transcript.pane import TranscriptPane
from sessiontui.app.widgets.transcript.view import TranscriptView
from sessiontui.errors import BackendDownError
from sessiontui.paths import styles_dir
from sessiontui.transcript.document import Document
from tests.waiting import until

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator
    from pathlib import Path

    from textual.app import ComposeResult
    from textual.pilot import Pilot

NOW_MS = 1_789_003_600_000


class Source:
    """A file as a session; counts what is read of it."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY)
        self.read_bytes = 0
        self.fails = False
        self.gate: asyncio.Event | None = None
        self.waiting = 0
        """How many reads wait at the gate."""

    def size(self) -> int:
        return os.fstat(self._fd).st_size

    async def read(self, start: int, stop: int) -> bytes:
        if self.fails:
            raise BackendDownError("the server \x1b[31mis\x1b[0m away")
        if self.gate is not None:
            self.waiting += 1
            try:
                await self.gate.wait()
            finally:
                self.waiting -= 1
        data = os.pread(self._fd, stop - start, start)
        self.read_bytes += len(data)
        return data

    def feed(self, document: Document) -> None:
        """Hand over what was appended since."""
        size = self.size()
        if size > document.size:
            document.append(os.pread(self._fd, size - document.size, document.size))

    def close(self) -> None:
        os.close(self._fd)


class Host(App[None]):
    """Shows one transcript, and keeps what it said."""

    CSS_PATH: ClassVar = [styles_dir() / "transcript.tcss", styles_dir() / "dialogs.tcss"]

    def __init__(self, *, dark: bool = True) -> None:
        super().__init__()
        for theme in themes():
            self.register_theme(theme)
        self.theme = DARK if dark else LIGHT
        self.follow: list[tuple[bool, int]] = []
        self.failures: list[str] = []
        self.told: list[str] = []
        self.switched: list[TranscriptView] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return token_defaults(self.current_theme)

    def compose(self) -> ComposeResult:
        yield TranscriptPane(TranscriptView(now=lambda: NOW_MS, zone=UTC))

    def on_mount(self) -> None:
        self.view.focus()

    def on_transcript_view_follow_changed(self, event: TranscriptView.FollowChanged) -> None:
        self.follow.append((event.following, event.new_lines))

    def on_transcript_view_read_failed(self, event: TranscriptView.ReadFailed) -> None:
        self.failures.append(event.error)

    def on_branch_viewport_failed(self, event: TranscriptView.Failed) -> None:
        self.told.append(event.reason)

    def on_branch_viewport_switched(self) -> None:
        self.switched.append(self.view)

    @property
    def view(self) -> TranscriptView:
        return self.query_one(TranscriptView)

    @property
    def document(self) -> Document:
        document = self.view.document
        assert document is not None
        return document

    def rows(self) -> list[str]:
        """Return the text painted, row by row, without the mark of the current entry."""
        view = self.view
        return [view.render_line(y).text[2:].rstrip() for y in range(view.size.height)]

    def painted(self) -> str:
        return "\n".join(self.rows())


@asynccontextmanager
async def reading(
    path: Path, *, size: tuple[int, int] = (100, 30), dark: bool = True
) -> AsyncIterator[tuple[Host, Pilot[None], Source]]:
    """Run the app on a file and wait until it shows."""
    app = Host(dark=dark)
    source = Source(path)
    try:
        async with app.run_test(size=size) as pilot:
            app.view.document = Document(source.read, source.size())
            await settled(app, pilot)
            yield app, pilot, source
    finally:
        source.close()


async def settled(app: Host, pilot: Pilot[None]) -> None:
    """Wait until nothing is read and everything that changed is painted."""
    await until(lambda: app.view.quiet)
    await pilot.pause()
