"""Branches, compactions and resets in both kinds of sources, and every key on real sessions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import pytest
from textual.widgets import OptionList, Static

from sessiontui.app.screens.branch_list import BranchListScreen
from sessiontui.app.screens.entry_json import EntryJsonScreen
from sessiontui.formats.jsonl import encode_entries
from sessiontui.storage.storage import open_backend
from tests.app.support import app_of, running, settle
from tests.app.test_transcript_branches import said
from tests.app.test_transcript_keys import HARMFUL
from tests.app.transcript_host import reading, settled
from tests.corpus import CORPUS, corpus_file
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from redis.asyncio import Redis
    from textual.pilot import Pilot

    from tests.servers import RealServer

NAME = "-code-api/2026-11-23T10-00-00-000Z_tree.jsonl"
SESSION = encode_entries(
    [
        {"type": "session", "version": 3, "id": "s", "cwd": "/x", "title": "A tree"},
        said("early", None),
        said("reset", "early", type="reset_boundary"),
        said("root", "reset"),
        said("left", "root", at=60),
        said("kept", "root", at=120),
        said("cut", "kept", type="compaction", summary="In short.", firstKeptEntryId="kept"),
        said("last", "cut", at=180),
    ]
)


def painted(pilot: Pilot[None]) -> str:
    view = app_of(pilot).main.transcript
    return "\n".join(view.render_line(y).text.rstrip() for y in range(view.size.height))


@pytest.mark.parametrize("kind", ["redis", "folder"])
async def test_a_tree_is_read_branch_by_branch_from_both_sources(
    kind: Literal["redis", "folder"],
    tmp_path: Path,
    redis_server: RealServer,
    redis_client: Redis,
) -> None:
    source = redis_server.url
    if kind == "redis":
        await redis_client.set(f"omp:sessions:file:/{NAME}", SESSION)
    else:
        source = str(tmp_path)
        (tmp_path / NAME).parent.mkdir()
        (tmp_path / NAME).write_bytes(SESSION)
    async with running(source=source, connect=open_backend, size=(140, 50)) as (app, pilot):
        await pilot.press("down", "enter")
        await settle(pilot)
        text = painted(pilot)
        assert "⑂ 1 entry of another branch" in text
        assert "⑂ 1 branch leaves here" in text
        assert "said early" in text
        assert re.search("Reset .*─", text)
        assert re.search("Compaction .*─", text)
        assert "said left" not in text
        await pilot.press("M")
        await settle(pilot)
        text = painted(pilot)
        assert [
            word in text for word in ("early", "root", "said kept", "In short", "said last")
        ] == [*(False, False, True, True, True)]
        line = app.main.transcript_pane.query_one("#transcript-branch", Static)
        assert "Model context" in str(line.render())
        await pilot.press("M", "B")
        await until(lambda: isinstance(app.screen, BranchListScreen))
        await until(lambda: app.screen.query_one(OptionList).option_count == 2)
        await pilot.press("down", "enter")
        await settle(pilot)
        assert "said left" in painted(pilot)
        assert "said last" not in painted(pilot)
        other = encode_entries([said("more", "last", at=240)])
        if kind == "redis":
            await redis_client.append(f"omp:sessions:file:/{NAME}", other)
        else:
            with (tmp_path / NAME).open("ab") as file:
                file.write(other)
        await until(lambda: "came elsewhere" in str(line.render()))


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.jsonl")), ids=lambda path: path.stem)
async def test_every_key_of_the_transcript_works_on_real_sessions(
    path: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "s.jsonl"
    copy.write_bytes(corpus_file(path.name).read_bytes())
    async with reading(copy) as (app, pilot, _source):
        for key in ("M", "home", "x", "end", "M", "X", "pageup", "[", "}", "v", "pageup", "v"):
            await pilot.press(key)
            await settled(app, pilot)
            assert all(HARMFUL.search(row) is None for row in app.rows())
        await pilot.press("V")
        await until(lambda: isinstance(app.screen, EntryJsonScreen))
        await app.workers.wait_for_complete(list(app.workers))
        await pilot.pause()
        text = str(app.screen.query_one("#stored-text", Static).render())
        assert text
        assert all(HARMFUL.search(line) is None for line in text.split("\n"))
        await pilot.press("escape", "B")
        await until(lambda: isinstance(app.screen, BranchListScreen))
        await app.workers.wait_for_complete(list(app.workers))
        options = app.screen.query_one(OptionList)
        if options.option_count:
            await pilot.press("G", "enter")
            await settled(app, pilot)
            assert app.painted().strip()
