"""Doing the same to many: what fails does not stop the others, what was asked to stop does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sessiontui.cli.output import print_failures
from sessiontui.errors import AccessError, BackendDownError, SessionNotFoundError, StorageError
from sessiontui.progress import Progress
from sessiontui.workspace.bulk import Failure, Outcome, run_each

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

NAMES = ["a", "b", "c", "d"]


def failing(**errors: StorageError) -> Callable[[str], Awaitable[str]]:
    """Return work that raises these for their paths and else answers in capitals."""

    async def work(path: str) -> str:
        if path in errors:
            raise errors[path]
        return path.upper()

    return work


async def test_each_is_done_and_the_progress_told() -> None:
    progress = Progress()
    seen: list[tuple[int, int, str]] = []
    progress.listen(lambda: seen.append((progress.done, progress.total, progress.name)))
    outcome = await run_each(NAMES[:2], failing(), progress, "“{}”".format)
    assert outcome == Outcome(("A", "B"))
    assert seen == [(0, 2, ""), (0, 2, "“a”"), (1, 2, "“a”"), (1, 2, "“b”"), (2, 2, "“b”")]


async def test_one_that_fails_is_told_and_the_others_are_done() -> None:
    progress = Progress()
    error = AccessError("no permission", path="b")
    outcome = await run_each(NAMES, failing(b=error), progress, str)
    assert outcome.done == ("A", "C", "D")
    assert outcome.failed == (Failure("b", error),)
    assert (progress.done, progress.failed) == (4, 1)
    assert outcome.or_error() is outcome


async def test_without_a_connection_nothing_more_is_begun() -> None:
    outcome = await run_each(NAMES, failing(b=BackendDownError("away")), Progress(), str)
    assert (outcome.done, outcome.left) == (("A",), ("c", "d"))


async def test_where_all_failed_the_first_reason_is_raised() -> None:
    outcome = await run_each(["a"], failing(a=SessionNotFoundError("a")), Progress(), str)
    with pytest.raises(SessionNotFoundError):
        outcome.or_error()


async def test_it_stops_before_the_next_one() -> None:
    progress = Progress()

    async def work(path: str) -> str:
        if path == "b":
            progress.stop()
        return path

    outcome = await run_each(NAMES, work, progress, str)
    assert (outcome.done, outcome.left) == (("a", "b"), ("c", "d"))


@pytest.mark.parametrize(
    ("outcome", "code", "said"),
    [
        (Outcome(("a",)), 0, ""),
        (Outcome((), (), ("a", "b")), 130, "sessiontui: stopped: 2 not moved\n"),
        (
            Outcome(("a",), (Failure("b", AccessError("no\npermission\x1b[m")),)),
            1,
            "sessiontui: not moved: Title: no permission␛[m\n",
        ),
        (
            Outcome((), tuple(Failure(str(n), StorageError("x")) for n in range(22)), ("y",)),
            1,
            "".join(f"sessiontui: not moved: {n}: x\n" for n in range(20))
            + "sessiontui: and 2 more failed\nsessiontui: stopped: 1 not moved\n",
        ),
    ],
)
def test_what_was_not_done_is_said_on_stderr(
    outcome: Outcome[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert print_failures(outcome, {"b": "Title"}, "moved") == code
    assert capsys.readouterr().err == said
