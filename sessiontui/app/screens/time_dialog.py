"""The dialog to go to a time: of the clock, of a day, or back from the end."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from textual import on
from textual.content import Content
from textual.widgets import Input, Static

from sessiontui.app import format as figures
from sessiontui.app.format import SAFE_TEXT
from sessiontui.app.screens.dialog import Dialog, DialogButton
from sessiontui.app.widgets.inputs import Field
from sessiontui.times import EARLIEST_MS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import tzinfo

    from textual.widget import Widget

_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d))?"
_MOMENT = re.compile(
    rf"(?:(?P<year>\d{{4}})-(?P<month>\d\d?)-(?P<day>\d\d?))?(?:(?:^|[ T]+)(?:{_CLOCK}))?", re.ASCII
)
_BACK = re.compile(r"-\s*(?P<count>\d{1,6})\s*(?P<unit>[smhdw])", re.ASCII)
_UNIT_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


def parse_time(text: str, latest_ms: int, zone: tzinfo | None) -> int | None:
    """Return the time that is meant, in milliseconds since the epoch; None if none is.

    Args:
        text: `14:02`, the last one in the session; `2026-11-20` or `2026-11-20 14:02`; or
            `-2h`, back from the session's end.
        latest_ms: When the session ends.
        zone: Time zone of what is typed; None for the local one.
    """
    text = text.strip()
    back = _BACK.fullmatch(text)
    if back is not None:
        return max(EARLIEST_MS, latest_ms - int(back["count"]) * _UNIT_MS[back["unit"]])
    found = _MOMENT.fullmatch(text)
    if found is None or not text:
        return None
    end = datetime.fromtimestamp(latest_ms / 1000, zone).astimezone(zone)
    clock = [int(found[name] or 0) for name in ("hour", "minute", "second")]
    try:
        moment = end.replace(hour=clock[0], minute=clock[1], second=clock[2], microsecond=0)
        if found["year"]:
            day = [int(found[name]) for name in ("year", "month", "day")]
            moment = moment.replace(year=day[0], month=day[1], day=day[2])
        elif moment > end:
            moment -= timedelta(days=1)
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


class TimeDialog(Dialog[int]):
    """The answer is the time to go to, milliseconds since the epoch.

    Args:
        latest_ms: When the session ends.
        zone: Time zone of the times shown; None for the local one.
    """

    question = Content("Go to a time")
    choices = (DialogButton("cancel", "Cancel", "esc"), DialogButton("go", "Go", "⏎"))

    def __init__(self, latest_ms: int, *, zone: tzinfo | None) -> None:
        super().__init__()
        self._latest_ms = latest_ms
        self._zone = zone

    def body(self) -> Iterable[Widget]:
        """Yield the field, and the line that says what is meant."""
        yield Field(
            id="moment",
            placeholder="14:02, 2026-11-20 14:02, or -2h from its end",
            restrict=SAFE_TEXT,
            max_length=40,
            compact=True,
        )
        yield Static(id="outcome")

    def on_mount(self) -> None:
        """Say when the session ends."""
        self.query_one(Input).focus()
        self._tell("")

    @property
    def _wanted(self) -> int | None:
        return parse_time(self.query_one(Input).value, self._latest_ms, self._zone)

    def _tell(self, text: str) -> None:
        if text.strip() and self._wanted is None:
            words, style = "Not a time", "$failed"
        else:
            wanted = self._wanted
            what = "Its last entry is of" if wanted is None else "To the first entry from"
            when = self._latest_ms if wanted is None else wanted
            words, style = f"{what} {figures.exact_time(when, self._zone)}", "$past"
        self.query_one("#outcome", Static).update(Content.styled(words, style))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._tell(event.value)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.choose("go")

    def choose(self, choice_id: str) -> None:
        """Go, or do not."""
        if choice_id == "cancel":
            self.dismiss(None)
        elif self._wanted is not None:
            self.dismiss(self._wanted)
        else:
            self.app.bell()
