"""Every format answers everything that is asked of one, for every record that is at hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from sessiontui.catalog.row import Row
from sessiontui.catalog.row_builder import build_row, read_head, read_tail
from sessiontui.catalog.stats import StatsCounter
from sessiontui.formats.base import (
    CallIds,
    EntryLink,
    EntryUsage,
    FileName,
    Format,
    Header,
    LinkRole,
    Signal,
    Tokens,
)
from sessiontui.formats.blocks import NO_PAIRING, Block, Result
from sessiontui.formats.jsonl import Entry
from sessiontui.formats.omp import Omp
from sessiontui.formats.registry import (
    AGENT_NAMES,
    FORMATS,
    TRANSLATORS,
    blocks_of,
    call_ids,
    decode_line,
    in_context,
    results_of,
    says_nothing,
)
from tests.corpus import CORPUS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessiontui.formats.jsonl import Item

FIXTURES = Path(__file__).parent / "formats"
"""One session an agent: a prompt, a call with its result, a compaction, a title, an answer."""
FILES = [*FIXTURES.glob("*.jsonl"), *CORPUS.glob("*.jsonl")]
TRANSLATED = [fmt.agent for fmt in TRANSLATORS]


def items_of(path: Path) -> Iterator[Item]:
    offset = 0
    for line in path.read_bytes().splitlines(keepends=True):
        yield from decode_line(line, offset)
        offset += len(line)


def fixture(agent: str) -> Path:
    """Return an agent's fixture; without one nothing holds what is known of it."""
    path = FIXTURES / f"{agent}.jsonl"
    assert path.is_file(), f"{path} is missing"
    return path


def row_of(path: Path) -> Row:
    data = path.read_bytes()
    row = Row(path=str(path), size=len(data), mtime_ms=0)
    return build_row(row, read_head(data, complete=True), read_tail(data, complete=True))


@pytest.mark.parametrize("method", sorted(Format.__abstractmethods__))
def test_a_format_that_forgets_a_method_cannot_be_made(method: str) -> None:
    kept = {name: getattr(Omp, name) for name in Format.__abstractmethods__ if name != method}
    forgetful = type("Forgetful", (Format,), kept)
    with pytest.raises(TypeError, match=method):
        forgetful()


@pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: fmt.agent)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_format_answers_for_any_record(fmt: Format, path: Path) -> None:
    entries = [item for item in items_of(path) if isinstance(item, Entry)]
    assert isinstance(fmt.header(entries), Header)
    for entry in entries:
        assert fmt.recognises(entry) in ("no", "likely", "certain")
        assert isinstance(fmt.signal(entry), Signal | None)
        assert isinstance(fmt.says_nothing(entry), bool)
        assert isinstance(fmt.usage(entry), EntryUsage)
        link = fmt.link(entry)
        assert isinstance(link, EntryLink)
        assert link.role in get_args(LinkRole)
        assert isinstance(fmt.in_context(entry), bool)
        blocks = fmt.blocks(entry, NO_PAIRING)
        assert blocks is None or all(isinstance(block, Block) for block in blocks)
        assert all(isinstance(result, Result) for result in fmt.results(entry))
        assert isinstance(fmt.call_ids(entry), CallIds)


@pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: fmt.agent)
def test_a_format_answers_for_what_is_no_record(fmt: Format, tmp_path: Path) -> None:
    assert fmt.name
    assert fmt.types
    assert fmt.resume[0] == fmt.agent
    assert fmt.roots({}, tmp_path)
    assert all(root.is_relative_to(tmp_path) for root in fmt.roots({}, tmp_path))
    assert isinstance(fmt.file_name("notes.txt"), FileName | None)
    assert isinstance(fmt.no_title(has_slot=False), str | None)
    assert isinstance(fmt.lock(tmp_path / "session.jsonl"), tuple | None)
    for home in fmt.homes({}, tmp_path):
        registry = fmt.live(home, 0)
        assert registry is not None
        assert registry.evidence("0199a1b2-0000-7000-8000-000000000001") is None


def test_no_two_formats_take_records_from_each_other() -> None:
    """Those of pi are omp's; any other type that two formats own would be read by chance."""
    taken: dict[str, str] = {}
    for fmt in FORMATS:
        family = "omp" if isinstance(fmt, Omp) else fmt.agent
        for kind in fmt.types:
            assert taken.setdefault(kind, family) == family


@pytest.mark.parametrize("agent", AGENT_NAMES)
def test_a_session_of_an_agent_is_told_right(agent: str) -> None:
    path = fixture(agent)
    items = list(items_of(path))
    row = row_of(path)
    assert row.agent == agent
    assert row.cwd == "/home/mira/clock"
    assert row.id is not None
    assert row.id.startswith("0199a1b2-")
    assert row.created_ms is not None
    assert row.first_message == "Fix the clock"
    assert row.ending == "answer"
    assert row.calls == ()
    assert row.titles.message == "Fix the clock"
    counter = StatsCounter()
    for item in items:
        counter.add(item)
    stats = counter.figures()
    assert stats.turns == 1
    assert stats.models
    assert stats.tokens != Tokens()
    links = call_ids(items)
    assert links.calls == links.results == ("call-1",)
    assert [result.call_id for item in items for result in results_of(item)] == ["call-1"]
    headings = [block.heading for item in items for block in blocks_of(item)]
    assert "You" in headings
    shown = [line for item in items for block in blocks_of(item) for line in lines_of(block)]
    assert "It runs on time now." in shown
    assert any(map(in_context, items))
    assert not all(map(says_nothing, items))
    if agent not in TRANSLATED:
        assert row.title == "The clock"


def lines_of(block: Block) -> list[str]:
    return [line for part in block.parts for line in part.lines]
