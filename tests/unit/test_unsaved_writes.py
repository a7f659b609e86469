"""Changes that a source did not confirm are kept in a file of the user's alone."""

from __future__ import annotations

import base64
import json
import os
from typing import TYPE_CHECKING

import pytest

from sessiontui.storage.write_queue import PendingWrite
from sessiontui.workspace.unsaved_writes import save_unsaved_writes

if TYPE_CHECKING:
    from pathlib import Path

NOW_MS = 1_795_442_529_000
WRITES = (
    PendingWrite("title", "/s/a.jsonl", title="Später"),
    PendingWrite("rename", "/s/a.jsonl", target="/s/b.jsonl"),
    PendingWrite("append", "/s/\udcff.jsonl", data=b'{"line":1}\n'),
    PendingWrite("write", "/s/c.jsonl", data=b"\xff\x00\n"),
    PendingWrite("delete", "/s/d.jsonl"),
)


def test_every_change_is_a_line_that_can_be_read_back(tmp_path: Path) -> None:
    path = save_unsaved_writes(WRITES, tmp_path / "state", now_ms=NOW_MS)
    told = [json.loads(line) for line in path.read_text("ascii").splitlines()]
    assert told == [
        {"action": "title", "path": "/s/a.jsonl", "title": "Später"},
        {"action": "rename", "path": "/s/a.jsonl", "target": "/s/b.jsonl"},
        {"action": "append", "path": "/s/\udcff.jsonl", "data": '{"line":1}\n'},
        {
            "action": "write",
            "path": "/s/c.jsonl",
            "data_base64": base64.b64encode(b"\xff\x00\n").decode(),
        },
        {"action": "delete", "path": "/s/d.jsonl"},
    ]


def test_nobody_else_may_read_it_and_nothing_is_overwritten(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        first, second = (save_unsaved_writes(WRITES, tmp_path / "s", now_ms=NOW_MS) for _ in "12")
    finally:
        os.umask(before)
    assert first != second
    assert {path.stat().st_mode & 0o777 for path in (first, second)} == {0o600}
    assert first.parent.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        save_unsaved_writes(WRITES, tmp_path / "file" / "state", now_ms=NOW_MS)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
