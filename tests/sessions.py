"""Makes sessions as each agent writes them, small and with every kind of entry."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from sessiontui.formats.jsonl import encode_entries
from sessiontui.formats.title_slot import make_slot
from sessiontui.times import iso_time

if TYPE_CHECKING:
    from collections.abc import Mapping

START_MS = 1_789_000_000_000
"""When the sessions made here begin; every entry is a second later than the one before."""

OMP_PATH = "/sessions/-code-api/2026-09-10T00-26-40-000Z_01a0b000-0000-7000-8000-00000000abcd.jsonl"

Fields = dict[str, Any]


class Omp:
    """An omp session that grows entry by entry; `data` is all of it."""

    def __init__(
        self, *, title: str | None = "Fix the tests", header: Mapping[str, Any] | None = None
    ) -> None:
        self._seconds = count(1)
        self._last: str | None = None
        slot = b""
        if title is not None:
            slot = make_slot(title, source="auto" if title else None, updated_at=START_MS)
        first: Fields = {
            "type": "session",
            "version": 3,
            "id": "01a0b000-0000-7000-8000-00000000abcd",
            "timestamp": iso_time(START_MS),
            "cwd": "/home/me/code/api",
            **(header or {}),
        }
        self.data = slot + encode_entries([first])

    def add(self, kind: str, **fields: Any) -> bytes:
        """Append one entry; its line."""
        second = next(self._seconds)
        entry = {
            "type": kind,
            "id": f"{second:08x}",
            "parentId": self._last,
            "timestamp": iso_time(START_MS + 1000 * second),
            **fields,
        }
        self._last = str(entry["id"])
        line = encode_entries([entry])
        self.data += line
        return line

    def message(self, role: str, content: object = "", **fields: Any) -> bytes:
        """Append a message."""
        return self.add("message", message={"role": role, "content": content, **fields})

    def user(self, text: str = "Please do it.") -> bytes:
        """Append what the user said."""
        return self.message("user", [{"type": "text", "text": text}])

    def assistant(
        self, text: str = "Done.", *, calls: tuple[str, ...] = (), stop: str | None = None
    ) -> bytes:
        """Append an answer, with calls of tools named so; a call's id is `call-<name>`."""
        blocks: list[Fields] = [{"type": "thinking", "thinking": "Hm."}]
        blocks += [{"type": "text", "text": text}]
        blocks += [
            {"type": "toolCall", "id": f"call-{name}", "name": name, "arguments": {}}
            for name in calls
        ]
        reason = stop or ("toolUse" if calls else "stop")
        return self.message("assistant", blocks, model="opus-5", stopReason=reason)

    def result(self, name: str, text: str = "ok") -> bytes:
        """Append a tool's result."""
        return self.message(
            "toolResult",
            [{"type": "text", "text": text}],
            toolCallId=f"call-{name}",
            toolName=name,
            isError=False,
        )

    def started(self, name: str) -> bytes:
        """Append that a tool runs now."""
        data = {"toolCallId": f"call-{name}", "toolName": name, "args": {}}
        return self.add("custom", customType="tool_execution_start", data=data)

    def exited(self, kind: str = "normal") -> bytes:
        """Append that omp left."""
        return self.add("custom", customType="session_exit", data={"kind": kind})


