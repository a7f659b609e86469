"""Lines of sessions: split, decoded, encoded; times."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sessiontui.formats.jsonl import (
    EXCERPT_BYTES,
    HEAD_BYTES,
    MAX_DEPTH,
    MAX_OBJECTS,
    WHOLE_BYTES,
    BadLine,
    Entry,
    LineBuffer,
    decode_line,
    decode_lines,
    encode_entries,
    encode_entry,
    partial_object,
    read_json,
    split_lines,
)
from sessiontui.times import iso_time, time_ms
from tests.sessions import claude_session, codex_session, every_omp_entry

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def one(raw: bytes, offset: int = 0) -> Entry:
    (item,) = decode_line(raw, offset)
    assert isinstance(item, Entry), item
    return item


def bad(raw: bytes) -> BadLine:
    (item,) = decode_line(raw, 0)
    assert isinstance(item, BadLine), item
    return item


def test_an_entry_of_omp_has_its_place_in_file_tree_and_time() -> None:
    entry = one(
        b'{"type":"message","id":"b2","parentId":"a1","timestamp":"2026-09-14T18:21:34.726Z"}\n', 70
    )
    assert (entry.offset, entry.size) == (70, 83)
    assert (entry.type, entry.id, entry.parent_id) == ("message", "b2", "a1")
    assert entry.timestamp_ms == 1_789_410_094_726


def test_entries_of_claude_code_and_codex_have_theirs() -> None:
    items = decode_lines(encode_entries(claude_session() + codex_session()))
    entries = [item for item in items if isinstance(item, Entry)]
    assert len(entries) == len(items)
    claude, codex = entries[4], entries[5]
    assert (claude.type, claude.id, claude.parent_id) == ("assistant", "u4", "u3")
    assert (codex.type, codex.id) == ("session_meta", "019fc8be-0000-7000-8000-000000000001")
    assert claude.timestamp_ms
    assert codex.timestamp_ms


def test_a_message_without_a_time_of_its_own_has_its_messages() -> None:
    assert one(b'{"type":"message","message":{"timestamp":1789410093873}}').timestamp_ms == (
        1_789_410_093_873
    )


def test_every_kind_of_entry_is_decoded_and_encoded_again_byte_for_byte() -> None:
    data = every_omp_entry()
    items = decode_lines(data)
    entries = [item for item in items if isinstance(item, Entry)]
    assert len(entries) == len(items) == data.count(b"\n")
    assert "future_entry" in [entry.type for entry in entries]
    assert encode_entries(entry.data for entry in entries) == data


def test_an_entry_without_usable_fields_is_still_an_entry() -> None:
    entry = one(b'{"type":["x"],"id":7,"parentId":{},"timestamp":"soon","message":"text"}')
    assert (entry.type, entry.id, entry.parent_id, entry.timestamp_ms) == ("", None, None, None)
    assert one(b"{}").type == ""


@pytest.mark.parametrize("raw", [b"", b"\n", b"\r\n", b"   \t\r", b"\xef\xbb\xbf"])
def test_a_blank_line_is_nothing(raw: bytes) -> None:
    assert decode_line(raw, 0) == ()


@pytest.mark.parametrize(
    ("raw", "data"),
    [
        (b'{"a":1}\r\n', {"a": 1}),
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b'  {"a":1}  ', {"a": 1}),
        (b'{"a":"\\ud800"}', {"a": "\ud800"}),
        (b'{"a":"\\ud83d\\ude00"}', {"a": "\U0001f600"}),
        (b'{"a":"\xff\xfeb"}', {"a": "\ufffd\ufffdb"}),
        (b'{"a":1e999}', {"a": math.inf}),
        (b'{"a":-Infinity}', {"a": -math.inf}),
        (b'{"a":12345678901234567890123}', {"a": 12345678901234567890123}),
        (b'{"a":1,"a":2}', {"a": 2}),
    ],
)
def test_what_strict_readers_refuse_is_decoded(raw: bytes, data: object) -> None:
    assert one(raw).data == data


def test_not_a_number_is_decoded() -> None:
    assert math.isnan(one(b'{"a":NaN}').data["a"])


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"[1,2]", "no object"),
        (b'"text"', "no object"),
        (b"5", "no object"),
        (b"null", "no object"),
        (b'\xef\xbb\xbf"text"', "no object"),
        (b"plain text", "character 1)"),
        (b'{"a":1', "not JSON"),
        (b'{"a":"\\***"}', "not JSON"),
        (b'{"a":"raw \x1b[31m"}', "not JSON"),
        (b"{'a':1}", "not JSON"),
        (b'{"a":' + b"9" * 5000 + b"}", "number that is too long"),
        (b'{"a":' + b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested too deeply"),
        (b"\x00\x01\x02", "not JSON"),
    ],
)
def test_a_bad_line_says_why_and_shows_its_beginning(raw: bytes, reason: str) -> None:
    line = bad(raw)
    assert reason in line.reason
    assert line.reason.isprintable()
    assert line.size == len(raw)
    assert line.excerpt == raw[:EXCERPT_BYTES]


def test_objects_that_share_a_line_are_all_kept() -> None:
    first, second = decode_line(b'{"id":"a"}{"id":"b"} \r\n', 9)
    assert isinstance(first, Entry)
    assert isinstance(second, Entry)
    assert (first.id, second.id) == ("a", "b")
    assert (first.offset, first.size) == (second.offset, second.size) == (9, 22)


def test_what_follows_an_object_on_its_line_is_a_bad_line() -> None:
    entry, rest = decode_line(b'{"id":"a"} and more', 0)
    assert isinstance(entry, Entry)
    assert isinstance(rest, BadLine)


def test_the_objects_on_one_line_are_bounded() -> None:
    items = decode_line(b"{}" * 50_000, 0)
    assert len(items) == MAX_OBJECTS + 1
    assert isinstance(items[-1], BadLine)


def test_a_line_too_long_to_decode_tells_what_it_is() -> None:
    head = b'{"type":"message","id":"x1","message":{"role":"assistant","content":[{"type":"text",'
    raw = head + b'"text":"' + b"long \\n" * (WHOLE_BYTES // 7 + 1) + b'"}]}}'
    entry = one(raw)
    assert entry.partial
    assert (entry.type, entry.id, entry.size) == ("message", "x1", len(raw))
    text = entry.data["message"]["content"][0]["text"]
    assert text.startswith("long \nlong")
    assert len(text) < HEAD_BYTES


def test_the_head_of_a_line_tells_what_it_is() -> None:
    raw = b'{"type":"message","id":"x1","message":{"role":"user","content":"Hello wor'
    (entry,) = decode_line(raw, 5, size=900_000)
    assert isinstance(entry, Entry)
    assert entry.partial
    assert (entry.offset, entry.size) == (5, 900_000)
    assert entry.data["message"] == {"role": "user", "content": "Hello wor"}


def test_a_line_too_long_that_is_no_entry_is_a_bad_line() -> None:
    line = bad(b"x" * (WHOLE_BYTES + 1))
    assert line.size == WHOLE_BYTES + 1
    assert len(line.excerpt) == EXCERPT_BYTES


def test_lines_know_their_offsets() -> None:
    items = decode_lines(b'{"id":"a"}\n\n\r\nbad\n{"id":"b"}\n{"id":"c"}', 100)
    assert [item.offset for item in items] == [100, 114, 118, 129]
    assert [type(item) for item in items] == [Entry, BadLine, Entry, Entry]


@given(st.binary(max_size=300) | st.text('{}[]",:\\ud8 01ae\n', max_size=80).map(str.encode))
def test_any_bytes_decode_to_something(data: bytes) -> None:
    for item in decode_lines(data):
        assert isinstance(item, Entry | BadLine)
        assert 0 <= item.offset <= len(data)


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_any_object_is_decoded_as_json_reads_it(value: dict[str, object]) -> None:
    raw = json.dumps(value).encode()
    entry = one(raw)
    assert json.dumps(entry.data) == json.dumps(value)


@given(st.lists(st.binary(max_size=30), max_size=12), st.integers(0, 1000))
def test_lines_come_whole_however_the_bytes_are_cut(pieces: list[bytes], offset: int) -> None:
    data = b"".join(pieces)
    buffer = LineBuffer(offset)
    lines = [line for piece in pieces for line in buffer.feed(piece)]
    assert lines == list(split_lines(data, offset, rest=False))
    assert buffer.rest == data[data.rfind(b"\n") + 1 :]
    assert buffer.rest_size == len(buffer.rest)
    assert buffer.offset == offset + data.rfind(b"\n") + 1
    assert b"".join(line.data + b"\n" for line in lines) + buffer.rest == data


def test_a_line_still_being_written_is_kept_up_to_a_bound() -> None:
    buffer = LineBuffer(limit=4)
    assert buffer.feed(b"abc") == []
    assert buffer.feed(b"defg") == []
    assert (buffer.rest, buffer.rest_size) == (b"abcd", 7)
    first, second = buffer.feed(b"h\nij\nk")
    assert (first.offset, first.data, first.size) == (0, b"abcd", 8)
    assert (second.offset, second.data, second.size) == (9, b"ij", 2)
    assert buffer.offset == 12


@pytest.mark.parametrize(
    ("head", "value"),
    [
        (b'{"a":1,"b":[1,{"c":"de', {"a": 1, "b": [1, {"c": "de"}]}),
        (b'{"a":1,"b', {"a": 1}),
        (b'{"a":1,"b":', {"a": 1}),
        (b'{"a":1,"b":tr', {"a": 1}),
        (b'{"a":12', {}),
        (b'{"a":[1,2', {"a": [1]}),
        (b'{"a":"x\\', {"a": "x"}),
        (b'{"a":"x\\u12', {"a": "x"}),
        (b'{"a":"x\\u0041', {"a": "xA"}),
        (b'{"a":"x\\"y', {"a": 'x"y'}),
        (b'{"a":"\xed\x95', {"a": ""}),
        (b'{"a":{},"b":[],', {"a": {}, "b": []}),
        (b'{"a":1} {"b":2', {"a": 1}),
        (b"{", {}),
        (b'\xef\xbb\xbf {"a":"b', {"a": "b"}),
        (b"[1", None),
        (b"", None),
        (b"{{{", None),
        (b'{"a" "b"', {}),
        (b'{"a":]', None),
    ],
)
def test_a_cut_object_is_read_as_far_as_it_goes(head: bytes, value: object) -> None:
    assert partial_object(head) == value


@given(st.dictionaries(st.text(), JSON, max_size=5), st.integers(0, 400))
@example({"a": [[[[]]]]}, 8)
def test_an_object_cut_anywhere_gives_a_part_of_it(value: dict[str, object], end: int) -> None:
    raw = json.dumps(value, ensure_ascii=True, allow_nan=True).encode()
    part = partial_object(raw[: max(1, end)])
    assert part is not None
    assert list(part) == list(value)[: len(part)]
    assert partial_object(raw) is not None


@given(st.binary(max_size=200) | st.text('{}[]",:\\u01e-tn ', max_size=60).map(str.encode))
def test_any_head_is_an_object_or_none(head: bytes) -> None:
    part = partial_object(head)
    assert part is None or isinstance(part, dict)


@pytest.mark.parametrize(("opening", "closing"), [(b'{"a":', b"}"), (b"[", b"]")])
def test_as_much_is_nested_as_can_be_shown_whatever_python_reads(
    opening: bytes, closing: bytes
) -> None:
    def nested(depth: int) -> bytes:
        return b'{"v":' + opening * (depth - 1) + b"1" + closing * (depth - 1) + b"}"

    [item] = decode_line(nested(MAX_DEPTH), 0)
    assert isinstance(item, Entry)
    assert read_json(nested(MAX_DEPTH).decode()) == item.data
    for depth in (MAX_DEPTH + 1, 900, 5000, 50_000):
        assert "nested too deeply" in bad(nested(depth)).reason
        with pytest.raises(ValueError, match="nested too deeply"):
            read_json(nested(depth).decode())
    text = json.dumps({"text": "[" * 5000}).encode()
    assert isinstance(decode_line(text, 0)[0], Entry)
    twice = decode_line(b'{"a":1} ' + nested(900), 0)
    assert [type(item) for item in twice] == [Entry, BadLine]


def test_a_deeply_nested_head_ends() -> None:
    assert partial_object(b'{"a":' * 50_000) is not None
    assert partial_object(b'{"a":"' + b'\\"' * 30_000) is not None


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        ("2026-09-14T18:21:34.726Z", 1_789_410_094_726),
        ("2026-09-14T18:21:34Z", 1_789_410_094_000),
        ("2026-09-14T18:21Z", 1_789_410_060_000),
        ("2026-09-14T20:21:34.726+02:00", 1_789_410_094_726),
        ("2026-09-14T20:21:34.726123456+0200", 1_789_410_094_726),
        ("2026-09-14 18:21:34z", 1_789_410_094_000),
        (1_789_410_094_726, 1_789_410_094_726),
        (1_789_410_094_726.9, 1_789_410_094_726),
        (1_789_410_094, 1_789_410_094_000),
        (1_789_410_094.5, 1_789_410_094_500),
        ("2026-09-14T18:21:34.726", None),
        ("2026-13-14T18:21:34Z", None),
        ("2026-02-30T18:21:34Z", None),
        ("2026-09-14", None),
        ("20260914T182134Z", None),
        ("1970-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59Z", None),
        ("٢٠٢٦-09-14T18:21:34Z", None),
        ("1789410094726", None),
        ("[trimmed]", None),
        ("", None),
        ("2" * 1000, None),
        (0, None),
        (-1, None),
        (10**30, None),
        (1_789_410_094_726_000, None),
        (math.nan, None),
        (math.inf, None),
        (True, None),
        (None, None),
        ([], None),
    ],
)
def test_a_time_is_read_strictly(value: object, ms: int | None) -> None:
    assert time_ms(value) == ms


@given(st.integers(946_684_800_000, 4_102_444_799_999))
def test_a_time_is_written_as_it_is_read(ms: int) -> None:
    assert time_ms(iso_time(ms)) == ms
    assert len(iso_time(ms)) == 24


def test_an_entry_is_one_line_of_compact_json() -> None:
    entry = {"type": "message", "text": 'a "b"\n한\ud800', "list": [1, 2.5, None]}
    assert encode_entry(entry) == (
        '{"type":"message","text":"a \\"b\\"\\n한\\ud800","list":[1,2.5,null]}\n'.encode()
    )


def test_what_json_has_not_is_not_encoded() -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode_entry({"a": math.nan})
    with pytest.raises(TypeError):
        encode_entry({"a": object()})
