"""The demo's sessions, made up from a seed: the same bytes for the same clock and seed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING

from sessiontui.demo.recorder import Recorder
from sessiontui.demo.script import Step, age_seconds, load_script
from sessiontui.formats.title_slot import make_title_field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessiontui.demo.recorder import Beat
    from sessiontui.demo.script import Project, SessionScript

ROOT = "/sessions"
"""What the paths of the demo's sessions begin with."""

_NUDGES = (
    "Go on.",
    "Good. What else is there?",
    "I would rather not have a new dependency for that.",
    "Yes, do that.",
    "Wait: does that hold for old clients too?",
    "Please explain the last step in one sentence.",
)
_SUMMARY = (
    "Where we are: {title}\n\n## Done\n- the cause is known and written down\n"
    "- the tests around it pass\n\n## Next\n- go on with what is left\n- measure once more"
)


@dataclass(frozen=True, slots=True)
class DemoSession:
    """A session, or the draft that lies beside one."""

    path: str
    """`/sessions/<project>/<time>_<id>.jsonl`, or `<session without .jsonl>/draft.txt`."""
    lines: tuple[bytes, ...]
    """Without newlines, the title slot first."""
    mtime_ms: int
    title_field: bytes | None = None
    """What omp 18 keeps of the title beside a session in Redis."""
    torn: bool = False
    """Whether the last line is cut off, without a newline."""

    @property
    def content(self) -> bytes:
        """The bytes of the session."""
        end = b"" if self.torn else b"\n"
        return b"\n".join(self.lines) + end


def demo_sessions(
    now_ms: int,
    seed: int = 1,
    *,
    home: str = "/home/mira",
    root: str = ROOT,
    subagents: bool = False,
) -> list[DemoSession]:
    """Make up the demo's sessions.

    Args:
        now_ms: What the ages count back from, milliseconds since the epoch.
        seed: Another one gives other ids, pauses and figures, but the same texts.
        home: What `~` in the projects' folders stands for.
        root: What the paths begin with.
        subagents: Whether to add the transcripts of subagents, as omp keeps them in a
            folder (and never in Redis).

    Returns:
        About 40 sessions and two drafts; the oldest first.
    """
    made: list[DemoSession] = []
    ids: dict[str, str] = {}
    for number, tale in enumerate(sorted(load_script().sessions, key=_age, reverse=True)):
        random = Random(f"{seed}/{number}/{tale.title}")
        parent = ids[tale.parent] if tale.parent else None
        session, ids[tale.title] = _session(tale, random, now_ms, home, root, parent)
        made.append(session)
        if tale.draft:
            draft = session.path.removesuffix(".jsonl") + "/draft.txt"
            made.append(DemoSession(draft, (tale.draft.encode(),), session.mtime_ms, torn=True))
        if subagents:
            made += _subagents(tale, session, random, home)
    return made


def project_folder(cwd: str) -> str:
    """Return the folder that omp keeps the sessions of a working directory in.

    Args:
        cwd: As in `sessions.toml`, with `~` for the home folder.
    """
    if cwd.startswith("~/"):
        return "-" + cwd[2:].replace("/", "-")
    if cwd.startswith("/tmp/"):
        return cwd.replace("/", "-")
    return f"--{cwd.strip('/').replace('/', '-')}--"


def with_home(cwd: str, home: str) -> str:
    """Return a working directory of `sessions.toml` with `~` replaced."""
    return home + cwd[1:] if cwd.startswith("~") else cwd


def interleave_rounds(project: Project, random: Random, rounds: int) -> Iterator[Step]:
    """Yield rounds that fit the project, all of its moves before any comes again."""
    moves = project.moves
    offset = random.randrange(len(moves))
    for number in range(rounds):
        yield moves[(offset + number) % len(moves)]


def _age(tale: SessionScript) -> int:
    return age_seconds(tale.age)


