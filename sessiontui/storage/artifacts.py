"""Artifacts of a session: drafts, subagents and logs beside it, and where they stand.

The sidecar folder is the session's path without `.jsonl`: logs, drafts,
subagents' sessions. Debris lies beside it: backups (`<name>.jsonl.*.bak`), locks
(`.<name>.jsonl.lock`, `.lock.os`) and unfinished writes (`.<name>.jsonl.*.tmp`).
"""

from __future__ import annotations

from contextlib import suppress
from posixpath import commonprefix
from typing import TYPE_CHECKING, Final

from sessiontui.errors import InvalidPathError, SessionNotFoundError
from sessiontui.storage.changes import is_session, why_no_session
from sessiontui.text import clean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from sessiontui.storage.backend import Backend, Stat

PASSED_OVER: Final = "passed over"
"""How it begins what is told of a key or file that is not taken for a session."""
UNREADABLE: Final = "no permission to read it"
NOT_READ: Final = f"{PASSED_OVER} ({UNREADABLE})"
ODD_NAME: Final = f"{PASSED_OVER}, no session can have this name"
"""How the warning of such a name begins."""
_SUFFIX: Final = ".jsonl"
_SHOWN_CHARACTERS: Final = 200
"""How much of a hostile name a warning shows."""
_LOCKS: Final = (".lock", ".lock.os")


def sidecar_path(path: str) -> str:
    """Return the path of a session's sidecar folder.

    Raises:
        InvalidPathError: The path is not that of a session: it does not end in `.jsonl`.
    """
    if not is_session(path):
        why = why_no_session(path) or "it does not end in .jsonl"
        raise InvalidPathError(f"not the path of a session ({why}): {path}", path=path)
    return path.removesuffix(_SUFFIX)


def odd_names(paths: Iterable[str]) -> list[str]:
    """Return a warning for each name that neither a session nor what belongs to one can have."""
    return [
        f"{ODD_NAME} ({why}): {clean(path[:_SHOWN_CHARACTERS])}"
        for path in paths
        if (why := why_no_session(path)) is not None
    ]


def artifact_prefixes(path: str) -> tuple[str, str, str]:
    """Return what the paths of all that can belong to a session start with."""
    return (sidecar_path(path) + "/", path + ".", _hidden(path) + ".")


def is_artifact(candidate: str, path: str) -> bool:
    """Tell whether something belongs to the session `path`."""
    folder, beside, hidden = artifact_prefixes(path)
    if candidate.startswith(folder):
        return True
    if "/" in candidate[len(path.rpartition("/")[0]) + 1 :]:
        return False
    if candidate.startswith(beside):
        return _is_between(candidate.removeprefix(path), ".bak")
    if candidate.startswith(hidden):
        rest = candidate.removeprefix(_hidden(path))
        return rest in _LOCKS or _is_between(rest, ".tmp")
    return False


def is_unfinished(candidate: str, path: str) -> bool:
    """Tell whether something is a write of the session `path` that an agent has not finished."""
    hidden = _hidden(path)
    return candidate.startswith(hidden) and _is_between(candidate.removeprefix(hidden), ".tmp")


def artifact_target(candidate: str, path: str, new_path: str) -> str:
    """Return where something that belongs to `path` goes when that becomes `new_path`."""
    if candidate.startswith(path):
        return new_path + candidate.removeprefix(path)
    stem = sidecar_path(path) + "/"
    if candidate.startswith(stem):
        return f"{sidecar_path(new_path)}/{candidate.removeprefix(stem)}"
    return _hidden(new_path) + candidate.removeprefix(_hidden(path))


async def find_artifacts(backend: Backend, path: str) -> list[Stat]:
    """Return the session and everything that belongs to it, itself first, the rest by path.

    Raises:
        InvalidPathError: The path is not that of a session.
        SessionNotFoundError: There is no such session.
    """
    found: dict[str, Stat] = {}
    for prefix in (sidecar_path(path), _hidden(path) + "."):
        async for batch in backend.scan_under(prefix):
            for stat in batch.stats:
                if stat.path == path or is_artifact(stat.path, path):
                    found[stat.path] = stat
    session = found.pop(path, None)
    if session is None:
        raise SessionNotFoundError(path)
    return [session, *(found[name] for name in sorted(found))]


async def find_all_artifacts(backend: Backend, paths: Collection[str]) -> dict[str, list[Stat]]:
    """Return the same for many sessions, found in one scan; without those that are gone.

    Where one lies in the folder of another, everything is the other's.

    Raises:
        InvalidPathError: A path is not that of a session.
    """
    wanted = outermost_sessions(paths)
    if len(wanted) == 1:
        with suppress(SessionNotFoundError):
            return {wanted[0]: await find_artifacts(backend, wanted[0])}
        return {}
    owners = {sidecar_path(path): path for path in wanted}
    found: dict[str, dict[str, Stat]] = {path: {} for path in wanted}
    folders = commonprefix([path.rpartition("/")[0] + "/" for path in wanted])
    async for batch in backend.scan_under(folders.rpartition("/")[0] + "/" if folders else ""):
        for stat in batch.stats:
            owner = _owner(stat.path, owners)
            if owner is not None:
                found[owner][stat.path] = stat
    return {
        path: [stats.pop(path), *(stats[name] for name in sorted(stats))]
        for path, stats in found.items()
        if path in stats
    }


def outermost_sessions(paths: Collection[str]) -> list[str]:
    """Return the sessions that lie in the folder of no other one of these, each once, in order.

    Raises:
        InvalidPathError: A path is not that of a session.
    """
    owners = {sidecar_path(path): path for path in paths}
    return [path for path in dict.fromkeys(paths) if _folder_owner(path, owners) is None]


def _owner(candidate: str, owners: Mapping[str, str]) -> str | None:
    """Return the session that something belongs to, or is; `owners` are sessions by their stems."""
    above = _folder_owner(candidate, owners)
    if above is not None:
        return above
    if candidate.endswith(_SUFFIX) and candidate.removesuffix(_SUFFIX) in owners:
        return candidate
    folder, slash, name = candidate.rpartition("/")
    name = name.removeprefix(".")
    at = name.rfind(_SUFFIX + ".")
    while at >= 0:
        stem = f"{folder}{slash}{name[:at]}"
        if stem in owners and is_artifact(candidate, owners[stem]):
            return owners[stem]
        at = name.rfind(_SUFFIX + ".", 0, at)
    return None


def _folder_owner(candidate: str, owners: Mapping[str, str]) -> str | None:
    """Return the outermost of the sessions in whose sidecar folder something lies."""
    at = candidate.find("/", 1)
    while at >= 0:
        if candidate[:at] in owners:
            return owners[candidate[:at]]
        at = candidate.find("/", at + 1)
    return None


def _hidden(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}.{name}"


def _is_between(rest: str, suffix: str) -> bool:
    return len(rest) > len(suffix) and rest.startswith(".") and rest.endswith(suffix)
