"""What a copy begins with, where it goes, and how omp names that."""

from __future__ import annotations

import json
import re

import pytest

from sessiontui.errors import WrongTypeError
from sessiontui.formats.jsonl import encode_entries, encode_entry
from sessiontui.formats.omp import project_folder, session_file
from sessiontui.formats.title_slot import make_slot, make_title_field, parse_slot
from sessiontui.storage.backend import Stat
from sessiontui.workspace.copy_stream import (
    DigestSink,
    RewrittenHeader,
    SessionHeader,
    rewrite_header,
)
from sessiontui.workspace.transfer import is_leftover
from tests.omp_reader import folder_name
from tests.sessions import pi_session

WHEN = 1_790_000_000_123
HEADER = {"type": "session", "version": 3, "id": "1", "cwd": "/a", "note": "\ud800é", "n": 1.5}
REST = b'{"type":"message"}\n\xff\n'
PATH = "/p/a.jsonl"


def made(
    data: bytes,
    title: bytes | None = None,
    *,
    to_folder: bool = True,
    cwd: str | None = None,
    parents: dict[str, str] | None = None,
) -> tuple[bytes, bytes | None]:
    """Return a whole copy, and its title field."""
    stat = Stat(PATH, len(data), WHEN, title)
    how = rewrite_header(data, stat, to_folder=to_folder, cwd=cwd, parents=parents or {})
    return how.data + data[how.skip :], how.title


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"{",
        b'{"type":"session"',
        b'{"type":"message"}\n',
        b"[]\n",
        b"\xff\xfe\n",
        make_slot("alone", source=None, updated_at=WHEN),
        encode_entry(HEADER) + REST,
        make_slot("t", source="user", updated_at=WHEN) + encode_entry(HEADER) + REST,
        b'{"type":"title","title":"odd"}\n' + encode_entry(HEADER),
    ],
)
def test_without_a_reason_not_a_byte_changes(data: bytes) -> None:
    for to_folder in (True, False):
        assert made(data, to_folder=to_folder)[0] == data


def test_another_project_changes_that_field_and_nothing_else() -> None:
    slot = make_slot("t", source="user", updated_at=WHEN)
    for first in (b"", slot, b'{"type":"title","title":"odd"}\n'):
        copy, _ = made(first + encode_entry(HEADER) + REST, cwd="/b c")
        line = copy[len(first) :].split(b"\n")[0]
        assert copy == first + line + b"\n" + REST
        assert list(json.loads(line)) == list(HEADER)
        assert json.loads(line) == HEADER | {"cwd": "/b c"}


def test_a_parent_that_is_copied_too_is_named_by_its_new_path() -> None:
    data = encode_entry(HEADER | {"parentSession": "/p/old.jsonl"})
    copy, _ = made(data, parents={"/p/old.jsonl": "/q/new.jsonl"})
    assert json.loads(copy)["parentSession"] == "/q/new.jsonl"
    assert made(data, parents={"/p/other.jsonl": "/q/new.jsonl"})[0] == data


def test_where_there_is_no_header_a_project_cannot_be_said() -> None:
    with pytest.raises(WrongTypeError):
        made(b'{"type":"message"}\n', cwd="/b")


@pytest.mark.parametrize("first", [b"", make_slot("stale", source="auto", updated_at=WHEN)])
def test_a_title_field_that_counts_becomes_the_title_line_of_a_file(first: bytes) -> None:
    data = first + encode_entry(HEADER) + REST
    for title, source in (("New one", "user"), ("", "auto")):
        copy, field = made(data, make_title_field(title, source, WHEN - 7))  # type: ignore[arg-type]
        assert field is None
        slot = parse_slot(copy)
        assert slot is not None
        assert (slot.title, slot.source, slot.exact) == (title, source, True)
        assert copy[256:] == data[len(first) :]
    for worthless in (b"{", b'{"title":"x"}', b""):
        assert made(data, worthless)[0] == data


def test_no_title_field_comes_before_a_header_of_pi() -> None:
    data = encode_entries(pi_session())
    assert made(data, make_title_field("Mine", "user", WHEN)) == (data, None)


