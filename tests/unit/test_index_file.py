"""The file of the index: what it finds, how it goes on, what it lets go, how it fails."""

from __future__ import annotations

import signal
import sqlite3
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sessiontui.errors import IndexFileError
from sessiontui.search import index as index_file
from sessiontui.search.index import WriteLock, records_in
from sessiontui.search.index_cache import HEAD_BYTES, OVERLAP_BYTES, IndexedSession, SessionPiece
from sessiontui.search.reader import IndexReader, match_of
from sessiontui.search.writer import IndexWriter
from sessiontui.transcript.search import LiteralQuery, parse_search_terms
from tests.sessions import Omp

if TYPE_CHECKING:
    from pathlib import Path

PATH = "/sessions/-code-api/one.jsonl"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return where the index is to be."""
    return tmp_path / "cache" / "index.sqlite"


def piece(data: bytes, *, path: str = PATH, mtime_ms: int = 1, start: int = 0) -> SessionPiece:
    """Return a session as it is read from `start` on."""
    return SessionPiece(
        path,
        len(data),
        mtime_ms,
        start,
        data[start:],
        data[:HEAD_BYTES],
        data[max(0, start - OVERLAP_BYTES) : start],
    )


def session(*texts: str) -> Omp:
    """Return a session in which the user said these."""
    made = Omp()
    for text in texts:
        made.user(text)
    return made


def found(place: Path, text: str) -> list[tuple[str, int, str]]:
    """Return path, offset and line of each hit in the index."""
    wanted = parse_search_terms(text)
    reader = IndexReader(place)
    hits = []
    for path, held in reader.look_up(wanted).items():
        for chunk in reader.texts(held.chunks):
            for record in records_in(chunk):
                line = wanted.pick(record.lines)
                if line is not None:
                    hits.append((path, record.offset, line))
    reader.close()
    return hits


def test_what_was_said_is_found_and_where(place: Path) -> None:
    made = session("Nothing here", "Fix the flaky retry test")
    offset = made.data.index(b'{"type":"message"', made.data.index(b"Nothing"))
    writer = IndexWriter(place)
    writer.add([piece(made.data)])

    assert found(place, "FLAKY") == [(PATH, offset, "Fix the flaky retry test")]
    assert found(place, "retry fix") == [(PATH, offset, "Fix the flaky retry test")]
    assert found(place, '"flaky retry"') == [(PATH, offset, "Fix the flaky retry test")]
    assert found(place, '"retry flaky"') == []
    assert found(place, "re:/fl.ky/") == [(PATH, offset, "Fix the flaky retry test")]
    assert found(place, "fl")[0][1] == offset
    writer.close()


@pytest.mark.parametrize(
    "text", ["재시도", "시도", "再試行", "行", "naïve", 'a "b" c', "💥💥", "ÜBER"]
)
def test_text_of_every_script_is_found_by_parts_of_words(place: Path, text: str) -> None:
    writer = IndexWriter(place)
    writer.add([piece(session(f"before{text}after").data)])
    writer.close()

    assert [line for _, _, line in found(place, f'"{text}"')] == [f"before{text}after"]


def test_what_an_agent_noted_is_no_text(place: Path) -> None:
    made = session("Hello")
    made.add("model_change", model="anthropic/unheard-of")
    made.add("future_entry", data={"deep": "unheard-of"})
    writer = IndexWriter(place)
    writer.add([piece(made.data)])
    writer.close()

    assert found(place, "unheard") == []


def test_only_what_was_appended_is_read_again(place: Path) -> None:
    made = session("first words")
    writer = IndexWriter(place)
    [(_, before)] = writer.add([piece(made.data)])
    assert before is not None
    made.user("second words")
    [(_, after)] = writer.add([piece(made.data, start=before.stop, mtime_ms=2)])

    assert after is not None
    assert after == IndexedSession(len(made.data), 2, len(made.data), len(made.data), after.packed)
    assert after.figures.turns == 2
    assert [line for _, _, line in found(place, "words")] == ["first words", "second words"]
    assert writer.contents().sessions == 1
    writer.close()


def test_a_last_line_without_end_is_found_and_once_only_when_it_ended(place: Path) -> None:
    made = session("first words", "second words")
    cut = made.data.rindex(b"words") - 4
    writer = IndexWriter(place)
    whole = made.data.removesuffix(b"\n")
    [(_, known)] = writer.add([piece(whole)])
    assert known is not None
    assert known.stop < known.text_stop == len(whole)
    assert known.figures.turns == 2
    assert len(found(place, "second")) == 1

    made.user("third words")
    [(_, known)] = writer.add([piece(made.data, start=known.stop, mtime_ms=2)])
    assert [line for _, _, line in found(place, "words")] == [
        "first words",
        "second words",
        "third words",
    ]
    assert known is not None
    assert known.figures.turns == 3

    [(_, known)] = writer.add([piece(made.data[:cut], mtime_ms=3)])
    assert known is not None
    assert [line for _, _, line in found(place, "words")] == ["first words"]
    writer.close()


@pytest.mark.parametrize("place_of_change", [10, -10])
def test_a_session_that_is_another_one_now_is_not_gone_on_with(
    place: Path, place_of_change: int
) -> None:
    made = session("first words")
    writer = IndexWriter(place)
    [(_, known)] = writer.add([piece(made.data)])
    assert known is not None
    other = bytearray(made.data)
    other[place_of_change] ^= 1
    data = bytes(other) + made.user("second words")

    assert writer.add([piece(data, start=known.stop, mtime_ms=2)]) == [(PATH, None)]
    assert found(place, "first") == []
    assert list(writer.known()) == []
    writer.close()


def test_a_long_session_is_read_in_steps(place: Path) -> None:
    made = session(*(f"line {number}" for number in range(200)))
    writer = IndexWriter(place)
    known: IndexedSession | None = None
    steps = 0
    while known is None or not known.is_current(len(made.data), 9):
        start = 0 if known is None else known.stop
        part = made.data[: start + 5000]
        whole = piece(part, start=start)
        read = SessionPiece(PATH, len(made.data), 9, start, whole.data, whole.head, whole.overlap)
        [(_, known)] = writer.add([read])
        steps += 1
        assert known is not None
    writer.close()

    assert steps > 5
    assert known.figures.turns == 200
    assert len(found(place, "line")) == 200


def test_sessions_move_and_go(place: Path) -> None:
    writer = IndexWriter(place)
    writer.add([piece(session(name).data, path=f"/s/{name}.jsonl") for name in ("one", "two")])
    moves = [("/s/one.jsonl", "/s/three.jsonl"), ("/s/two.jsonl", None), ("/s/no.jsonl", "/x")]
    moved = writer.move(moves)

    assert list(writer.known()) == moved
    assert [path for path, _ in moved] == ["/s/three.jsonl"]
    assert [path for path, _, _ in found(place, "one")] == ["/s/three.jsonl"]
    assert found(place, "two") == []
    writer.close()


def test_a_session_that_moves_onto_another_takes_its_place(place: Path) -> None:
    writer = IndexWriter(place)
    writer.add([piece(session(name).data, path=f"/s/{name}.jsonl") for name in ("one", "two")])
    writer.move([("/s/one.jsonl", "/s/two.jsonl")])

    assert [path for path, _, _ in found(place, "one")] == ["/s/two.jsonl"]
    assert found(place, "two") == []
    writer.close()


def test_paths_that_are_no_text_come_back_as_they_were(place: Path) -> None:
    path = b"/s/\xff\xfe.jsonl".decode("utf-8", "surrogateescape")
    writer = IndexWriter(place)
    writer.add([piece(session("odd").data, path=path)])
    writer.close()

    assert [item[0] for item in found(place, "odd")] == [path]


def test_no_more_text_of_a_session_is_kept_than_allowed(place: Path) -> None:
    made = session(*(f"line {number} " + "x" * 1000 for number in range(200)))
    writer = IndexWriter(place, session_text=50_000)
    [(_, known)] = writer.add([piece(made.data)])
    assert known is not None
    assert known.is_current(len(made.data), 1)
    assert 0 < known.text_stop < known.stop == len(made.data)
    assert made.data[known.text_stop - 1 : known.text_stop] == b"\n"
    assert known.figures.turns == 200
    assert all(offset < known.text_stop for _, offset, _ in found(place, "line"))

    made.user("at the end")
    [(_, grown)] = writer.add([piece(made.data, start=known.stop, mtime_ms=2)])
    assert grown is not None
    assert grown.text_stop == known.text_stop
    assert found(place, "at the end") == []
    writer.close()


def test_the_oldest_text_goes_where_there_is_too_much(place: Path) -> None:
    writer = IndexWriter(place, all_text=50_000)
    for number in range(20):
        data = session(f"session {number} " + "y" * 5000).data
        writer.add([piece(data, path=f"/s/{number}.jsonl", mtime_ms=number)])
    kept = {path for path, _, _ in found(place, "session")}
    old = session("an old session").data
    writer.add([piece(old, path="/s/old.jsonl", mtime_ms=0)])

    assert writer.contents().text_bytes < 60_000
    assert "/s/19.jsonl" in kept
    assert "/s/0.jsonl" not in kept
    assert len(list(writer.known())) == 21
    writer.close()


def test_the_file_is_the_users_alone(place: Path) -> None:
    writer = IndexWriter(place)
    writer.add([piece(session("secret").data)])

    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    for kept in place.parent.iterdir():
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600, kept
    writer.close()


@pytest.mark.parametrize(
    "content",
    [b"", b"no database", b"SQLite format 3\x00" + b"\xff" * 5000],
    ids=["empty", "text", "half"],
)
def test_a_file_that_is_none_is_made_anew(place: Path, content: bytes) -> None:
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    assert not IndexReader(place)

    writer = IndexWriter(place)
    writer.add([piece(session("anew").data)])
    writer.close()
    assert len(found(place, "anew")) == 1


def test_who_reads_no_further_may_close_the_file(place: Path) -> None:
    writer = IndexWriter(place)
    writer.add([piece(session("word").data, path=f"/s/{number}.jsonl") for number in range(3)])
    writer.close()

    reader = IndexReader(place)
    known = reader.known()
    assert next(known)[0].startswith("/s/")
    reader.close()
    del known  # An error here is one that nobody can catch: pytest tells of it.


def test_a_file_of_another_version_is_made_anew(place: Path) -> None:
    IndexWriter(place).close()
    with sqlite3.connect(place) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    assert not IndexReader(place)

    writer = IndexWriter(place)
    assert list(writer.known()) == []
    writer.close()


def test_a_file_that_was_damaged_is_made_anew(place: Path) -> None:
    writer = IndexWriter(place)
    writer.add([piece(session("z" * 900).data, path=f"/s/{number}.jsonl") for number in range(50)])
    writer.tidy()
    writer.close()
    with place.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (place.stat().st_size - 4096))

    assert not IndexReader(place)
    writer = IndexWriter(place)
    assert list(writer.known()) == []
    writer.close()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(IndexFileError):
        IndexWriter(blocked / "index.sqlite")
    with pytest.raises(IndexFileError):
        WriteLock(blocked / "index.sqlite").take()


def test_one_process_writes_at_a_time(place: Path) -> None:
    first, second = WriteLock(place), WriteLock(place)

    assert first.take()
    assert first.take()
    assert not second.take()
    first.release()
    assert second.take()
    second.release()


def test_a_reader_sees_one_moment_while_another_writes(place: Path) -> None:
    writer = IndexWriter(place)
    writer.add([piece(session("first").data)])
    reader = IndexReader(place)
    held = reader.look_up(parse_search_terms("first"))
    writer.add([piece(session("second").data, mtime_ms=2)])

    assert "first" in reader.texts(held[PATH].chunks)[0]
    reader.close()
    assert found(place, "first") == []
    writer.close()


_WRITE = """
import sys
from pathlib import Path
from sessiontui.search.index import WriteLock
from sessiontui.search.index_cache import SessionPiece
from sessiontui.search.writer import IndexWriter
place, data = Path(sys.argv[1]), Path(sys.argv[2]).read_bytes()
assert WriteLock(place).take()
writer = IndexWriter(place)
number = 0
while True:
    number += 1
    writer.add([SessionPiece(f"/s/{number % 40}.jsonl", len(data), number, 0, data, data[:256])])
    if number == 50:
        print("going", flush=True)
