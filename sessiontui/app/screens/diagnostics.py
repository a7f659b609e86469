"""Diagnostics of the running app: latency, queues, caches, memory.

Nothing is measured while this is closed. What it shows holds no text of any
session, so that it can be passed on.
"""

from __future__ import annotations

import asyncio
import gc
import platform
import resource
import sys
import time
from collections import deque
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from textual import work
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from sessiontui import __version__
from sessiontui.app import format as formats
from sessiontui.app.screens.base import ClosedOnce

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from sessiontui.workspace import Workspace

_BEAT_S: Final = 0.02
"""How often it is looked whether the event loop gets to its work in time."""
_BEATS: Final = 500
"""How many delays are kept: those of the last ten seconds."""
_SHOW_S: Final = 1.0
_LABEL_CELLS: Final = 16


class DiagnosticsScreen(ModalScreen[None], ClosedOnce[None]):
    """Shows delays, queues, caches and memory, renewed once a second."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,ctrl+backslash", "dismiss", "Close", show=False),
    ]

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self._delays: deque[float] = deque(maxlen=_BEATS)
        self._used_s = time.process_time()
        self._shown_s = time.monotonic()
        self._before = workspace.figures()

    def compose(self) -> ComposeResult:
        """Lay out one block of lines."""
        with Vertical(classes="dialog"):
            yield Static(Content.styled("Diagnostics", "bold"), classes="question")
            yield Static(id="figures")
            yield Static(Content.styled("esc close", "$past"), classes="closing")

    def on_mount(self) -> None:
        """Begin to measure."""
        self._beat()
        self._show()
        self.set_interval(_SHOW_S, self._show)

    @work
    async def _beat(self) -> None:
        """Note how late the event loop gets to what is due."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _BEAT_S
            await asyncio.sleep(_BEAT_S)
            self._delays.append(max(0.0, loop.time() - due))

    def _show(self) -> None:
        lines = [
            Content.assemble((f"{label:<{_LABEL_CELLS}}", "$past"), value)
            for label, value in self._lines()
        ]
        self.query_one("#figures", Static).update(Content("\n").join(lines))

    def _lines(self) -> list[tuple[str, str]]:
        """Return what is shown: a word and its figures, a line each."""
        now, used = time.monotonic(), time.process_time()
        passed = max(0.001, now - self._shown_s)
        share = (used - self._used_s) / passed
        self._shown_s, self._used_s = now, used
        state = self._workspace.state
        figures, before = self._workspace.figures(), self._before
        self._before = figures
        whole = gc.get_stats()[-1]["collections"]
        return [
            ("versions", _versions()),
            ("terminal", f"{self.app.size.width} x {self.app.size.height}"),
            ("latency", _delays(self._delays)),
            ("CPU", f"{share:.0%} of one core"),
            ("memory", f"{_resident()}, at most {formats.size(_most_resident())}"),
            ("collections", f"{whole} whole, {len(gc.get_objects()):,} objects looked through"),
            ("feed", f"{state.feed.tier}, {'live' if state.feed.live else 'away'}"),
            (
                "changes",
                f"{(figures.changes - before.changes) / passed:,.0f}/s in "
                f"{(figures.batches - before.batches) / passed:,.0f} batches/s",
            ),
            ("sessions", f"{state.sessions:,}, {figures.rows_waiting:,} queued"),
            ("writes", f"{figures.pending} pending"),
            (
                "read",
                f"{formats.size(figures.bytes_read)}, "
                f"{formats.size(round((figures.bytes_read - before.bytes_read) / passed))}/s",
            ),
            (
                "kept",
                f"{formats.size(figures.bytes_cached)} of what was read, "
                f"{formats.size(figures.bytes_open)} of open transcripts",
            ),
        ]


def _versions() -> str:
    """Return the versions of what runs."""
    parts = [f"{name} {version(name)}" for name in ("textual", "redis", "watchfiles")]
    python = f"Python {platform.python_version()}"
    return ", ".join((__version__, *parts, python, sys.platform))


def _delays(delays: deque[float]) -> str:
    """Return how late the loop was, in words."""
    if not delays:
        return "not measured yet"
    ordered = sorted(delays)
    shares = {"median": 0.5, "p90": 0.9, "p99": 0.99}
    parts = [
        f"{word} {ordered[int((len(ordered) - 1) * share)] * 1000:.0f} ms"
        for word, share in shares.items()
    ]
    return ", ".join((*parts, f"longest {ordered[-1] * 1000:.0f} ms"))


def _resident() -> str:
    """Return how much memory is held now, where the system tells."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return "unknown now"
    return formats.size(int(statm.read_text().split()[1]) * resource.getpagesize())


def _most_resident() -> int:
    """Return how many bytes of memory were held at most."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
