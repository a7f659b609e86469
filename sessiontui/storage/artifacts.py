"""What belongs to a session beside its own bytes, and where it stands.

The sidecar folder is the session's path without `.jsonl`: logs, drafts,
subagents' sessions. Debris lies beside it: backups (`<name>.jsonl.*.bak`), locks
(`.<name>.jsonl.lock`, `.lock.os`) and unfinished writes (`.<name>.jsonl.*.tmp`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sessiontui.errors import InvalidPathError, SessionNotFoundError

if TYPE_CHECKING:
    from sessiontui.storage.backend import Backend, Stat

_SUFFIX: Final = ".jsonl"
_LOCKS: Final = (".lock", ".lock.os")


def stem_of(path: str) -> str:
    """Return the path of a session's sidecar folder.

    Raises:
        InvalidPathError: The path is not that of a session: it does not end in `.jsonl`.
    """
    name = path.rpartition("/")[2]
    if not name.endswith(_SUFFIX) or name == _SUFFIX:
        raise InvalidPathError(f"not the path of a session (no .jsonl): {path}", path=path)
    return path.removesuffix(_SUFFIX)


def prefixes_of(path: str) -> tuple[str, str, str]:
    """Return what the paths of all that can belong to a session start with."""
    return (stem_of(path) + "/", path + ".", _hidden(path) + ".")


def belongs(candidate: str, path: str) -> bool:
    """Tell whether something belongs to the session `path`."""
    folder, beside, hidden = prefixes_of(path)
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


def moved(candidate: str, path: str, new_path: str) -> str:
    """Return where something that belongs to `path` goes when that becomes `new_path`."""
    if candidate.startswith(path):
        return new_path + candidate.removeprefix(path)
    stem = stem_of(path) + "/"
    if candidate.startswith(stem):
        return f"{stem_of(new_path)}/{candidate.removeprefix(stem)}"
    return _hidden(new_path) + candidate.removeprefix(_hidden(path))


async def find_artifacts(backend: Backend, path: str) -> list[Stat]:
    """Return the session and everything that belongs to it, itself first, the rest by path.

    Raises:
        InvalidPathError: The path is not that of a session.
        SessionNotFoundError: There is no such session.
    """
    found: dict[str, Stat] = {}
    for prefix in (stem_of(path), _hidden(path) + "."):
        async for batch in backend.scan_under(prefix):
            for stat in batch.stats:
                if stat.path == path or belongs(stat.path, path):
                    found[stat.path] = stat
    session = found.pop(path, None)
    if session is None:
        raise SessionNotFoundError(path)
    return [session, *(found[name] for name in sorted(found))]


def _hidden(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}.{name}"


def _is_between(rest: str, suffix: str) -> bool:
    return len(rest) > len(suffix) and rest.startswith(".") and rest.endswith(suffix)
