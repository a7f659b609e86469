"""pi: what differs from omp, which writes the same entries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from sessiontui.formats.omp import Omp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sessiontui.formats.jsonl import Entry


class Pi(Omp):
    """pi."""

    agent = "pi"
    name = "pi"
    resume = ("pi", "--session", "{path}")

    def roots(self, environ: Mapping[str, str], home: Path) -> list[Path]:
        """Return pi's root."""
        del environ
        return [home / ".pi" / "agent" / "sessions"]

    def recognises(self, entry: Entry) -> Literal["no", "likely", "certain"]:
        """Tell by what omp does not write; any other header of a session is likely pi's."""
        if entry.type == "session_info":
            return "certain"
        if entry.type == "session":
            return "certain" if "modelId" in entry.data else "likely"
        return "certain" if entry.type == "model_change" else "no"

    def no_title(self, *, has_slot: bool) -> str | None:
        """Return that pi cannot read a slot, unless there is one already."""
        if has_slot:
            return None
        return "pi cannot open a session with a title before its header; only the path can change."

    def lock(self, file: Path) -> None:
        """Return nothing: pi locks nothing."""
        del file

    def tells_leaving(self, *, has_slot: bool) -> bool:
        """Return that pi leaves without a word."""
        del has_slot
        return False


PI: Final = Pi()
