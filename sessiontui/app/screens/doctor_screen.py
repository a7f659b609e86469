"""The doctor's screen: findings in groups; one key repairs one, another all of its kind."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from textual import on, work
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from sessiontui.app import format as formats
from sessiontui.app.screens.base import ClosedOnce
from sessiontui.app.screens.dialog import Question
from sessiontui.app.widgets.inputs import Choices
from sessiontui.doctor import KINDS, Finding, FindingKind, fix_words, waits_for_agents
from sessiontui.errors import BackendDownError, StorageError, WritesRefusedError
from sessiontui.text import clean
from sessiontui.workspace.events import error_reason
from sessiontui.workspace.repair import Repairs
from sessiontui.workspace.scan import StoreScan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from textual.app import ComposeResult
    from textual.await_complete import AwaitComplete
    from textual.binding import BindingType

    from sessiontui.workspace import Workspace

SHOWN_OF_KIND: Final = 500
"""How many findings of one kind are listed; all of them are repaired together."""
_OTHERS: Final = 4
_PLACES: Final = 4


class FindingLine(NamedTuple):
    """A line of the list."""

    content: Content
    key: str | None
    """The finding's; None for a heading."""


class FindingList:
    """The findings that are not repaired yet, as lines; knows no widget."""

    def __init__(self) -> None:
        self._of: defaultdict[FindingKind, dict[str, Finding]] = defaultdict(dict)
        self._reasons: dict[str, str] = {}

    def __len__(self) -> int:
        """Return how many there are."""
        return sum(map(len, self._of.values()))

    @property
    def repairable(self) -> int:
        """How many of them can be repaired."""
        return sum(found.fix is not None for some in self._of.values() for found in some.values())

    @property
    def notes(self) -> int:
        """How many of them are notes and no problems."""
        return sum(found.note for some in self._of.values() for found in some.values())

    def clear(self) -> None:
        """Forget all."""
        self._of.clear()
        self._reasons.clear()

    def add(self, findings: Iterable[Finding]) -> None:
        """Add some."""
        for finding in findings:
            self._of[finding.kind][finding_key(finding)] = finding

    def remove(self, finding: Finding) -> None:
        """Take one away: it is repaired."""
        self._of[finding.kind].pop(finding_key(finding), None)
        self._reasons.pop(finding_key(finding), None)

    def refused(self, finding: Finding, reason: str) -> None:
        """Note why one could not be repaired."""
        self._reasons[finding_key(finding)] = reason

    def get(self, key: str | None) -> Finding | None:
        """Return the finding of a line."""
        if key is None:
            return None
        return next((some[key] for some in self._of.values() if key in some), None)

    def like(self, finding: Finding) -> list[Finding]:
        """Return all of its kind that can be repaired."""
        return [found for found in self._of[finding.kind].values() if found.fix is not None]

    def lines(self, width: int) -> Iterator[FindingLine]:
        """Yield the lines of the list, the gravest kind first."""
        for kind in KINDS:
            some = self._of.get(kind)
            if not some:
                continue
            heading = Content.assemble((KINDS[kind].name, "bold"), (f"  {len(some)}", "$past"))
            yield FindingLine(heading, None)
            for key, finding in list(some.items())[:SHOWN_OF_KIND]:
                path = formats.cut_middle(clean(finding.path), max(20, width - 6))
                style = "$failed" if key in self._reasons else ""
                yield FindingLine(Content.assemble("  ", (path, style)), key)
            if len(some) > SHOWN_OF_KIND:
                more = f"  and {formats.plural(len(some) - SHOWN_OF_KIND, 'more')}"
                yield FindingLine(Content.styled(more.removesuffix("s"), "$past"), None)

    def told(self, finding: Finding, held: str | None) -> Content:
        """Return all that is to be said of a finding."""
        about = KINDS[finding.kind]
        lines = [Content.styled(about.meaning, "$past"), Content()]
        lines += [Content(clean(text)) for text in finding.evidence]
        lines += [Content(f"also {clean(path)}") for path in finding.others[:_OTHERS]]
        if len(finding.others) > _OTHERS:
            lines.append(Content(f"and {len(finding.others) - _OTHERS} more"))
        for place in finding.places[1:_PLACES]:
            lines.append(Content(f"at byte {place.offset:,}: {clean(place.reason)}"))
        lines.append(Content())
        if finding.fix is None:
            lines.append(Content.styled(about.remedy, "$past"))
        else:
            words = clean(fix_words(finding.fix))
            lines.append(Content.assemble(("Repair: ", "bold"), f"{words}."))
        if held is not None:
            waits = "It waits for an agent that may hold it open: "
            lines.append(Content.styled(f"{waits}{clean(held)}.", "$attention"))
        reason = self._reasons.get(finding_key(finding))
        if reason is not None:
            lines.append(Content.styled(f"Not repaired: {reason}", "$failed"))
        return Content("\n").join(lines)


