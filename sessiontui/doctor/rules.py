"""The doctor's rules: from facts to findings. Times are milliseconds since the epoch."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from sessiontui.catalog.row_builder import id_from_path
from sessiontui.doctor.findings import (
    ChangeTimesAndTitles,
    Discard,
    Finding,
    GiveSlot,
    JoinTail,
    RewriteSlot,
)
from sessiontui.formats.jsonl import Entry, decode_line, split_lines
from sessiontui.formats.registry import AGENTS, parse_file_name
from sessiontui.formats.title_slot import (
    SLOT_BYTES,
    make_slot,
    normalize_title,
    parse_slot,
    parse_title_field,
)
from sessiontui.storage.backend import JOIN_BYTES, HashFieldChange, Stat
from sessiontui.storage.changes import is_session, why_no_session
from sessiontui.times import iso_time, time_ms

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from sessiontui.catalog.row import Row
    from sessiontui.storage.backend import HashField, PassedOver

OLD_MS: Final = 86_400_000
"""What was touched more recently may be in use."""
_DEBRIS = re.compile(
    r"(?P<folder>.*/|)(?:\.(?P<hidden>[^/]+\.jsonl)\.(?:lock|lock\.os|[^/]+\.tmp)"
    r"|(?P<beside>[^/]+\.jsonl)\.[^/]+\.bak)",
    re.DOTALL,
)
_DRAFTS = ("draft.txt", ".draft-only-session")


class HeaderlessSession(NamedTuple):
    """A session without a header."""

    stat: Stat
    parent_id: str | None
    """The entry that its first one follows."""
    time_ms: int | None
    """When its first entry was written."""


def _is_tree(row: Row) -> bool:
    """Tell whether the session may have a header and entries of one tree."""
    fmt = AGENTS.get(row.agent)
    return fmt is None or fmt.is_tree


def may_be_headerless(row: Row) -> bool:
    """Tell whether a row looks as if there were no header: worth a look at its first bytes."""
    return row.read and row.cwd is None and _is_tree(row)


def may_hold_parent(row: Row, pieces: Iterable[HeaderlessSession]) -> bool:
    """Tell whether a session was there before one of the pieces began."""
    if row.cwd is None or not _is_tree(row):
        return False
    begun = row.created_ms
    return any(begun is None or piece.time_ms is None or begun <= piece.time_ms for piece in pieces)


def may_be_head(row: Row, pieces: Iterable[HeaderlessSession]) -> bool:
    """Tell whether a session may be what one of the pieces went on from."""
    if row.cwd is None or not _is_tree(row):
        return False
    said = row.last_message_ms
    return any(said is None or piece.time_ms is None or said <= piece.time_ms for piece in pieces)


def headerless_finding(
    piece: HeaderlessSession,
    heads: Sequence[Stat],
    in_trash: Sequence[str],
    *,
    now_ms: int,
    within: bool = False,
) -> Finding:
    """Return the finding for a session without a header.

    Args:
        piece: The session.
        heads: Sessions whose last entry is the one that it follows.
        in_trash: Ids of what was deleted from its path.
        now_ms: The time now; for a session that has none.
        within: Whether it is an earlier entry of theirs instead, after which they went on.
    """
    entry = "an entry" if within else "the last entry"
    path = piece.stat.path
    evidence = [f"It begins with an entry that follows {piece.parent_id}, not with a header."]
    fix = None
    if len(heads) == 1:
        head = heads[0]
        evidence.append(f"That is {entry} of {head.path}.")
        if within:
            evidence.append("What follows it there stays, as another branch.")
        if piece.stat.size > JOIN_BYTES:
            evidence.append("It is too long to be joined in one step.")
        else:
            fix = JoinTail(_timed(piece.stat, now_ms), _timed(head, now_ms))
    elif heads:
        evidence.append(f"That is {entry} of {len(heads)} sessions: copies of each other?")
    else:
        evidence.append("No session here has that entry.")
        if in_trash:
            evidence.append(
                f"The trash holds {in_trash[0]} of this path: move this piece to another path, "
                "restore that, and look again."
            )
    others = tuple(head.path for head in heads) if len(heads) > 1 else ()
    return Finding(kind="tail", path=path, evidence=tuple(evidence), others=others, fix=fix)


def _timed(stat: Stat, now_ms: int) -> Stat:
    return Stat(stat.path, stat.size, now_ms if stat.mtime_ms is None else stat.mtime_ms)


def field_findings(
    fields: Iterable[HashField], untimed: Mapping[str, Row | None], now_ms: int
) -> list[Finding]:
    """Return the findings for fields of the two hashes.

    Args:
        fields: Fields of no session, and times that are no numbers.
        untimed: Sessions without a time, with their rows as far as these are known.
        now_ms: The time now; for a session that tells of none.
    """
    findings = []
    loose: defaultdict[str, list[HashField]] = defaultdict(list)
    wrong: dict[str, bytes] = {}
    for field in fields:
        if field.session:
            wrong[field.path] = field.value
        else:
            loose[field.path].append(field)
    for path, some in loose.items():
        names = " and ".join("a time" if field.kind == "meta" else "a title" for field in some)
        changes = tuple(HashFieldChange(field.kind, path, field.value, None) for field in some)
        findings.append(
            Finding(
                kind="loose",
                path=path,
                evidence=(f"There is {names} for this path, but no session.",),
                fix=ChangeTimesAndTitles(changes),
            )
        )
    for path, row in untimed.items():
        known = row and (row.last_message_ms or row.created_ms)
        time = known or parse_file_name(path).created_ms or now_ms
        old = wrong.get(path)
        seen = "It has no time." if old is None else f"Its time is {_shown(old)}, no number."
        change = HashFieldChange("meta", path, old, b"%d" % time, session=True)
        findings.append(
            Finding(kind="time", path=path, evidence=(seen,), fix=ChangeTimesAndTitles((change,)))
        )
    return findings


def _shown(value: bytes) -> str:
    return f"“{value[:40].decode('utf-8', 'replace')}”"


def may_have_other_title(row: Row) -> bool:
    """Tell whether title field and session may say different titles: worth a look at the slot."""
    field = parse_title_field(row.title_field) if row.read else None
    if field is None or not _is_tree(row):
        return False
    if not row.has_slot:
        return row.cwd is not None
    slot = row.titles.slot
    return slot is None or (slot.text, slot.source) != (normalize_title(field.title), field.source)


def title_finding(row: Row, head: bytes) -> Finding | None:
    """Return the finding for a title field that disagrees; None if it agrees.

    Args:
        row: The session, for which `may_have_other_title`.
        head: Its first bytes, the slot's at least.
    """
    field = parse_title_field(row.title_field)
    slot = parse_slot(head)
    if field is None:
        return None
    stat = Stat(row.path, row.size, row.mtime_ms, row.title_field)
    if slot is None:
        return Finding(
            kind="title-over-header",
            path=row.path,
            evidence=(f"Its title field says “{field.title}”, and line 1 is its header.",),
            fix=GiveSlot(stat, field.title, field.source),
        )
    updated_ms = time_ms(field.updated_at) or row.mtime_ms
    new = make_slot(field.title, source=field.source, updated_at=updated_ms)
    wished = parse_slot(new)
    if wished is None or (wished.title, wished.source) == (slot.title, slot.source):
        return None
    if not slot.exact:
        return None
    by = {"user": ", by the user", "auto": ", by the agent", None: ""}
    return Finding(
        kind="slot",
        path=row.path,
        evidence=(
            f"The field says “{field.title}”{by[field.source]}, since {_day(field.updated_at)}.",
            f"The session says “{slot.title}”{by[slot.source]}, since {_day(slot.updated_at)}.",
        ),
        fix=RewriteSlot(row.path, head[:SLOT_BYTES], new, row.mtime_ms),
        # omp changes the field alone, so that the session's own title is older.
        note=(time_ms(field.updated_at) or 0) >= (time_ms(slot.updated_at) or 0),
    )


def _day(time: str | None) -> str:
    known = time_ms(time)
    return "an unknown day" if known is None else iso_time(known)[:10]


def hierarchy_findings(rows: Collection[Row]) -> Iterator[Finding]:
    """Yield parents that are gone and ids that several sessions have."""
    by_id: defaultdict[str, list[str]] = defaultdict(list)
    paths = set()
    for row in rows:
        paths.add(row.path)
        if row.id is not None and row.agent in AGENTS and _is_tree(row):
            by_id[row.id].append(row.path)
    for session_id, same in by_id.items():
        if len(same) > 1:
            same.sort()
            yield Finding(
                kind="duplicate",
                path=same[0],
                evidence=(f"{len(same)} sessions have the id {session_id}.",),
                others=tuple(same[1:]),
            )
    for row in rows:
        parent = row.parent
        if parent is None or parent in paths or parent in by_id:
            continue
        if (id_from_path(parent) or parent.rpartition("_")[2].removesuffix(".jsonl")) in by_id:
            continue
        if _is_tree(row):
            yield Finding(
                kind="parent",
                path=row.path,
                evidence=(f"Its parent would be {parent}.",),
                note=True,
            )


def passed_over(stats: Iterable[Stat], others: Iterable[PassedOver]) -> Iterator[Finding]:
    """Yield what stands where a session could, and is none.

    Args:
        stats: All that the store holds; names that no session can have are told.
        others: What has the name of a session and is of another kind.
    """
    for stat in stats:
        if (why := why_no_session(stat.path)) is not None:
            seen = f"No session can have this name: {why}. It holds {stat.size:,} bytes."
            yield Finding(kind="passed", path=stat.path, evidence=(seen,))
    for other in others:
        seen = f"{other.reason[:1].upper()}{other.reason[1:]}."
        yield Finding(kind="passed", path=other.path, evidence=(seen,))


def leftover_findings(stats: Collection[Stat], *, keys: bool, now_ms: int) -> Iterator[Finding]:
    """Yield what belongs to no session, and what nobody has tidied up.

    Args:
        stats: All that the store holds.
        keys: Whether these are keys: then all but sessions must belong to one.
        now_ms: The time now.
    """
    sessions = {stat.path for stat in stats if is_session(stat.path)}
    parents = {above for path in sessions for above in _above(path)}
    found: defaultdict[str, list[Stat]] = defaultdict(list)
    for stat in stats:
        if is_session(stat.path) or (stat.mtime_ms or 0) > now_ms - OLD_MS:
            continue
        if why_no_session(stat.path) is not None:
            continue
        debris = _DEBRIS.fullmatch(stat.path)
        owner = _owner(stat.path, sessions)
        if owner is None:
            if keys:
                found[stat.path].append(stat)
        elif owner in sessions:
            if debris is not None:
                found[owner].append(stat)
        elif owner.removesuffix(".jsonl") not in parents:
            found[owner].append(stat)
    for owner, some in found.items():
        some.sort(key=lambda stat: stat.path)
        kept = [] if owner in sessions else [stat for stat in some if _is_backup(stat.path)]
        for part in (kept, [stat for stat in some if stat not in kept]):
            if part:
                yield _left(part, owner if owner in sessions else None, last_copy=part is kept)


def _left(some: Sequence[Stat], beside: str | None, *, last_copy: bool) -> Finding:
    """Return what is to be said of leftovers of one session, which they are `beside` if it is."""
    size = sum(stat.size for stat in some)
    what = some[0].path if len(some) == 1 else f"{len(some)} of them"
    timed = all(stat.mtime_ms is not None for stat in some)
    since = "not touched for a day" if timed else "without a time"
    seen = "Its session is gone." if beside is None else "Its session is there."
    evidence = [f"{what}, {size:,} bytes, {since}. {seen}"]
    if last_copy:
        evidence.append("A backup may be all that is left of it, and omp puts it back: it stays.")
    return Finding(
        kind="leftover",
        path=some[0].path,
        evidence=tuple(evidence),
        others=tuple(stat.path for stat in some[1:]),
        beside=beside,
        fix=None if last_copy else Discard(tuple(some)),
    )


def _is_backup(path: str) -> bool:
    debris = _DEBRIS.fullmatch(path)
    return debris is not None and debris["beside"] is not None


def _owner(path: str, sessions: Collection[str]) -> str | None:
    """Return the session that something belongs to or belonged to; None where none can be told."""
    debris = _DEBRIS.fullmatch(path)
    if debris is not None:
        return debris["folder"] + (debris["hidden"] or debris["beside"])
    folder, _, name = path.rpartition("/")
    for above in _above(path):
        if f"{above}.jsonl" in sessions or parse_file_name(f"{above}.jsonl").created_ms is not None:
            return f"{above}.jsonl"
    return f"{folder}.jsonl" if name in _DRAFTS and folder else None


def _above(path: str) -> Iterator[str]:
    """Yield the folders above a path, the innermost first."""
    while path := path.rpartition("/")[0]:
        yield path


class SessionStart(NamedTuple):
    """The start of a session, after its title slot."""

    kind: Literal["header", "entry", "nothing", "other"]
    """`entry`: one of omp's, which belongs behind a header; `nothing`: no whole line."""
    parent_id: str | None = None
    """The entry before that entry."""
    time_ms: int | None = None


def read_start(head: bytes, *, complete: bool) -> SessionStart:
    """Return what a session begins with.

    Args:
        head: Its first bytes.
        complete: Whether these are all.
    """
    for line in split_lines(head):
        cut = not complete and line.offset + line.size == len(head)
        for item in decode_line(line.data, line.offset, size=line.size + 1 if cut else None):
            if not isinstance(item, Entry):
                return SessionStart("other")
            if item.type == "title":
                continue
            if item.type == "session":
                return SessionStart("header")
            if item.id is None or "parentId" not in item.data:
                return SessionStart("other")
            return SessionStart("entry", item.parent_id, item.timestamp_ms)
    return SessionStart("nothing")


def last_entry_id(tail: bytes, *, complete: bool) -> str | None:
    """Return the id of the last entry; None where it is not in these bytes.

    Args:
        tail: The session's last bytes; they may begin inside a line.
        complete: Whether these are all.
    """
    stop = len(tail)
    while stop > 0:
        start = tail.rfind(b"\n", 0, stop - 1) + 1
        whole = complete or start > 0
        for item in reversed(decode_line(tail[start:stop], start) if whole else ()):
            if isinstance(item, Entry) and item.id is not None and item.type != "session":
                return item.id
        stop = start
    return None
