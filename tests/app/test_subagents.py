"""From a transcript to another one: the sessions of subagents."""

from __future__ import annotations

from sessiontui.app.controllers.transcript import subagent_path
from sessiontui.formats.jsonl import encode_entries
from sessiontui.storage.memory import MemoryStore
from tests.app.support import NOW_MS, running, session, settle

PARENT = "/s/p/parent.jsonl"


def test_a_subagent_is_found_by_its_task_with_or_without_number() -> None:
    known = [PARENT, "/s/p/parent/0-Review.jsonl", "/s/p/parent/Build.jsonl", "/s/q/Other.jsonl"]
    assert subagent_path(PARENT, ("Review",), known) == "/s/p/parent/0-Review.jsonl"
    assert subagent_path(PARENT, ("0-Review",), known) == "/s/p/parent/0-Review.jsonl"
    assert subagent_path(PARENT, ("none", "Build"), known) == "/s/p/parent/Build.jsonl"
    assert subagent_path(PARENT, ("Other", "parent", ""), known) is None
    claude = [PARENT, "/s/p/agent-a1.jsonl", "/s/p/parent/subagents/agent-b2.jsonl"]
    assert subagent_path(PARENT, ("agent-a1",), claude) == "/s/p/agent-a1.jsonl"
    assert subagent_path(PARENT, ("agent-b2",), claude) == "/s/p/parent/subagents/agent-b2.jsonl"


async def test_a_key_on_a_task_reads_the_session_of_its_subagent() -> None:
    call = {"type": "toolCall", "id": "c", "name": "task", "arguments": {"tasks": [{"id": "Dig"}]}}
    entry = {"type": "message", "message": {"role": "assistant", "content": [call]}}
    store = MemoryStore(clock=lambda: NOW_MS)
    store.write(PARENT, session("Parent", "Go") + encode_entries([entry]), mtime_ms=NOW_MS)
    dug = session("Dug", "Dig here", session_id="0001")
    store.write("/s/p/parent/Dig.jsonl", dug, mtime_ms=NOW_MS - 5000)
    async with running(store) as (app, pilot):
        app.main.show_session(PARENT)
        await settle(pilot)
        await pilot.press("enter", ">")
        await settle(pilot)
        assert app.main.reading.path == "/s/p/parent/Dig.jsonl"
        assert app.main.has_class("-reading")
        await pilot.press(">")
        await settle(pilot)
        assert app.main.footer.note is not None
        assert "started no subagent" in app.main.footer.note.text
