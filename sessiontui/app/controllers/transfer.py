"""Copies and moves sessions to another store: asks where, shows progress, tells the result."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from textual.content import Content

from sessiontui.app import format as formats
from sessiontui.errors import ConfigError, ReadOnlyError, SessionExistsError, SessionTuiError
from sessiontui.formats.omp import OMP
from sessiontui.formats.registry import session_roots
from sessiontui.paths import is_folder
from sessiontui.progress import Progress
from sessiontui.sources import DirectorySource, parse_source
from sessiontui.text import clean
from sessiontui.workspace.connection import READ_ONLY_REQUESTED
from sessiontui.workspace.events import error_reason, told_once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessiontui.app.controllers.prompts import Prompts
    from sessiontui.app.screens.transfer_dialog import TransferRequest
    from sessiontui.sources import Source
    from sessiontui.workspace import Outcome
    from sessiontui.workspace.transfer import TransferOptions, TransferResult

_USUAL_SERVER = "redis://localhost:6379"
_PLACE_CELLS = 40


class TransferController:
    """Copy and move to another store, from the key to the message.

    Args:
        conversation: Asks and tells.
    """

    def __init__(self, conversation: Prompts) -> None:
        self._conversation = conversation
        self._workspace = conversation.workspace
        self._keys = conversation.keys
        self._tell = conversation.tell
        self._last: str | None = None
        """The place that something was copied to last."""

    async def transfer(self, paths: Sequence[str], *, move: bool) -> None:
        """Copy or move sessions where the user wants."""
        from sessiontui.app.screens.progress_dialog import StoppedError

        try:
            with self._conversation.begun():
                await self._transfer(paths, move=move)
        except StoppedError:
            self._tell("Stopped: no changes", "past")
        except SessionTuiError as error:
            self._tell(f"Not {'moved' if move else 'copied'}: {error_reason(error)}", "failed")

    async def _transfer(self, paths: Sequence[str], *, move: bool) -> None:
        from sessiontui.app.screens.transfer_dialog import TransferDialog
        from sessiontui.workspace.bulk import Outcome
        from sessiontui.workspace.transfer import TransferOptions

        workspace = self._workspace
        if workspace.config.read_only:
            raise ReadOnlyError(READ_ONLY_REQUESTED)
        plan = await self._conversation.while_shown(
            f"Looking up files of {formats.plural(len(paths), 'session')}",
            Progress(),
            workspace.plan_delete(paths),
        )
        names = {path: self._conversation.name(path) for path in plan.paths}
        target = await self._conversation.ask(
            TransferDialog(
                plan,
                self._conversation.title(plan.paths[0]),
                about=self._conversation.about(plan.paths),
                move=move,
                places=self._places(),
                first=self._first(),
                parse=self._parse,
                project=self._project,
                unit=self._conversation.unit,
                keys=(self._keys.written("enter"), self._keys.first("undo")),
            )
        )
        if target is None or not target.paths:
            return
        wish = TransferOptions(move=move, cwd=target.cwd, force=target.force)
        outcome = await self._run(target, target.paths, wish)
        blocked = [
            failure.path
            for failure in outcome.failed
            if isinstance(failure.error, SessionExistsError)
        ]
        if blocked and await self._may_replace(blocked, names):
            again = await self._run(
                target,
                blocked,
                TransferOptions(move=move, cwd=target.cwd, force=target.force, overwrite=True),
            )
            others = tuple(one for one in outcome.failed if one.path not in blocked)
            outcome = Outcome(
                outcome.done + again.done, others + again.failed, outcome.left + again.left
            )
        if outcome.done:
            self._last = target.text
        self._told(outcome.or_error(), target.source, names, move=move)

    async def _run(
        self, target: TransferRequest, paths: Sequence[str], wish: TransferOptions
    ) -> Outcome[TransferResult]:
        from sessiontui.workspace.transfer import Transfers, open_destination

        progress = Progress()
        doing = "Moving" if wish.move else "Copying"

        async def work() -> Outcome[TransferResult]:
            workspace = self._workspace
            async with open_destination(
                target.source, home=workspace.home, origin=workspace.source
            ) as destination:
                return await Transfers(workspace).run(paths, destination, wish, progress)

        what = formats.plural(len(paths), "session")
        return await self._conversation.while_shown(f"{doing} {what}", progress, work())

    async def _may_replace(self, paths: Sequence[str], names: dict[str, str]) -> bool:
        """Ask whether what is in the way may go to its trash."""
        from sessiontui.app.screens.dialog import Question

        many = formats.plural(len(paths), "session")
        what = names[paths[0]] if len(paths) == 1 else many
        question = Question(
            Content(f"Replace {what} there?"),
            [Content("Another session has this path. It would be moved to its trash.")],
            yes="Replace",
            no="Cancel",
        )
        return await self._conversation.ask(question) is not None

    def _told(
        self,
        outcome: Outcome[TransferResult],
        source: Source,
        names: dict[str, str],
        *,
        move: bool,
    ) -> None:
        """Say in one line what was done, and what was not and why."""
        done = outcome.done
        what = names[done[0].path] if len(done) == 1 else formats.plural(len(done), "session")
        place = formats.cut_middle(clean(source.label), _PLACE_CELLS)
        text = f"{'Moved' if move else 'Copied'} {what} to {place}"
        there = sum(one.state == "there" for one in done)
        if there:
            text += ", which was there already" if len(done) == 1 else f", {there:,} there already"
        if outcome.left:
            text += f", {len(outcome.left):,} left"
        if outcome.failed:
            first = outcome.failed[0]
            text += f"; {len(outcome.failed):,} failed: {told_once(names[first.path], first.error)}"
        if move and done:
            text += f"   {self._keys.first('undo')} to undo"
        self._tell(text, "failed" if outcome.failed else "plain")

    def _places(self) -> list[str]:
        """Return the places to offer: the last one, the configured one, omp's folder, a server."""
        workspace = self._workspace
        omp = OMP.roots(os.environ, Path(workspace.home))[0]
        offered = [self._last, workspace.config.source, str(omp), _USUAL_SERVER]
        places: list[str] = []
        for text in offered:
            if text is not None and text not in places:
                try:
                    self._parse(text)
                except ConfigError:
                    continue
                places.append(text)
        return places

    def _first(self) -> str:
        """Return the place that one Enter would take: one that the user named, or that is there."""
        for place in self._places():
            if place in (self._last, self._workspace.config.source) or is_folder(Path(place)):
                return place
        return ""

    def _parse(self, text: str) -> Source:
        from sessiontui.workspace.transfer import is_same_place

        workspace = self._workspace
        home = Path(workspace.home)
        own = session_roots(os.environ, home)
        if text == OMP.agent:
            text = str(own[0])
        source = parse_source(text, home=home, tls=workspace.config.tls)
        if is_same_place(source, workspace.source):
            raise ConfigError("the sessions are there already")
        if (
            isinstance(source, DirectorySource)
            and source.path not in own
            and not is_folder(source.path)
        ):
            raise ConfigError(f"there is no folder {source.path}")
        return source

    def _project(self, text: str) -> str:
        home = self._workspace.home
        path = home + text[1:] if text == "~" or text.startswith("~/") else text
        if not path.startswith("/"):
            raise ConfigError("the folder of a project begins with / or ~")
        return os.path.normpath(path)