def finding_key(finding: Finding) -> str:
    """Return what tells a finding from others, as a text."""
    return f"{finding.kind} {finding.path}"


_REDRAW_S: Final = 0.2
_KEYS: Final = (
    "f repair   F all of this kind   u undo   L read every line   {} go there   esc close"
)
_PATH_CELLS: Final = 60


class DoctorScreen(ModalScreen[str | None], ClosedOnce[str | None]):
    """Examines the workspace while it is open; answers with the session to go to, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,D", "close", show=False),
        Binding("f", "repair", show=False),
        Binding("F", "repair_all", show=False),
        Binding("u", "take_back", show=False),
        Binding("L", "deep", show=False),
    ]

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self.findings = FindingList()
        self.quiet = False
        """Whether everything that was asked for has been done and is shown."""
        self._workspace = workspace
        self._repairs = Repairs(workspace)
        self._stale = False
        self._width = 0
        """The width that paths were cut to."""
        self._busy = False
        self._placed: str | None = None
        """Which finding was highlighted for the user, who may have moved since."""

    def compose(self) -> ComposeResult:
        """Lay out heading, list, what is said of the highlighted finding, and the keys."""
        with Vertical(classes="doctor"):
            yield Static(id="doctor-heading")
            yield Choices(id="doctor-findings", markup=False, compact=True)
            with VerticalScroll(id="doctor-about", can_focus=False):
                yield Static(id="doctor-told")
            keys = _KEYS.format("enter" if self._workspace.config.ascii else "⏎")
            yield Static(Content.styled(keys, "$past"), classes="closing")

    def on_mount(self) -> None:
        """Begin to look."""
        self._list.focus()
        self.set_interval(_REDRAW_S, self._redraw)
        self._examine(deep=False)

    @property
    def _list(self) -> Choices:
        return self.query_one(Choices)

    @property
    def highlighted(self) -> Finding | None:
        """The finding that the keys are about."""
        option = self._list.highlighted_option
        return self.findings.get(None if option is None else option.id)

    # Looking.

    @work(group="examine", exclusive=True)
    async def _examine(self, *, deep: bool) -> None:
        """Look everything over and show what is found as it comes."""
        self.quiet = False
        self.findings.clear()
        self._stale = True
        try:
            async for progress in StoreScan(self._workspace).examine(deep=deep):
                if progress.found:
                    self.findings.add(progress.found)
                    self._stale = True
                share = f" {progress.done / progress.total:.0%}" if progress.total else ""
                self._head(f"{progress.what}{share}…")
        except StorageError as error:
            self._redraw()
            self._head(f"Not checked: {error_reason(error)}", "$failed")
        else:
            self._redraw()
            self._sum_up()
        self.quiet = True

    def _sum_up(self, told: str = "", style: str = "$past") -> None:
        """Say in the heading how many findings there are, and what was done last."""
        notes, can = self.findings.notes, self.findings.repairable
        wrong = len(self.findings) - notes
        what = formats.plural(wrong, "finding") if wrong else "no problems found"
        if notes:
            what += f", {formats.plural(notes, 'note')}"
        if wrong or notes:
            what += f", {can or 'none'} can be repaired"
        parts = [Content.styled(what, "$past")]
        if told:
            parts.append(Content.styled(told, style))
        heading = Content.assemble(("Doctor  ", "bold"), Content("   ").join(parts))
        self.query_one("#doctor-heading", Static).update(heading)

    def _head(self, text: str, style: str = "$past") -> None:
        heading = Content.assemble(("Doctor  ", "bold"), (text, style))
        self.query_one("#doctor-heading", Static).update(heading)

    def _redraw(self) -> None:
        """Show what has changed, the width too, with the highlight where it was."""
        shown = self._list
        width = shown.scrollable_content_region.width  # Not known before the list is shown.
        if not self._stale and width == self._width:
            return
        self._stale, self._width = False, width
        before, option = shown.highlighted, shown.highlighted_option
        lines = list(self.findings.lines(width))
        options = [Option(line.content, line.key, disabled=line.key is None) for line in lines]
        shown.set_options(options)
        self.set_class(not options, "-empty")
        if options and self.focused is None:
            shown.focus()
        keys = [line.key for line in lines]
        kept = option.id if option is not None else None
        if kept is not None and kept in keys and kept != self._placed:
            shown.highlighted = keys.index(kept)  # The user went there.
        else:
            # The next one, where the highlighted one is repaired; else the gravest.
            start = 0 if before is None or kept in keys else min(before, len(keys) - 1)
            following = [at for at in range(max(0, start), len(keys)) if keys[at] is not None]
            leading = [at for at in range(max(0, start)) if keys[at] is not None]
            near = [*following, *reversed(leading)]
            shown.highlighted = near[0] if near else None
            self._placed = keys[near[0]] if near else None
        self._tell()

    @on(OptionList.OptionHighlighted)
    def _highlight_moved(self) -> None:
        self._tell()

    def _tell(self) -> None:
        finding = self.highlighted
        told = Content()
        if finding is not None:
            told = self.findings.told(finding, self._held(finding))
        self.query_one("#doctor-told", Static).update(told)

    def _held(self, finding: Finding) -> str | None:
        """Return why a repair has to wait for an agent, or None."""
        return self._workspace.held(finding.path) if waits_for_agents(finding.fix) else None

    # Repairing.

    def _may_change(self) -> bool:
        """Tell whether a key may repair now; else say why not."""
        reason = self._workspace.state.read_only
        if reason is not None:
            self._sum_up(f"read-only: {clean(reason)}", "$attention")
        return reason is None and not self._busy

    @work(group="repair")
    async def action_repair(self) -> None:
        """Repair the highlighted finding, after asking."""
        finding = self.highlighted
        if finding is None or not self._may_change():
            return
        if finding.fix is None:
            self._sum_up("no repair for this", "$past")
            return
        path = formats.cut_middle(clean(finding.path), _PATH_CELLS)
        lines = [Content(f"It will {clean(fix_words(finding.fix))}.")]
        held = self._held(finding)
        if held is not None:
            told = f"{formats.as_sentence(held)} Its agent would lose the rest of its work."
            lines.append(Content.styled(told, "$attention"))
        question = Content(f"Repair {path}?")
        await self._repair_if_agreed(question, lines, [finding], insist=held is not None)

    @work(group="repair")
    async def action_repair_all(self) -> None:
        """Repair all findings of the highlighted one's kind, after asking."""
        finding = self.highlighted
        if finding is None or not self._may_change():
            return
        some = self.findings.like(finding)
        if not some:
            self._sum_up("no repair for these", "$past")
            return
        about = KINDS[finding.kind]
        question = Content(f"Repair {formats.plural(len(some), 'finding')}: {about.name.lower()}?")
        await self._repair_if_agreed(question, [Content(about.remedy)], some)

    async def _repair_if_agreed(
        self,
        question: Content,
        lines: list[Content],
        findings: Sequence[Finding],
        *,
        insist: bool = False,
    ) -> None:
        lines.append(Content.styled("u undoes it.", "$past"))
        self._busy, self.quiet = True, False
        try:
            yes = "Repair it anyway" if insist else "Repair"
            asked = Question(question, lines, yes=yes, no="Cancel")
            if await self.app.push_screen_wait(asked) is not None:
                await self._repair(findings, insist=insist)
        finally:
            self._busy = False
            self.quiet = True

    async def _repair(self, findings: Sequence[Finding], *, insist: bool) -> None:
        done = failed = 0
        last = ""
        for number, finding in enumerate(findings):
            self._head(f"repairing {number + 1} of {len(findings)}…")
            try:
                await self._repairs.fix(finding, insist=insist)
            except StorageError as error:
                failed += 1
                last = error_reason(error)
                self.findings.refused(finding, last)
                if isinstance(error, BackendDownError | WritesRefusedError):
                    break
            else:
                done += 1
                self.findings.remove(finding)
            self._stale = True
        self._redraw()
        if failed:
            told = f"{done} repaired, {failed} not" if done else f"not repaired: {last}"
            self._sum_up(told, "$failed")
        else:
            self._sum_up(f"{done} repaired, u undoes it" if done > 1 else "repaired, u undoes it")

    @work(group="repair")
    async def action_take_back(self) -> None:
        """Take back the last repair, of this run or of an earlier one, after asking."""
        if not self._may_change():
            return
        try:
            made = self._repairs.made()
        except StorageError as error:
            self._sum_up(f"not undone: {error_reason(error)}", "$failed")
            return
        if not made:
            self._sum_up("no repair to undo")
            return
        last = made[-1]
        path = formats.cut_middle(clean(last.path), _PATH_CELLS)
        when = formats.age(last.made_ms, self._workspace.clock())
        self._busy, self.quiet = True, False
        try:
            asked = Question(
                Content(f"Undo the repair of {path}?"),
                [Content(f"{KINDS[last.kind].name}, repaired {when} ago.")],
                yes="Undo",
                no="Cancel",
            )
            if await self.app.push_screen_wait(asked) is None:
                self.quiet = True
                return
            await self._repairs.take_back(last)
        except StorageError as error:
            self._sum_up(f"not undone: {error_reason(error)}", "$failed")
            self.quiet = True
        else:
            self._examine(deep=False)
        finally:
            self._busy = False

    def action_deep(self) -> None:
        """Look for broken lines too, in every byte."""
        if not self._busy:
            self._examine(deep=True)

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        finding = self.highlighted
        if finding is not None:
            self.dismiss(finding.path)

    def dismiss(self, result: str | None = None) -> AwaitComplete:
        """Go away, maybe to a session; what is not examined or repaired by then is left."""
        self.workers.cancel_node(self)
        self._stale = False
        return super().dismiss(result)

    def action_close(self) -> None:
        """Close."""
        self.dismiss(None)
