"""The problem view: why no sessions are shown, and the next step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding
from textual.containers import Middle, Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Input, Static

from sessiontui.app.format import as_sentence
from sessiontui.app.widgets.inputs import Field
from sessiontui.sources import DirectorySource, RedisSource
from sessiontui.text import clean

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from sessiontui.sources import Source
    from sessiontui.workspace import Problem

_HEADINGS = {
    "unreachable": "Cannot reach the server",
    "permission": "Not allowed",
    "file": "This is a file, not a folder",
    "missing": "There is no such folder",
    "invalid": "This source cannot be used",
}


def _heading(problem: Problem | None) -> str:
    if problem is None:
        return "No sessions yet"
    if problem.kind == "password":  # Its message says it all.
        return as_sentence(problem.message).removesuffix(".")
    return _HEADINGS[problem.kind]


def _acl_command(problem: Problem, source: Source) -> str | None:
    """Return the Redis command that gives the right that is missing, if it is named."""
    right = problem.message.rpartition(": ")[2]
    if problem.kind != "permission" or not right.startswith("+") or " " in right:
        return None
    user = source.username if isinstance(source, RedisSource) else None
    return f"ACL SETUSER {clean(user or 'default')} {clean(right)}"


class PasswordInput(Field):
    """The field for a password; Escape leaves it, so that keys are commands again."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,tab", "leave", show=False)]
    HINTS: ClassVar = (("enter", "try"), ("escape", "leave"), ("ctrl+c", "quit"))
    """What can be done while one types, for the footer: keys with their labels."""

    def action_leave(self) -> None:
        """Let the keys be commands."""
        self.screen.query_one(ProblemView).focus()


class ProblemView(Middle, can_focus=True):
    """Tells why nothing is shown; asks for a password where that is what is missing."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,tab", "enter", show=False)]

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

    def __init__(self, source: Source, *, retry_key: str, quit_key: str, enter_key: str) -> None:
        super().__init__(id="problem")
        self._source = source
        self._retry_key = retry_key
        self._quit_key = quit_key
        self._enter_key = enter_key

    def compose(self) -> ComposeResult:
        """Lay out heading, explanation, password and keys."""
        with Vertical(classes="paragraph"):
            yield Static(id="problem-heading")
            yield Static(id="problem-text")
            yield PasswordInput(id="password", password=True, placeholder="password", compact=True)
            yield Static(id="problem-next")

    def watch_problem(self) -> None:
        """Show another problem, or that there are no sessions yet."""
        if self.is_mounted:
            self._tell()

    def _tell(self) -> None:
        problem = self.problem
        self.query_one("#problem-heading", Static).update(Content(_heading(problem)))
        self.query_one("#problem-text", Static).update(self._explanation())
        field = self.query_one(PasswordInput)
        field.display = problem is not None and problem.kind == "password"
        if field.display:
            field.value = ""
            field.focus()
        self._tell_next()

    def action_enter(self) -> None:
        """Take the focus; the password's field gets it where there is one."""
        field = self.query_one(PasswordInput)
        (field if field.display else self).focus()

    def on_descendant_focus(self) -> None:
        """Say how to leave the field."""
        self._tell_next()

    def on_descendant_blur(self) -> None:
        """Say how to come back to the field."""
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
        reason = "" if self.problem.kind == "password" else clean(self.problem.message) + "\n"
        return Content.assemble(
            (f"Tried {label}", "$past"),
            "\n",
            (reason, "$failed"),
            "\n",
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
            typing = self.query_one(PasswordInput).has_focus
            pieces.append(f"{self._enter_key} {'try' if typing else 'type'} it")
        else:
            pieces.append(f"{self._retry_key} try now")
            pieces.append(f"{self._quit_key} quit")
        self.query_one("#problem-next", Static).update(Content.styled("   ".join(pieces), "$past"))

    @on(Input.Submitted, "#password")
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.PasswordGiven(self, event.value))
        event.input.value = ""
