"""How an outline is arranged, what is folded in it, and where in it a session stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sessiontui.catalog.row import Row  # noqa: TC001  (msgspec reads it)
from sessiontui.catalog.sorting import text_place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sessiontui.catalog.sorting import Place, Sort


class Layout(msgspec.Struct, frozen=True):
    """How an outline is arranged."""

    place: Callable[[Row], Place]
    group_place: Callable[[Group], Place] | None
    """Where a group stands; None: where its first session does."""
    lifted: bool
    """Whether a family stands where its first member would, rather than where its head would."""
    grouped: bool = True
    nested: bool = True
    width: int = 2
    """How many items a place has."""


class Folds(msgspec.Struct):
    """What the user folded and unfolded."""

    groups: set[str] = msgspec.field(default_factory=set)
    """Groups that are closed."""
    sessions: dict[str, bool] = msgspec.field(default_factory=dict)
    """Sessions that are open (True) or closed; otherwise forks are shown and subagents are not."""


class Group:
    """The sessions of one project."""

    __slots__ = ("bytes", "key", "keys", "newest_ms", "order", "sessions")

    def __init__(self, key: str) -> None:
        self.key = key
        self.keys: list[Place] = []
        self.sessions = 0
        self.bytes = 0
        self.newest_ms: int | None = 0
        self.order: Place = ()


class Spot(msgspec.Struct, gc=False):
    """Where a session stands: its key (empty while folded away), its group, and the row counted."""

    key: Place
    group: Group
    row: Row


def layout_of(sort: Sort, place: Callable[[Row], Place], *, reverse: bool, flat: bool) -> Layout:
    """Return how the whole list is arranged."""
    group_place: Callable[[Group], Place] | None = None
    if sort == "title":
        group_place = lambda group: (text_place(group.key, reverse=reverse),)  # noqa: E731
    elif sort == "size":
        group_place = lambda group: (group.bytes if reverse else -group.bytes,)  # noqa: E731
    return Layout(
        place=place,
        group_place=group_place,
        lifted=sort != "title",
        grouped=not flat,
    )


def found_layout(
    place: Callable[[Row], Place], *, flat: bool, scores: Mapping[str, int] | None
) -> Layout:
    """Return how found sessions are arranged: by their scores first, where there are any."""
    return Layout(
        place=place if scores is None else lambda row: (-scores[row.path], *place(row)),
        group_place=None,
        lifted=False,
        grouped=not flat,
        nested=False,
        width=2 if scores is None else 3,
    )
