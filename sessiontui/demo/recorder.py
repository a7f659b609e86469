"""Writes a session entry by entry, with the shapes of omp 18.

The same recorder serves a session that is made up at once and one that an
agent writes as time passes: `play` yields each entry with the pause before it,
and whoever plays decides whether to wait. Times are milliseconds since the
epoch, pauses seconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from sessiontui.formats.jsonl import encode_entry
from sessiontui.formats.omp import new_session_id
from sessiontui.formats.title_slot import make_slot
from sessiontui.times import iso_time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from sessiontui.demo.script import Model, Step, Tool

Beat = tuple[float, Callable[[int], bytes]]
"""A pause, and what writes the line (without newline) for the time after it."""

_ARGUMENT: dict[Tool, str] = {
    "bash": "command",
    "read": "path",
    "grep": "pattern",
    "edit": "path",
    "write": "path",
    "task": "assignment",
}


class Recorder:
    """The writing side of one session: knows the last entry, the model and the tokens in use."""

    def __init__(
        self,
        random: Random,
        *,
        cwd: str,
        model: str,
        models: dict[str, Model],
        title: str = "",
        named: Literal["auto", "user"] = "auto",
        parent: str | None = None,
    ) -> None:
        """Begin a session; nothing is written yet.

        Args:
            random: Where ids and pauses come from.
            cwd: The working directory in the header.
            model: The model at the beginning, a key of `models`.
            models: What the models cost.
            title: Blank where the session has none.
            named: Who gave the title.
            parent: Id of the session it was forked from.
        """
        self.id = ""
        self.file_name = ""
        self._title = title
        self._named = named
        self._random = random
        self._cwd = cwd
        self._model = model
        self._models = models
        self._parent_session = parent
        self._last: str | None = None
        self._context = 14_000 + random.randrange(3_000)
        self._kept: str | None = None

    def opening(self, at: int) -> list[bytes]:
        """Begin at `at` (also part of the id); return the first lines, the title slot leading."""
        time = iso_time(at).replace(":", "-").replace(".", "-")
        self.id = new_session_id(at, self._random)
        self.file_name = f"{time}_{self.id}.jsonl"
        header: dict[str, Any] = {"type": "session", "version": 3, "id": self.id}
        if self._title:
            header |= {"title": self._title, "titleSource": self._named}
        header |= {"timestamp": iso_time(at), "cwd": self._cwd}
        if self._parent_session:
            header["parentSession"] = self._parent_session
        slot = make_slot(self._title, source=self._named if self._title else None, updated_at=at)
        return [
            slot.rstrip(b"\n"),
            encode_entry(header).rstrip(),
            self._entry(at + 31, "model_change", model=self._model, resolvedModelIsFallback=False),
            self._entry(at + 32, "thinking_level_change", thinkingLevel="high", configured=None),
        ]

    def play(self, step: Step) -> Iterator[Beat]:
        """Yield the entries of a step in order."""
        if step.user is not None:
            yield self._pause(20, 70), lambda at: self.user(at, step)
        elif step.compact is not None:
            summary = step.compact
            yield self._pause(8, 20), lambda at: self.compaction(at, summary)
        elif step.model is not None:
            model = step.model
            yield self._pause(2, 9), lambda at: self.model_change(at, model)
        elif step.rewind:
            yield self._pause(30, 60), self.rewind
        elif step.label is not None:
            yield 1.0, lambda at: self._entry(at, "label", targetId=self._last, label=step.label)
        elif step.odd is not None:
            fields = {"verdict": "approved", "reviewer": "harbour-bot", "note": step.odd}
            yield 1.0, lambda at: self._entry(at, "review_verdict", **fields)
        else:
            yield from self._round(step)

    def user(self, at: int, step: Step) -> bytes:
        """Write a prompt, with a picture where the step says so."""
        content: list[dict[str, Any]] = [{"type": "text", "text": step.user}]
        if step.image:
            digest = f"{self._random.getrandbits(256):064x}"
            image = {"type": "image", "data": f"blob:sha256:{digest}", "mimeType": "image/png"}
            content.append(image)
        self._context += 8 + len(step.user or "") // 4
        message = {"role": "user", "content": content, "attribution": "user", "timestamp": at}
        line = self._entry(at, "message", message=message)
        self._kept = self._last
        return line

    def says(
        self, at: int, step: Step, *, stop: str = "stop", error: str = "", call: str | None = None
    ) -> bytes:
        """Write an agent's message.

        Args:
            at: When it was complete.
            step: Its thinking, its text and its tool.
            stop: The stop reason.
            error: The provider's words, for the stop reason `error` or `aborted`.
            call: Id of the tool call; None calls no tool.
        """
        blocks: list[dict[str, Any]] = []
        if step.think:
            blocks.append({"type": "thinking", "thinking": step.think, "thinkingSignature": ""})
        if step.say:
            blocks.append({"type": "text", "text": step.say})
        if call and step.tool:
            arguments = _arguments(step)
            blocks.append(
                {"type": "toolCall", "id": call, "name": step.tool, "arguments": arguments}
            )
        provider, _, name = self._model.partition("/")
        duration = 900 + self._random.randrange(6_000)
        message: dict[str, Any] = {
            "role": "assistant",
            "content": blocks,
            "api": self._models[self._model].api,
            "provider": provider,
            "model": name,
            "usage": self._usage(blocks),
            "stopReason": "toolUse" if call else stop,
            "timestamp": at - duration,
            "duration": duration,
            "ttft": duration // 4,
        }
        if error:
            message["errorMessage"] = error
        return self._entry(at, "message", message=message)

    def starts(self, at: int, step: Step, call: str) -> bytes:
        """Write that a tool begins to run."""
        data = {
            "toolCallId": call,
            "toolName": step.tool,
            "startedAt": iso_time(at),
            "args": _arguments(step),
        }
        return self._entry(at, "custom", customType="tool_execution_start", data=data)

    def result(self, at: int, step: Step, call: str) -> bytes:
        """Write what a tool gave back."""
        text = step.out or "(no output)"
        self._context += len(text) // 4
        message: dict[str, Any] = {
            "role": "toolResult",
            "toolCallId": call,
            "toolName": step.tool,
            "content": [{"type": "text", "text": text}],
        }
        if step.tool == "edit":
            message["content"] = [{"type": "text", "text": f"Replaced 1 block in {step.edit}."}]
            message["details"] = {"diff": _diff(step), "firstChangedLine": 11}
        elif step.tool == "bash":
            message["details"] = {"timeoutSeconds": 300}
        elif step.tool == "task":
            message["details"] = {"usage": self._usage([{"text": text}])}
        message |= {"isError": step.failed, "timestamp": at}
        return self._entry(at, "message", message=message)

    def compaction(self, at: int, summary: str) -> bytes:
        """Write that the conversation so far was replaced by a summary."""
        before, self._context = self._context, 16_000
        return self._entry(
            at,
            "compaction",
            summary=summary,
            shortSummary=summary.splitlines()[0].lstrip("# "),
            firstKeptEntryId=self._kept,
            tokensBefore=before,
        )

    def model_change(self, at: int, model: str) -> bytes:
        """Write that another model goes on."""
        self._model = model
        return self._entry(at, "model_change", model=model, role="default")

    def exits(self, at: int) -> bytes:
        """Write that the agent was closed."""
        data = {"reason": "dispose", "kind": "normal", "recordedAt": iso_time(at)}
        return self._entry(at, "custom", customType="session_exit", data=data)

    def begins(self, step: Step) -> Iterator[Beat]:
        """Yield a round whose tool has not answered yet."""
        return self._called(step, f"call_{self._random.getrandbits(96):024x}")

    def _round(self, step: Step) -> Iterator[Beat]:
        if step.tool is None:
            yield self._pause(4, 16), lambda at: self.says(at, step)
            return
        call = f"call_{self._random.getrandbits(96):024x}"
        yield from self._called(step, call)
        took = step.took * self._random.uniform(0.8, 1.3)
        yield took, lambda at: self.result(at, step, call)

    def _called(self, step: Step, call: str) -> Iterator[Beat]:
        yield self._pause(3, 14), lambda at: self.says(at, step, call=call)
        yield 0.001, lambda at: self.starts(at, step, call)

    def rewind(self, at: int) -> bytes:
        """Go back to the last prompt; what came after it is an abandoned branch."""
        left, self._last = self._last, self._kept
        return self._entry(at, "branch_summary", fromId=left, summary="Tried another way first.")

    def _entry(self, at: int, kind: str, **fields: Any) -> bytes:
        entry_id = f"{self._random.getrandbits(32):08x}"
        entry = {"type": kind, "id": entry_id, "parentId": self._last, "timestamp": iso_time(at)}
        self._last = entry_id
        return encode_entry(entry | fields).rstrip()

    def _pause(self, least: float, most: float) -> float:
        return self._random.uniform(least, most)

    def _usage(self, blocks: list[dict[str, Any]]) -> dict[str, Any]:
        price = self._models[self._model]
        output = 12 + sum(len(json.dumps(block, ensure_ascii=False)) for block in blocks) // 4
        fresh = 200 + self._random.randrange(900)
        cached = self._context
        self._context += output + fresh
        cost = {
            "input": fresh * price.input / 1e6,
            "output": output * price.output / 1e6,
            "cacheRead": cached * price.cached / 1e6,
            "cacheWrite": 0,
        }
        return {
            "input": fresh,
            "output": output,
            "cacheRead": cached,
            "cacheWrite": 0,
            "totalTokens": fresh + output + cached,
            "cost": cost | {"total": sum(cost.values())},
        }


def _arguments(step: Step) -> dict[str, Any]:
    tool = step.tool
    if tool is None:
        return {}
    arguments: dict[str, Any] = {_ARGUMENT[tool]: getattr(step, tool)}
    if tool == "edit":
        arguments |= {"oldText": step.old, "newText": step.new}
    elif tool == "write":
        arguments["content"] = step.new or step.out
    elif tool == "grep":
        arguments["path"] = "."
    return arguments


def _diff(step: Step, first: int = 11) -> str:
    """Return an edit as omp shows it: a sign, the line's number, the line."""
    old = [f"-{first + n} {text}" for n, text in enumerate(step.old.splitlines())]
    new = [f"+{first + n} {text}" for n, text in enumerate(step.new.splitlines())]
    return "\n".join(old + new)
