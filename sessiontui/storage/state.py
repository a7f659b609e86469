"""How a storage stands: what is pending, what was lost, how changes reach it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiontui.storage.backend import FeedState
    from sessiontui.storage.operation import PendingWrite, Unwritten
    from sessiontui.storage.sync import Follower
    from sessiontui.storage.write_queue import Chain


class StorageState:
    """What chain and follower say; both are the storage's own."""

    _chain: Chain
    _follower: Follower

    @property
    def pending(self) -> int:
        """Number of calls that the store has not confirmed yet."""
        return self._chain.pending

    @property
    def last_error(self) -> Exception | None:
        """Why the store did not answer a write the last time; None since it does."""
        return self._chain.last_error

    @property
    def refusals(self) -> int:
        """How often the store refused a change for want of a right, or as it takes none."""
        return self._chain.refusals

    @property
    def unwritten(self) -> tuple[Unwritten, ...]:
        """What was accepted and could not be written, oldest first."""
        return tuple(self._chain.unwritten)

    @property
    def pending_writes(self) -> tuple[PendingWrite, ...]:
        """The changes that the store has not confirmed yet, in the order of the calls."""
        return self._chain.described()

    @property
    def given_up(self) -> tuple[PendingWrite, ...]:
        """What `aclose` did not wait for any longer, in the order in which it failed."""
        return tuple(self._chain.given_up)

    def take_unwritten(self) -> tuple[Unwritten, ...]:
        """Return `unwritten` and hold it no more."""
        taken = self.unwritten
        self._chain.unwritten.clear()
        return taken

    @property
    def feed_state(self) -> FeedState:
        """How peers' changes reach us at the moment."""
        return self._follower.state

    @property
    def warnings(self) -> Sequence[str]:
        """What was passed over in the store and why; the newest hundred."""
        return tuple(self._follower.warnings)