def _session(
    tale: SessionScript, random: Random, now_ms: int, home: str, root: str, parent: str | None
) -> tuple[DemoSession, str]:
    """Make one session, begun as long ago as its length needs to end when its age says."""
    project = load_script().projects[tale.project]
    recorder = Recorder(
        random,
        cwd=with_home(project.cwd, home),
        model=tale.model,
        models=load_script().models,
        title=tale.title,
        named=tale.named,
        parent=parent,
    )
    beats = list(_beats(recorder, tale, project, random))
    times = list(accumulate(round(pause * 1000) for pause, _ in beats))
    age = _age(tale) - random.randrange(1 + _age(tale) // 40)
    started_ms = now_ms - age * 1000 - times[-1]
    lines = recorder.opening(started_ms)
    lines += [write(started_ms + time) for time, (_, write) in zip(times, beats, strict=True)]
    last_ms = started_ms + times[-1]
    torn = tale.end == "torn"
    if torn:
        lines[-1] = lines[-1][: len(lines[-1]) * 2 // 3]
    path = f"{root}/{project_folder(project.cwd)}/{recorder.file_name}"
    field = make_title_field(tale.title, tale.named, last_ms) if tale.title else None
    return DemoSession(path, tuple(lines), last_ms, field, torn), recorder.id


def _beats(
    recorder: Recorder, tale: SessionScript, project: Project, random: Random
) -> Iterator[Beat]:
    for step in tale.steps or _steps(tale, project, random):
        yield from recorder.play(step)
    if tale.follow:
        yield from recorder.play(Step(user=tale.follow))
    if tale.end in ("running", "torn"):
        yield from recorder.begins(Step(bash=tale.running, say="Now the long one."))
    elif tale.end == "error":
        failed = Step()
        yield 4.0, lambda at: recorder.says(at, failed, stop="error", error=tale.error)
    elif tale.end == "aborted":
        cut = Step(think="Before I go on I should", say="One moment, I")
        yield 6.0, lambda at: recorder.says(at, cut, stop="aborted", error="Request was aborted.")
    elif tale.end == "exit":
        yield 35.0, recorder.exits


def _steps(tale: SessionScript, project: Project, random: Random) -> Iterator[Step]:
    """Weave a session of its prompt, rounds and answer, with prompts and compactions between."""
    yield Step(user=tale.prompt, image=tale.image)
    every = tale.rounds // (tale.compact + 1) if tale.compact else 0
    for number, step in enumerate(interleave_rounds(project, random, tale.rounds), start=1):
        yield step
        if every and number % every == 0 and number < tale.rounds:
            yield Step(compact=_SUMMARY.format(title=tale.title))
        if number % 9 == 0:
            yield Step(say="That part is done and the tests pass. Shall I go on?")
            yield Step(user=random.choice(_NUDGES))
        if tale.branch and number == tale.rounds // 2:
            yield Step(rewind=True)
        if number == 60:
            yield Step(model="anthropic/claude-sonnet-4.5")
    if tale.odd:
        yield Step(odd="Codes with a period of validity: agreed with the depot.")
        yield Step(label="agreed")
    if tale.answer:
        yield Step(think="I have what I need; a short summary, then stop.", say=tale.answer)


def _subagents(
    tale: SessionScript, session: DemoSession, random: Random, home: str
) -> Iterator[DemoSession]:
    """Make the transcripts of a session's subagents, one after the other, before its end."""
    project = load_script().projects[tale.project]
    folder = session.path.removesuffix(".jsonl")
    for number in range(tale.subagents):
        recorder = Recorder(
            random,
            cwd=with_home(project.cwd, home),
            model="anthropic/claude-sonnet-4.5",
            models=load_script().models,
            title=f"Check year {2019 + number}",
            parent=session.path,
        )
        at = session.mtime_ms - (tale.subagents - number) * 600_000
        lines = recorder.opening(at)
        steps = [
            Step(user=f"Check the year {2019 + number}."),
            *interleave_rounds(project, random, 4),
        ]
        steps.append(Step(say="All months balanced."))
        for step in steps:
            for pause, write in recorder.play(step):
                at += int(pause * 1000)
                lines.append(write(at))
        yield DemoSession(f"{folder}/Year{2019 + number}.jsonl", tuple(lines), at)
