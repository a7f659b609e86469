"""Bulk actions: the same for many sessions, one after the other; failures told at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from sessiontui.errors import BackendDownError, StorageError, WritesRefusedError
from sessiontui.workspace.events import error_reason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sessiontui.progress import Progress

Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Failure:
    """A session for which a bulk action failed."""

    path: str
    error: StorageError

    @property
    def reason(self) -> str:
        """Why, in one line that is safe to show."""
        return error_reason(self.error)


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Done]):
    """The result."""

    done: tuple[Done, ...] = ()
    failed: tuple[Failure, ...] = ()
    left: tuple[str, ...] = ()
    """Sessions that were not begun: it was stopped, or the source went away."""

    def or_error(self) -> Self:
        """Return itself unless all that was tried failed.

        Raises:
            StorageError: Why the first one failed.
        """
        if self.failed and not self.done:
            raise self.failed[0].error
        return self


async def run_each(
    paths: Sequence[str],
    work: Callable[[str], Awaitable[Done]],
    progress: Progress,
    name: Callable[[str], str],
) -> Outcome[Done]:
    """Do `work` to each session until all are done or it is stopped.

    One that fails does not keep the others from it; only where the source
    cannot be reached, or takes no writes, there is no use in going on.

    Args:
        paths: The sessions.
        work: What to do to one.
        progress: Is told, and asked whether to go on.
        name: Says what a session is called.
    """
    done: list[Done] = []
    failed: list[Failure] = []
    progress.begin(len(paths))
    for number, path in enumerate(paths):
        if progress.stopped:
            return Outcome(tuple(done), tuple(failed), tuple(paths[number:]))
        progress.work_on(name(path))
        try:
            done.append(await work(path))
        except StorageError as error:
            failed.append(Failure(path, error))
            progress.over(failed=True)
            if isinstance(error, BackendDownError | WritesRefusedError):
                return Outcome(tuple(done), tuple(failed), tuple(paths[number + 1 :]))
        else:
            progress.over()
    return Outcome(tuple(done), tuple(failed))
