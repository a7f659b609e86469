"""The demo's script: the texts of `sessions.toml`, as typed values.

Ages and durations are seconds.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Literal

import msgspec

Tool = Literal["bash", "read", "grep", "edit", "write", "task"]
TOOLS: tuple[Tool, ...] = ("bash", "read", "grep", "edit", "write", "task")

ScriptEnd = Literal["exit", "open", "asked", "error", "aborted", "running", "torn"]
"""How a session ended; the words are explained in `sessions.toml`."""


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry, or one round of an agent: what it thinks and says, a tool, the tool's result."""

    user: str | None = None
    say: str = ""
    think: str = ""
    bash: str | None = None
    read: str | None = None
    grep: str | None = None
    edit: str | None = None
    write: str | None = None
    task: str | None = None
    old: str = ""
    new: str = ""
    out: str = ""
    took: float = 0.3
    failed: bool = False
    compact: str | None = None
    model: str | None = None
    label: str | None = None
    odd: str | None = None
    image: bool = False
    rewind: bool = False

    @property
    def tool(self) -> Tool | None:
        """The tool that the round calls, if any."""
        return next((name for name in TOOLS if getattr(self, name) is not None), None)


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model and what a million of its tokens cost, in dollars."""

    api: str
    input: float
    output: float
    cached: float


class Project(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A folder that agents work in, and rounds that fit any of its sessions."""

    cwd: str
    moves: tuple[Step, ...]


class SessionScript(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The script of one finished or idle session."""

    project: str
    title: str
    age: str
    end: ScriptEnd
    model: str
    steps: tuple[Step, ...] = ()
    prompt: str = ""
    answer: str = ""
    follow: str = ""
    rounds: int = 0
    draft: str = ""
    named: Literal["auto", "user"] = "auto"
    parent: str = ""
    error: str = ""
    running: str = ""
    compact: int = 0
    subagents: int = 0
    image: bool = False
    odd: bool = False
    branch: bool = False


class LiveScript(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The script of one agent that works for as long as the demo runs."""

    project: str
    title: str
    model: str
    pace: float
    """How long its pauses are, compared with the others'."""
    prompts: tuple[str, ...]
    answers: tuple[str, ...]
    moves: tuple[Step, ...] = ()
    """Its rounds in order; empty for some of the project's."""
    delay: float = 0.0
    """When it appears, in seconds after the start."""
    leaves: bool = False
    """Whether it is closed after its last answer; the others begin again."""


class DemoScript(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole script of the demo."""

    models: dict[str, Model]
    projects: dict[str, Project]
    sessions: tuple[SessionScript, ...]
    live: tuple[LiveScript, ...]


@cache
def load_script() -> DemoScript:
    """Read the texts that come with the package."""
    text = resources.files(__package__).joinpath("sessions.toml").read_bytes()
    return msgspec.toml.decode(text, type=DemoScript)


def age_seconds(age: str) -> int:
    """Return the seconds in an age such as `12s`, `4m`, `2h` or `3d`."""
    return int(age[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[age[-1]]
