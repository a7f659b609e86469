"""The command that resumes a session in the agent that wrote it.

omp takes a path or the beginning of an id after `--resume`, pi a path after
`--session`; Claude Code and Codex know their sessions by id alone. A path is
taken where it can be: it never means another session. Nothing is given to a
shell, and no id or path can be taken for an option.
"""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from sessiontui.errors import ResumeError
from sessiontui.formats.registry import AGENTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,199}")
_PLACE = re.compile(r"\{(id|path|cwd)\}")


def command_words(agent: str, commands: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the words of an agent's command, not filled in yet.

    Raises:
        ResumeError: It is no agent that we know.
    """
    fmt = AGENTS.get(agent)
    words = commands.get(agent) or (fmt.resume if fmt is not None else None)
    if words is None:
        raise ResumeError("it is not known which agent wrote this session")
    return words


def resume_command(
    agent: str,
    commands: Mapping[str, tuple[str, ...]],
    *,
    session_id: str | None,
    path: str,
    cwd: str | None,
    on_disk: bool,
) -> tuple[str, ...]:
    """Return the words of the command that goes on with a session.

    Args:
        agent: Who wrote it: a key of `AGENTS`, or something else.
        commands: The user's own commands by agent.
        session_id: The session's id.
        path: Its file where `on_disk`, else its path in the store.
        cwd: The folder it worked in.
        on_disk: Whether `path` is a file that the agent can read.

    Raises:
        ResumeError: There is no such command; says why.
    """
    words = command_words(agent, commands)
    if not on_disk and agent not in commands:
        raise ResumeError(
            f"{AGENTS[agent].name} resumes only from disk, and this session is in Redis"
        )
    values = {"id": session_id or "", "path": path, "cwd": cwd or ""}
    used = {name for word in words for name in _PLACE.findall(word)}
    if "id" in used and not _ID.fullmatch(values["id"]):
        raise ResumeError("the session has no id that a command can take")
    if "path" in used and (not path.startswith("/") or "\0" in path):
        raise ResumeError("the session's path is not one that a command can take")
    if "cwd" in used and (not values["cwd"].startswith("/") or "\0" in values["cwd"]):
        raise ResumeError("the session does not tell which folder it worked in")
    return tuple(_PLACE.sub(lambda match: values[match[1]], word) for word in words)


def shell_line(command: Sequence[str], cwd: str | None) -> str:
    """Return the command as one line to paste into a shell; it goes to `cwd` first."""
    line = shlex.join(command)
    return f"cd {shlex.quote(cwd)} && {line}" if cwd and cwd.startswith("/") else line


def find_program(command: Sequence[str], search: str | None) -> str:
    """Return the file that a command runs.

    Args:
        command: Its words.
        search: The folders to look in, as `$PATH` has them.

    Raises:
        ResumeError: It is not installed.
    """
    found = shutil.which(command[0], path=search)
    if found is None:
        raise ResumeError(f"{command[0]} is not installed, or not in $PATH")
    return str(Path(found).absolute())  # The folder is another one when it runs.
