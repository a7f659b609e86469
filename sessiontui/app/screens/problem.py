"""What stands in the middle when there is nothing to show: what is so, and the next step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Middle, Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Input, Static

from sessiontui.models.source import DirectorySource, RedisSource
from sessiontui.models.text import clean

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from sessiontui.models.source import Source
    from sessiontui.workspace import Problem

_HEADINGS = {
    "unreachable": "Cannot reach the server",
    "password": "The server asks for a password",
    "permission": "Not allowed",
    "missing": "There is no such folder",
    "invalid": "This source cannot be used",
}


def _acl_command(problem: Problem, source: Source) -> str | None:
    """Return the Redis command that gives the right that is missing, if it is named."""
    right = problem.message.rpartition(": ")[2]
    if problem.kind != "permission" or not right.startswith("+") or " " in right:
        return None
    user = source.username if isinstance(source, RedisSource) else None
    return f"ACL SETUSER {clean(user or 'default')} {clean(right)}"


class ProblemView(Middle):
    """Tells why nothing is shown; asks for a password where that is what is missing."""

    problem: reactive[Problem | None] = reactive["Problem | None"](None)
    wait_s: reactive[int | None] = reactive[int | None](None)
    """Whole seconds until the source is tried again."""

    @dataclass
    class PasswordGiven(Message):
        """The user typed a password."""

        view: ProblemView
        password: str

        @property
        def control(self) -> ProblemView:
            """The view, for selectors."""
            return self.view

    def __init__(self, source: Source, *, retry_key: str, quit_key: str) -> None:
        super().__init__(id="problem")
        self._source = source
        self._retry_key = retry_key
        self._quit_key = quit_key

    def compose(self) -> ComposeResult:
        """Lay out heading, explanation, password and keys."""
        with Vertical(classes="paragraph"):
            yield Static(id="problem-heading")
            yield Static(id="problem-text")
            yield Input(id="password", password=True, placeholder="password", compact=True)
            yield Static(id="problem-next")

    def watch_problem(self) -> None:
        """Show another problem, or that there are no sessions yet."""
        if self.is_mounted:
            self._tell()

    def _tell(self) -> None:
        problem = self.problem
        heading = "No sessions yet" if problem is None else _HEADINGS[problem.kind]
        self.query_one("#problem-heading", Static).update(Content(heading))
        self.query_one("#problem-text", Static).update(self._explanation())
        field = self.query_one("#password", Input)
        field.display = problem is not None and problem.kind == "password"
        if field.display:
            field.value = ""
            field.focus()
        self._tell_next()

    def on_mount(self) -> None:
        """Fill in what was set before."""
        self._tell()

    def watch_wait_s(self) -> None:
        """Count down."""
        if self.is_mounted:
            self._tell_next()

    def _explanation(self) -> Content:
        label = clean(self._source.label)
        if self.problem is None:
            folder = isinstance(self._source, DirectorySource)
            where = f"They appear here as soon as an agent writes one to {label}."
            kind = "folder" if folder else "server"
            return Content.assemble(
                where,
                f"\nIs it the wrong {kind}? Start with another source: ",
                ("sessiontui SOURCE", "bold"),
                ".\nNothing at hand to look at? ",
                ("sessiontui demo", "bold"),
                " shows some.",
            )
        command = _acl_command(self.problem, self._source)
        return Content.assemble(
            (f"Tried {label}", "$past"),
            "\n",
            (clean(self.problem.message), "$failed"),
            "\n\n",
            clean(self.problem.hint),
            "\nOn the server: " if command else "",
            (command or "", "bold"),
            "\nOr open another source: ",
            ("sessiontui SOURCE", "bold"),
        )

    def _tell_next(self) -> None:
        pieces: list[str] = []
        if self.problem is not None and self.wait_s is not None:
            wait = f"in {self.wait_s} s" if self.wait_s > 0 else "now"
            pieces.append(f"Trying again {wait}")
        if self.problem is not None and self.problem.kind == "password":
            pieces.append("⏎ try it")
        else:
            pieces.append(f"{self._retry_key} try now")
            pieces.append(f"{self._quit_key} quit")
        self.query_one("#problem-next", Static).update(Content.styled("   ".join(pieces), "$past"))

    @on(Input.Submitted, "#password")
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.PasswordGiven(self, event.value))
        event.input.value = ""
