"""What the views of common tools tell: exit codes, matches, to-dos, subagents, pages, languages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sessiontui.formats.jsonl import decode_line, encode_entries
from sessiontui.formats.registry import blocks_of, results_of

if TYPE_CHECKING:
    from sessiontui.formats.blocks import Block, Result


class _One:
    """Brings a call together with one result."""

    def __init__(self, result: Result | None) -> None:
        self._result = result

    def result(self, call_id: str) -> Result | None:
        return self._result

    def started_ms(self, call_id: str) -> int | None:
        return None

    def is_shown(self, call_id: str, offset: int) -> bool:
        return False


def block(
    name: str,
    arguments: dict[str, Any],
    output: str = "",
    details: Any = None,
    *,
    error: bool = False,
) -> Block:
    """Return the block of a call of omp with its result."""
    answer = {
        "role": "toolResult",
        "toolCallId": "c",
        "toolName": name,
        "content": output,
        "isError": error,
        "details": details,
    }
    content = [{"type": "toolCall", "id": "c", "name": name, "arguments": arguments}]
    asked = {"role": "assistant", "content": content}
    call, result = (
        decode_line(encode_entries([{"type": "message", "message": one}]), 0)[0]
        for one in (asked, answer)
    )
    (made,) = blocks_of(call, _One(results_of(result)[0]))
    return made


def body(found: Block) -> list[str]:
    return [line for part in found.parts for line in part.lines]


@pytest.mark.parametrize(
    ("output", "details", "error", "meta"),
    [
        ("ok", {"exitCode": 0}, False, ()),
        ("no", {"exitCode": 2}, True, ("exit 2",)),
        ("no", {"exit_code": 127}, True, ("exit 127",)),
        ("a\nb\n\nCommand exited with code 1", None, True, ("exit 1",)),
        ("Exit code 3\nboom", None, True, ("exit 3",)),
        ("it exited with code 9, says the log", None, False, ()),
        ("", {"interrupted": True}, True, ("interrupted",)),
    ],
)
def test_a_command_tells_how_it_ended(
    output: str, details: Any, error: bool, meta: tuple[str, ...]
) -> None:
    assert block("bash", {"command": "make"}, output, details, error=error).meta == meta


def test_the_exit_code_of_a_long_output_is_found_at_its_end() -> None:
    output = "\n".join(map(str, range(5000))) + "\nCommand exited with code 4"
    assert block("bash", {"command": "make"}, output, error=True).meta == ("exit 4",)


def test_a_search_tells_how_much_it_found() -> None:
    assert block("grep", {"pattern": "x"}, "a", {"matchCount": 24}).meta == ("24 matches",)
    assert block("Glob", {"pattern": "*"}, "a", {"numFiles": 1}).meta == ("1 file",)
    assert block("grep", {"pattern": "x"}, "a").meta == ()


def test_to_dos_come_from_the_result_by_phase_else_from_the_call() -> None:
    details = {
        "phases": [
            {"name": "Build", "tasks": [{"content": "a", "status": "completed"}]},
            {"name": "Test", "tasks": [{"content": "b", "status": "in_progress"}, {"content": 7}]},
        ]
    }
    found = block("todo", {"ops": [{"op": "done", "task": "a"}]}, "ok", details)
    assert found.detail == "1 of 3 done"
    assert body(found) == ["Build", "✓ a", "Test", "▸ b", "· "]
    asked = {"todos": [{"content": "x", "status": "completed"}, {"content": "y"}]}
    found = block("TodoWrite", asked, "ok", {"oldTodos": []})
    assert (found.detail, body(found)) == ("1 of 2 done", ["✓ x", "· y"])


def test_a_task_tells_what_each_subagent_did_and_where_its_session_is() -> None:
    details = {
        "results": [
            {"id": "0-Review", "exitCode": 0, "durationMs": 42_000, "tokens": 1200},
            {"id": "1-Build", "exitCode": 1, "error": "no"},
        ],
        "usage": {"totalTokens": 5000, "cost": {"total": 0.25}},
    }
    asked = {"agent": "architect", "tasks": [{"id": "Review", "description": "Look at it"}]}
    found = block("task", asked, "done", details)
    assert found.detail == "architect · Look at it"
    assert found.usage is not None
    assert (found.usage.tokens, found.usage.cost) == (5000, 0.25)
    assert "✓ 0-Review · 1,200 tokens · 42 s" in body(found)
    assert "✗ 1-Build" in body(found)
    assert found.subagents == ("0-Review", "1-Build", "Review")
    claude = block("Task", {"prompt": "Go", "subagent_type": "x"}, "ok", {"agentId": "a1b2"})
    assert claude.subagents == ("agent-a1b2",)


def test_no_subagent_leads_out_of_its_folder() -> None:
    hostile = {"tasks": [{"id": "../../x"}, {"id": "a/b"}, {"id": "\x1b[m"}, {"id": 5}]}
    assert block("task", hostile, "ok", {"results": "no list"}).subagents == ()


def test_a_page_tells_its_address_and_title() -> None:
    found = block("web_fetch", {"url": "https://a.test"}, "text", {"title": "A page"})
    assert found.detail == "https://a.test  “A page”"
    found = block("browser", {"action": "open"}, "", {"url": "http://localhost:1"})
    assert found.detail == "open http://localhost:1"


def test_files_and_scripts_carry_their_language() -> None:
    assert block("read", {"path": "/a/b.py"}, "x = 1").parts[0].language == "py"
    assert block("read", {"path": "src/Main.RS:10-20"}, "x").parts[0].language == "rs"
    assert block("read", {"path": "Dockerfile"}, "x").parts[0].language == "dockerfile"
    assert block("write", {"path": "a.ts", "content": "let a"}, "ok").parts[0].language == "ts"
    assert block("bash", {"command": "cd x\nmake"}, "ok").parts[0].language == "sh"
    assert block("python", {"code": "a = 1\nb = 2"}, "ok").parts[0].language == "py"
    assert block("read", {"path": "a.py"}, "no such file", error=True).parts[0].language == ""


def test_a_long_change_shows_what_changed_while_it_is_folded() -> None:
    lines = [f" {number}| same" for number in range(30)]
    lines[12] = "+12| new"
    lines[20:22] = ["-20| old", "+20| newer"]
    found = block("edit", {"path": "a.py"}, "ok", {"diff": "\n".join(lines)})
    assert (found.added, found.removed) == (2, 1)
    assert found.brief is not None
    assert found.brief[0].lines == (
        " 11| same",
        "+12| new",
        " 13| same",
        "…",
        " 19| same",
        "-20| old",
        "+20| newer",
        " 22| same",
    )
    assert found.brief[0].more == 22
    assert body(found) == lines
    short = block("edit", {"path": "a.py"}, "ok", {"diff": "\n".join(lines[8:14])})
    assert short.brief is None
    new = block("edit", {"path": "a.py"}, "ok", {"diff": "\n".join(["+x"] * 40)})
    assert new.brief is None