def every_omp_entry() -> bytes:
    """Return a session with every type of entry and every role, and one nobody knows."""
    session = Omp()
    session.add("model_change", model="anthropic/opus-5")
    session.add("thinking_level_change", thinkingLevel="high", configured=None)
    session.add("service_tier_change", tier="flex")
    session.add("session_init", systemPrompt="Be brief.", task="", tools=["bash"])
    session.add("mode_change", mode="plan")
    session.add("credential_pin", provider="anthropic", hash="00ff")
    session.user("Run the tests.\nAll of them.")
    session.message("developer", "Mind the style.")
    session.assistant("I run them.", calls=("bash",))
    session.started("bash")
    session.result("bash", "1 failed \x1b[31mred\x1b[0m \u202egnihton\r\n")
    session.message("assistant", [{"type": "redactedThinking", "data": "x"}], stopReason="stop")
    session.message("assistant", [{"type": "fallback", "from": "a", "to": "b"}], stopReason="stop")
    image = {"type": "image", "mimeType": "image/png", "data": "blob:sha256:" + "0" * 64}
    session.message("user", [{"type": "text", "text": "Look:"}, image])
    session.message("bashExecution", command="ls", output="a\nb", exitCode=0)
    session.message("pythonExecution", code="1 + 1", output="2")
    session.message("hookMessage", "from a hook", hookName="lint", display=True)
    session.message("fileMention", files=[{"path": "a.py", "content": "x = 1"}])
    session.message("custom", "of an extension", customType="note")
    session.add("model_usage", usage={"input": 1, "output": 2, "cost": {"total": 0.1}})
    session.add("compaction", summary="We ran tests.", shortSummary="Ran the tests")
    session.add("branch_summary", fromId="00000001", summary="Tried something else.")
    session.add("reset_boundary")
    session.add("custom", customType="agent_end", data={"timestamp": START_MS})
    session.add("custom_message", customType="summary", content="31 s", display=True)
    session.add("label", targetId="00000007", label="good")
    session.add("archive", archived=True)
    session.add("title_change", title="Fix the tests", source="auto")
    session.add("ttsr_injection", rules=["x"])
    session.add("future_entry", data={"deep": [1, {"a": None}]})
    session.assistant("They pass now.")
    session.exited()
    return session.data


def pi_session(*, version: int | None = 3) -> list[Fields]:
    """Return the entries of a short pi session: title by `session_info`, a compaction."""
    header: Fields = {"type": "session", "id": "pi-1", "timestamp": iso_time(START_MS)}
    header["cwd"] = "/srv/app"
    if version is None:
        header |= {"provider": "anthropic", "modelId": "sonnet-5", "thinkingLevel": "off"}
    else:
        header["version"] = version
    return [
        header,
        {"type": "model_change", "provider": "anthropic", "modelId": "sonnet-5"},
        {"type": "message", "message": {"role": "user", "content": "Hello pi"}},
        {"type": "session_info", "id": "t1", "parentId": None, "name": "Named by hand"},
    ]


def claude_session() -> list[Fields]:
    """Return the entries of a Claude Code session up to a tool call without a result."""
    shared: Fields = {"sessionId": "5f0d6d0e-0000-4000-8000-000000000001", "cwd": "/home/me/web"}

    def line(kind: str, second: int, **fields: Any) -> Fields:
        return {
            "parentUuid": None if second == 1 else f"u{second - 1}",
            "type": kind,
            "uuid": f"u{second}",
            "timestamp": iso_time(START_MS + 1000 * second),
            **shared,
            **fields,
        }

    call = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "make"}}
    return [
        {"type": "file-history-snapshot", "messageId": "m1", "snapshot": {}},
        line("user", 1, isMeta=True, message={"role": "user", "content": "Caveat: generated."}),
        line("user", 2, message={"role": "user", "content": "<command-name>/clear</command-name>"}),
        line("user", 3, message={"role": "user", "content": "Build it"}),
        line(
            "assistant",
            4,
            message={
                "role": "assistant",
                "model": "opus-5",
                "content": [call],
                "stop_reason": None,
            },
        ),
    ]


def codex_session() -> list[Fields]:
    """Return the entries of a Codex rollout up to a call without output; a huge first line."""

    def line(kind: str, second: int, **payload: Any) -> Fields:
        return {"timestamp": iso_time(START_MS + 1000 * second), "type": kind, "payload": payload}

    wrapper = "<environment_context>\n  <cwd>/work</cwd>\n</environment_context>"
    return [
        line(
            "session_meta",
            0,
            id="019fc8be-0000-7000-8000-000000000001",
            timestamp=iso_time(START_MS - 5000),
            cwd="/home/me/rust",
            base_instructions={"text": "You are Codex. " * 2000},
        ),
        line("turn_context", 1, model="gpt-6-codex", cwd="/home/me/rust"),
        line(
            "response_item",
            2,
            type="message",
            role="user",
            content=[{"type": "input_text", "text": wrapper}],
        ),
        line("event_msg", 3, type="task_started", turn_id="1"),
        line("event_msg", 4, type="user_message", message="Port the parser"),
        line("response_item", 5, type="function_call", name="exec_command", call_id="c1"),
        line("response_item", 6, type="function_call", name="apply_patch", call_id="c2"),
        line("response_item", 7, type="function_call_output", call_id="c1", output="ok"),
    ]
