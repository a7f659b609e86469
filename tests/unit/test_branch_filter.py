"""Which entries are of the branch that is shown, on trees of every shape."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from sessiontui.formats.jsonl import decode_line, encode_entries
from sessiontui.times import iso_time
from sessiontui.transcript.branch_filter import BranchTip, entry_links, scan_entry_links
from sessiontui.transcript.branches import MAX_BRANCHES, Branches
from sessiontui.transcript.document import Document
from sessiontui.transcript.navigate import last_time, offset_at_time
from tests.corpus import CORPUS, corpus_file
from tests.sessions import START_MS, claude_session, codex_session, every_omp_entry, pi_session

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sessiontui.transcript.branches import Branch

HEADER = {"type": "session", "version": 3, "id": "s", "cwd": "/x"}


def entry(own: str, parent: str | None, *, kind: str = "message", pad: int = 0, **more: Any) -> Any:
    message = {"role": "user", "content": own + "x" * pad}
    return {"type": kind, "id": own, "parentId": parent, "message": message, **more}


def lines_of(entries: Iterable[Any]) -> list[bytes]:
    return [line if isinstance(line, bytes) else encode_entries([line]) for line in entries]


class Session:
    """A session in memory, opened at its end."""

    def __init__(self, entries: Iterable[Any]) -> None:
        self.lines = lines_of(entries)
        self.document = Document(self.read, len(self.data))

    @property
    def data(self) -> bytes:
        return b"".join(self.lines)

    async def read(self, start: int, stop: int) -> bytes:
        return self.data[start:stop]

    async def whole(self) -> Session:
        await self.document.open_tail()
        while await self.document.load_before():
            pass
        self.document.resolve()
        return self

    def append(self, *entries: Any) -> None:
        for line in lines_of(entries):
            self.lines.append(line)
            self.document.append(line)
        self.document.resolve()

    def offset(self, number: int) -> int:
        return sum(map(len, self.lines[:number]))

    def shown(self) -> list[str]:
        """Return the ids of entries that are shown, those at hand."""
        found = []
        offset = 0
        for line in self.lines:
            if offset >= self.document.start and not self.document.branch_filter.hides(offset):
                try:
                    own = json.loads(line).get("id", "")
                except ValueError:
                    own = "bad"
                found.append(own)
            offset += len(line)
        return found


def branch(tree: list[tuple[str, str | None]], tip: int) -> set[str]:
    """Return the ids of a branch, found the slow way: the nearest parent further up."""
    found = set()
    number: int | None = tip
    while number is not None:
        own, parent = tree[number]
        found.add(own)
        above = range(number - 1, -1, -1)
        number = next((other for other in above if tree[other][0] == parent), None)
    return found


def random_tree(random: Random, count: int) -> list[tuple[str, str | None]]:
    tree: list[tuple[str, str | None]] = [("n0", None)]
    for number in range(1, count):
        far = random.random() < 0.25
        parent = tree[random.randrange(number)][0] if far else tree[-1][0]
        tree.append((f"n{number}", parent))
    return tree


@pytest.mark.parametrize("seed", range(30))
async def test_any_tree_shows_the_branch_of_its_last_entry_however_it_is_read(seed: int) -> None:
    random = Random(seed)
    pad = random.choice([0, 9000, 60_000])
    tree = random_tree(random, random.randrange(2, 60))
    cut = random.randrange(1, len(tree) + 1)
    session = Session([HEADER, *(entry(*node, pad=pad) for node in tree[:cut])])
    await session.whole()
    wanted = branch(tree, cut - 1)
    assert session.shown() == ["s", *(own for own, _ in tree[:cut] if own in wanted)]
    session.append(*(entry(*node, pad=pad) for node in tree[cut:]))
    wanted = branch(tree, len(tree) - 1)
    first = session.document.start
    known = [
        own
        for number, (own, _) in enumerate(tree, 1)
        if own in wanted and session.offset(number) >= first
    ]
    assert session.shown()[1 if first == 0 else 0 :] == known


@pytest.mark.parametrize("seed", range(10))
async def test_any_branch_can_be_chosen_and_left_again(seed: int) -> None:
    random = Random(1000 + seed)
    tree = random_tree(random, 40)
    session = await Session([entry(*node, pad=20_000) for node in tree]).whole()
    tip = random.randrange(40)
    branch_filter = session.document.branch_filter
    branch_filter.choose(BranchTip(session.offset(tip), tree[tip][0]))
    session.document.resolve()
    wanted = branch(tree, tip)
    assert session.shown() == [own for own, _ in tree if own in wanted]
    session.append(entry("more", tree[tip][0]), entry("other", "n0"), entry("yet", "more"))
    assert session.shown() == [*(own for own, _ in tree if own in wanted), "more", "yet"]
    assert branch_filter.elsewhere == 1
    branch_filter.choose(None)
    session.document.resolve()
    assert session.shown()[-2:] == ["more", "yet"]


async def test_others_leave_where_a_branch_parts_and_stretches_are_counted() -> None:
    tree = [("a", None), ("b", "a"), ("c", "b"), ("d", "b"), ("e", "b"), ("f", "b")]
    session = await Session([HEADER, *(entry(*node) for node in tree)]).whole()
    branch_filter = session.document.branch_filter
    assert branch_filter.forks == {session.offset(2): 3}
    found = branch_filter.stretch(session.offset(4))
    assert found is not None
    assert (found.start, found.stop) == (session.offset(3), session.offset(6))
    assert (found.entries, found.whole) == (3, True)
    branch_filter.toggle(found)
    assert session.shown() == ["s", "a", "b", "c", "d", "e", "f"]


async def test_an_append_that_begins_a_branch_says_so_once() -> None:
    session = await Session([entry("a", None), entry("b", "a")]).whole()

    def said_so() -> bool:
        return session.document.branch_filter.switched

    session.append(entry("c", "b"))
    assert not said_so()
    session.append(entry("d", "a"))
    assert said_so()
    assert session.shown() == ["a", "d"]


async def test_a_line_that_is_still_written_changes_nothing() -> None:
    session = await Session([entry("a", None), entry("b", "a")]).whole()
    (line,) = lines_of([entry("c", "b")])
    for piece in (line[:20], line[20:-1], line[-1:]):
        session.lines.append(piece)
        session.document.append(piece)
        session.document.resolve()
        assert not session.document.branch_filter.switched
    session.append(entry("d", "c"))
    assert session.document.branch_filter.stretch(0) is None


@pytest.mark.parametrize(
    ("entries", "shown"),
    [
        ([entry("a", "a"), entry("b", "b")], ["a", "b"]),
        ([entry("a", "b"), entry("b", "a")], ["a", "b"]),
        ([entry("a", None), entry("a", "a"), entry("a", "a")], ["a", "a", "a"]),
        ([entry("a", None), entry("b", "gone")], ["a", "b"]),
        ([entry("a", None), b"not json\n", entry("b", "lost")], ["a", "bad", "b"]),
        ([entry("a", None), entry("b", None)], ["b"]),
        ([entry("a", None), {"type": "message", "id": 7, "parentId": []}], ["a", 7]),
        ([b"\n", b"[]\n", b"5\n"], None),
    ],
)
async def test_broken_chains_show_more_rather_than_less(entries: Any, shown: Any) -> None:
    session = await Session(entries).whole()
    if shown is not None:
        assert session.shown() == shown


async def test_a_chain_of_ten_thousand_and_as_many_branches_do_no_harm() -> None:
    chain = [entry(f"n{n}", f"n{n - 1}" if n else None) for n in range(10_000)]
    session = await Session(chain).whole()
    assert len(session.shown()) == 10_000
    many = [entry("root", None), *(entry(f"n{n}", "root") for n in range(30_000))]
    session = await Session(many).whole()
    assert session.shown()[-2:] == ["root", "n29999"][-len(session.shown()) :]
    random = Random(5)
    wild = [entry(f"n{random.randrange(500)}", f"n{random.randrange(500)}") for _ in range(20_000)]
    await Session(wild).whole()


async def test_the_model_sees_from_what_a_compaction_kept() -> None:
    entries = [HEADER, *(entry(f"n{n}", f"n{n - 1}" if n else None) for n in range(6))]
    entries.append(entry("off", "n1"))
    cut = entry("cut", "n5", kind="compaction", summary="All of it.", firstKeptEntryId="n4")
    session = await Session([*entries, cut, entry("after", "cut")]).whole()
    branch_filter = session.document.branch_filter
    assert session.shown()[0] == "s"
    branch_filter.show_context(alone=True)
    assert session.shown() == ["n4", "n5", "cut", "after"]
    session.append(entry("again", "after", kind="compaction", firstKeptEntryId="after"))
    assert session.shown() == ["after", "again"]
    session.append(entry("gone", "again", kind="compaction", firstKeptEntryId="nowhere"))
    assert session.shown() == ["gone"]
    session.append(entry("new", "gone", kind="reset_boundary"), entry("last", "new"))
    assert session.shown() == ["new", "last"]
    branch_filter.show_context(alone=False)
    assert len(session.shown()) == 13  # all but the branch that was left


@pytest.mark.parametrize(
    ("name", "first"),
    [("pi-v1-branchedfrom-compaction-bash", 551), ("pi-v1-two-objects-on-one-line", 355)],
)
async def test_what_pi_kept_by_number_is_seen(name: str, first: int) -> None:
    session = await Session(
        corpus_file(f"{name}.jsonl").read_bytes().splitlines(keepends=True)
    ).whole()
    branch_filter = session.document.branch_filter
    branch_filter.show_context(alone=True)
    hidden = [branch_filter.hides(session.offset(number)) for number in range(len(session.lines))]
    assert hidden.index(False) == first
    assert not any(hidden[first:])


async def test_a_jump_far_away_and_back_leaves_the_branch_as_it_is() -> None:
    trunk = [entry(f"n{n}", f"n{n - 1}" if n else None, pad=50_000) for n in range(200)]
    trunk[150]["parentId"] = "n100"
    session = Session(trunk)
    document = session.document
    await document.open_tail()
    while document.start > session.offset(90):
        await document.load_before()
    assert document.branch_filter.hides(session.offset(120))
    await document.open_at(0)
    document.resolve()
    assert not document.branch_filter.hides(session.offset(1))
    await document.open_tail()
    document.resolve()
    assert not document.branch_filter.hides(session.offset(199))


SESSIONS = {
    "omp": every_omp_entry(),
    "pi": encode_entries(pi_session()),
    "pi 1": encode_entries(pi_session(version=None)),
    "claude": encode_entries(claude_session()),
    "codex": encode_entries(codex_session()),
}


@pytest.mark.parametrize("agent", SESSIONS)
async def test_sessions_without_branches_show_whole(agent: str) -> None:
    session = await Session(SESSIONS[agent].splitlines(keepends=True)).whole()
    assert len(session.shown()) == len(session.lines)


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.jsonl")), ids=lambda path: path.name)
def test_scanning_a_line_tells_the_same_as_decoding_it(path: Path) -> None:
    data = corpus_file(path.name).read_bytes()
    for line in (data + every_omp_entry()).splitlines():
        assert scan_entry_links(line, 0, len(line)) == entry_links(decode_line(line, 0))


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("pi-v3-tree-branch-label-handwritten.jsonl", True),
        ("omp-v3-compaction-blob-image-korean-badline.jsonl", False),
        ("pi-v3-export-linear.jsonl", False),
        ("pi-v3-custom-entries.jsonl", False),
        ("claude-2025-edits-long.jsonl", False),
        ("pi-v1-branchedfrom-compaction-bash.jsonl", False),
        ("codex-rollout-short.jsonl", False),
    ],
)
async def test_real_sessions_hide_nothing_but_branches(name: str, hidden: bool) -> None:
    session = await Session(corpus_file(name).read_bytes().splitlines(keepends=True)).whole()
    offsets = [session.offset(number) for number in range(len(session.lines))]
    assert any(map(session.document.branch_filter.hides, offsets)) is hidden


async def found_branches(session: Session) -> list[Branch]:
    branches = Branches(session.read, len(session.data))
    async for _ in branches.run():
        pass
    return branches.found


@pytest.mark.parametrize("seed", range(20))
async def test_every_branch_is_found_once_with_its_own_entries(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(seed)
    monkeypatch.setattr(
        "sessiontui.transcript.branches.STEP_BYTES", random.choice([70, 1000, 1 << 20])
    )
    tree = random_tree(random, 50)
    parents = {parent for _, parent in tree}
    tips = [number for number in reversed(range(50)) if tree[number][0] not in parents]
    session = Session([HEADER, *(entry(*node) for node in tree)])
    found = await found_branches(session)
    assert [one.id for one in found] == [tree[number][0] for number in tips]
    assert [one.offset for one in found] == [session.offset(number + 1) for number in tips]
    assert [one.newest for one in found] == [True] + [False] * (len(tips) - 1)
    forks = {own for own, _ in tree if sum(parent == own for _, parent in tree) > 1}
    for one, number in zip(found, tips, strict=True):
        own = branch(tree, number)
        above = [number for number, (name, _) in enumerate(tree) if name in own and name in forks]
        assert one.entries == len(own) - sum(
            number <= max(above, default=-1) for number, (name, _) in enumerate(tree) if name in own
        )
        assert one.words == tree[number][0]


async def test_branches_of_hostile_sessions_come_to_an_end() -> None:
    many = [entry("root", None), *(entry(f"n{n}", "root") for n in range(MAX_BRANCHES + 50))]
    assert len(await found_branches(Session(many))) == MAX_BRANCHES
    random = Random(3)
    wild = [entry(f"n{random.randrange(99)}", f"n{random.randrange(99)}") for _ in range(3000)]
    assert len(await found_branches(Session(wild))) <= MAX_BRANCHES
    assert await found_branches(Session([])) == []
    assert await found_branches(Session([b"\n\n", b"[]\n", b"nothing"])) == []
    huge = [entry("a", None), entry("b", "a", pad=3 << 20), entry("c", "b"), entry("d", "a")]
    assert [one.id for one in await found_branches(Session(huge))] == ["d", "c"]


async def test_a_real_session_without_branches_has_one() -> None:
    for name in ("pi-v3-export-linear.jsonl", "omp-v3-compaction-blob-image-korean-badline.jsonl"):
        lines = corpus_file(name).read_bytes().splitlines(keepends=True)
        (only,) = await found_branches(Session(lines))
        assert only.newest
        assert only.words


@pytest.mark.parametrize("count", [1, 2, 50, 3000])
async def test_the_entry_of_a_time_is_found_by_few_reads(count: int) -> None:
    entries = [
        entry(f"n{n}", None, pad=600, timestamp=iso_time(START_MS + 1000 * n)) for n in range(count)
    ]
    session = Session(entries)
    document = session.document
    assert await last_time(document) == START_MS + 1000 * (count - 1)
    for number in {0, count // 3, count - 1}:
        found = await offset_at_time(document, START_MS + 1000 * number - 500)
        assert found == session.offset(number)
    assert await offset_at_time(document, START_MS + 10**9) == session.offset(count - 1)
    assert await offset_at_time(document, 0) == 0


async def test_times_are_found_between_lines_that_tell_none() -> None:
    silent = b'{"type": "x"}\n' * 40_000 + b"y" * 700_000 + b"\n"
    early = entry("a", None, timestamp=iso_time(START_MS))
    late = entry("b", "a", timestamp=iso_time(START_MS + 60_000))
    session = Session([early, silent, late, silent])
    assert await offset_at_time(session.document, START_MS + 1) == session.offset(2)
    assert await offset_at_time(session.document, START_MS) == 0
    assert await offset_at_time(Session([silent]).document, START_MS) is None
    assert await last_time(Session([silent]).document) is None


def record(own: str, parent: str | None, kind: str = "user", **fields: Any) -> Any:
    """Return a record of Claude Code."""
    message = {"role": kind, "content": own, **fields.pop("message", {})}
    return {"type": kind, "uuid": own, "parentUuid": parent, "message": message, **fields}


def ran(own: str, parent: str, result_of: str) -> Any:
    piece = {"type": "tool_result", "tool_use_id": result_of, "content": "ok"}
    return record(own, parent, message={"content": [piece]})


CALLS_AT_ONCE = [
    record("u1", None),
    record("a1", "u1", "assistant", message={"id": "m1"}),
    record("a2", "a1", "assistant", message={"id": "m1"}),
    record("a3", "a2", "assistant", message={"id": "m1"}),
    ran("r3", "a3", "t3"),
    ran("r2", "a2", "t2"),
    ran("r1", "a1", "t1"),
    record("a4", "r1", "assistant", message={"id": "m2"}),
]


async def test_calls_that_claude_code_makes_at_once_are_no_branches() -> None:
    session = await Session(CALLS_AT_ONCE).whole()
    assert len(session.shown()) == 8
    assert session.document.branch_filter.forks == {}
    (only,) = await found_branches(session)
    assert only.id == "a4"
    session = await Session(CALLS_AT_ONCE[:1]).whole()
    session.append(*CALLS_AT_ONCE[1:])
    assert len(session.shown()) == 8


async def test_a_message_that_was_written_anew_in_claude_code_is_a_branch() -> None:
    side = record("s1", None, isSidechain=True)
    progress = {"type": "progress", "uuid": "p1", "parentUuid": "a1", "data": {}}
    session = await Session(
        [
            record("u1", None),
            record("a1", "u1", "assistant"),
            progress,
            record("u2", "p1"),
            record("a2", "u2", "assistant"),
            side,
            record("u3", "a1"),
            record("a3", "u3", "assistant"),
        ]
    ).whole()
    branch_filter = session.document.branch_filter
    hidden = [number for number in range(8) if branch_filter.hides(session.offset(number))]
    assert hidden == [3, 4]
    assert branch_filter.forks == {session.offset(1): 1}
    assert [one.id for one in await found_branches(session)] == ["a3", "a2"]
    session.append(
        {"type": "system", "subtype": "compact_boundary", "uuid": "c", "logicalParentUuid": "a3"},
        record("u4", "c", isCompactSummary=True),
    )
    branch_filter.show_context(alone=True)
    hidden = [number for number in range(10) if branch_filter.hides(session.offset(number))]
    assert hidden == [*range(8)]