"""


def test_a_writer_that_is_killed_leaves_a_sound_file(place: Path, tmp_path: Path) -> None:
    data = tmp_path / "session.jsonl"
    data.write_bytes(session(*(f"word {number} " + "q" * 500 for number in range(80))).data)
    with subprocess.Popen(
        [sys.executable, "-c", _WRITE, str(place), str(data)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "going\n"
        process.send_signal(signal.SIGKILL)

    assert WriteLock(place).take()
    writer = IndexWriter(place)
    known = dict(writer.known())
    assert len(known) == 40
    with sqlite3.connect(place) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    assert {path for path, _, _ in found(place, "word")} == set(known)
    writer.close()


def test_trigrams_of_long_texts_are_few_and_odd_characters_do_no_harm(place: Path) -> None:
    assert match_of(LiteralQuery("x" * 10_000)).count("AND") == 0
    assert match_of(parse_search_terms("ab")) == ""
    assert match_of(parse_search_terms("re:/abc/")) == ""
    IndexWriter(place).close()
    for odd in ("\udcff\udcfe\udcfd", 'a"b', "***", "NEAR(", "a\x00b", "'''"):
        assert found(place, f'"{odd}"') == []


def test_removing_takes_what_lies_beside_it_too(place: Path) -> None:
    writer = IndexWriter(place)
    writer.add([piece(session("x").data)])
    writer.close()

    assert index_file.remove_index(place)
    assert not index_file.remove_index(place)
    assert list(place.parent.iterdir()) == []
