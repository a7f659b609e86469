"""Feeds: bounded queues, and what folding leaves of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sessiontui.storage.change_feed import (
    ROOM_BYTES,
    ROOM_CHANGES,
    ChangeFeed,
    ChangeFeeds,
    coalesce_changes,
)
from sessiontui.storage.changes import (
    Appended,
    Change,
    Created,
    Removed,
    Renamed,
    Retitled,
    Rewritten,
)
from sessiontui.storage.mirror import MirrorEntry

PATHS = ("a", "b", "c")


def feed_of(known: dict[str, MirrorEntry]) -> ChangeFeed:
    return ChangeFeed(own=True, known=known.get, taken=lambda: None)


async def test_a_feed_nobody_takes_from_holds_one_entry_a_session() -> None:
    known = {str(number): MirrorEntry(1, 1) for number in range(100)}
    feed = feed_of(known)
    for number in range(50 * ROOM_CHANGES):
        feed.push(Appended(str(number % 100), number, b"x", 1))
    assert feed.waiting <= 2 * ROOM_CHANGES
    batch = await anext(feed.batches())
    assert {change.path for change in batch} == set(known)


async def test_a_feed_nobody_takes_from_holds_no_more_bytes_than_its_bound() -> None:
    feed = feed_of({"a": MirrorEntry(1, 1)})
    for number in range(100):
        feed.push(Appended("a", number * ROOM_BYTES // 4, b"x" * (ROOM_BYTES // 4), 1))
    batch = await anext(feed.batches())
    assert sum(len(change.data) for change in batch if isinstance(change, Appended)) <= (
        2 * ROOM_BYTES
    )
    assert isinstance(batch[0], Rewritten)


async def test_changes_can_be_taken_one_by_one_and_in_lists() -> None:
    feed = feed_of({})
    for path in "abcd":
        feed.push(Removed(path))
    assert await anext(feed) == Removed("a")
    assert await anext(feed.batches()) == [Removed("b"), Removed("c"), Removed("d")]
    feed.end()
    assert [change async for change in feed] == []


async def test_a_listener_to_peers_hears_nothing_of_ours() -> None:
    feeds = ChangeFeeds()
    peers, everything = (feeds.open(own=own, known=lambda _: None) for own in (False, True))
    feeds.publish(Removed("ours"), True)
    feeds.publish(Removed("theirs"), False)
    assert (peers.waiting, everything.waiting) == (1, 2)
    feeds.close_all()


class Model:
    """The sessions a listener knows, by the changes it was told."""

    def __init__(self, sessions: dict[str, tuple[int, bytes | None]]) -> None:
        self.sessions = dict(sessions)

    def apply(self, change: Change) -> None:
        match change:
            case Created():
                assert change.path not in self.sessions
                self.sessions[change.path] = (change.size, change.title)
            case Appended():
                size, title = self.sessions[change.path]
                assert size == change.start
                self.sessions[change.path] = (size + len(change.data), title)
            case Rewritten():
                self.sessions[change.path] = (change.size, self.sessions[change.path][1])
            case Removed():
                del self.sessions[change.path]
            case Renamed():
                self.sessions[change.new_path] = self.sessions.pop(change.path)
            case Retitled():
                self.sessions[change.path] = (self.sessions[change.path][0], change.title)


@given(st.data())
def test_folded_changes_lead_to_the_same_sessions(data: st.DataObject) -> None:
    before: dict[str, tuple[int, bytes | None]] = {
        path: (data.draw(st.integers(0, 9)), None)
        for path in data.draw(st.sets(st.sampled_from(PATHS)))
    }
    now = Model(before)
    changes: list[Change] = []
    for _ in range(data.draw(st.integers(0, 12))):
        change = draw_change(data, now.sessions)
        now.apply(change)
        changes.append(change)
    known = {path: MirrorEntry(size, 1, title) for path, (size, title) in now.sessions.items()}
    folded = Model(before)
    for change in coalesce_changes(changes, known.get):
        folded.apply(change)
    assert folded.sessions == now.sessions


def draw_change(data: st.DataObject, sessions: dict[str, tuple[int, bytes | None]]) -> Change:
    """Draw a change that can happen to these sessions."""
    path = data.draw(st.sampled_from(PATHS))
    size = data.draw(st.integers(0, 9))
    title = data.draw(st.sampled_from([None, b"", b"t"]))
    if path not in sessions:
        return Created(path, size, 1, title)
    free = [other for other in PATHS if other not in sessions]
    kinds: list[Change] = [
        Appended(path, sessions[path][0], b"x" * size, 1),
        Rewritten(path, size, 1),
        Removed(path),
        Retitled(path, title, 1),
    ]
    kinds += [Renamed(path, other, 1) for other in free]
    return data.draw(st.sampled_from(kinds))