def test_in_redis_a_title_field_stays_and_an_exact_title_line_gets_one() -> None:
    slot = make_slot("T", source="auto", updated_at=WHEN)
    data = slot + encode_entry(HEADER)
    field = make_title_field("Other", "user", WHEN)
    assert made(data, field, to_folder=False) == (data, field)
    assert made(data, to_folder=False) == (data, make_title_field("T", "auto", WHEN))
    assert made(encode_entry(HEADER), to_folder=False)[1] is None
    odd = b'{"type":"title","title":"odd"}\n' + encode_entry(HEADER)
    assert made(odd, to_folder=False)[1] is None


def test_a_session_of_another_agent_keeps_what_the_index_knows() -> None:
    field = make_title_field("T", "user", WHEN)
    assert made(b'{"type":"user"}\n', field, to_folder=False) == (b'{"type":"user"}\n', field)
    assert rewrite_header(
        b"x", Stat(PATH, 1, WHEN), to_folder=True, cwd=None, parents={}
    ) == RewrittenHeader(0, b"", None)


def test_the_first_lines_are_found_whatever_stands_there() -> None:
    found = SessionHeader.of(
        make_slot("t", source=None, updated_at=WHEN) + encode_entry(HEADER) + REST
    )
    assert (found.start, found.text("cwd"), found.text("n"), found.text("none")) == (
        256,
        "/a",
        None,
        None,
    )


@pytest.mark.parametrize(
    ("cwd", "folder"),
    [
        ("/home/mira/code/app", "-code-app"),
        ("/home/mira", "-"),
        ("/home/mira/", "-"),
        ("/home/miranda/x", "--home-miranda-x--"),
        ("/tmp/x/y", "-tmp-x-y"),
        ("/tmp", "-tmp"),
        ("/tmpfs", "--tmpfs--"),
        ("/srv/app", "--srv-app--"),
        ("/", "----"),
        ("/home/mira/a:b\\c", "-a-b-c"),
    ],
)
def test_projects_have_the_folders_that_omp_gives_them(cwd: str, folder: str) -> None:
    assert project_folder(cwd, home="/home/mira") == folder
    if cwd.count("/") > 2 and "\\" not in cwd:
        assert folder_name(cwd, "/home/mira") == folder


@pytest.mark.parametrize(
    ("name", "created", "identity", "file"),
    [
        ("x.jsonl", "2026-09-21T13:33:20.000Z", "7", "2026-09-21T13-33-20-000Z_7.jsonl"),
        ("2026-09-21T13-33-20-000Z_7.jsonl", "2000-01-01T00:00:00Z", "8", None),
        ("x.jsonl", "yesterday", "7", None),
        ("x.jsonl", "2026-09-21T13:33:20.000Z", "../7", None),
        ("x.jsonl", "2026-09-21T13:33:20.000Z", "", None),
        ("x.jsonl", None, "7", None),
        ("x.jsonl", 7, ["7"], None),
    ],
)
def test_files_have_the_names_that_omp_gives_them_or_keep_theirs(
    name: str, created: object, identity: object, file: str | None
) -> None:
    assert session_file(name, created=created, session_id=identity) == (file or name)


def test_debris_is_told_from_what_belongs_to_a_session() -> None:
    debris = ("a.jsonl.1.bak", ".a.jsonl.lock", ".a.jsonl.lock.os", ".a.jsonl.7.tmp")
    kept = ("a.jsonl", "draft.txt", ".draft-only-session", "notes.bak", "1.tmp", "a.lock", ".x")
    assert all(map(is_leftover, debris))
    assert not any(map(is_leftover, kept))


async def test_a_digest_depends_on_the_bytes_and_not_on_the_pieces() -> None:
    values = []
    for pieces in (b"abc", b"d"), (b"a", b"bcd"):
        digest = DigestSink()
        await digest.take(b"forgotten")
        digest.begin()
        for piece in pieces:
            await digest.take(piece)
        values.append(digest.value)
    assert values[0] == values[1]
    assert values[0][0] == 4
    assert re.fullmatch(r"[0-9a-f]{64}", values[0][1].hex())
