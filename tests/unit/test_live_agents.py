"""Whether an agent runs a session, by its process: real processes, registries, locks and files."""

from __future__ import annotations

import os
import re
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis

from sessiontui.doctor import Finding, GiveSlot
from sessiontui.errors import SessionHeldError
from sessiontui.formats.claude import read_registry
from sessiontui.formats.codex import CODEX
from sessiontui.formats.jsonl import encode_entries
from sessiontui.sources import DirectorySource
from sessiontui.storage.backend import Stat
from sessiontui.times import now_ms
from sessiontui.workspace import open_workspace
from sessiontui.workspace.repair import Repairs
from sessiontui.workspace.transfer import TransferOptions, Transfers, open_destination
from tests.command import Command
from tests.live import SESSION_ID, agent, locking, opening, register, ticks
from tests.sessions import Omp, claude_session, codex_session

if TYPE_CHECKING:
    from tests.servers import RealServer

HOUR_S = 3600
THREAD_ID = "019fc8be-0000-7000-8000-000000000001"
LONG_AGO_MS = 1_000_000_000_000
RUNNING = "Claude Code is running it (pid {pid})"
MAYBE = "Claude Code may be running it (pid {pid})"
HERE = f"linux::{os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - the link itself


def claude_file(root: Path, *, ago_s: float = 3 * HOUR_S, name: str = SESSION_ID) -> Path:
    """Write a session of Claude Code that was silent for so long."""
    return written(
        root / "projects" / "-home-me-web" / f"{name}.jsonl", claude_session(), ago_s=ago_s
    )


def codex_file(root: Path, *, ago_s: float = 3 * HOUR_S) -> Path:
    name = f"rollout-2026-09-10T00-26-40-{THREAD_ID}.jsonl"
    return written(root / "sessions" / "2026" / "09" / "10" / name, codex_session(), ago_s=ago_s)


def written(file: Path, entries: list[dict[str, Any]] | bytes, *, ago_s: float) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(entries if isinstance(entries, bytes) else encode_entries(entries))
    os.utime(file, (time.time() - ago_s,) * 2)
    return file


def lock_of(root: Path) -> Path:
    """Put the lock of the thread where Codex has it; nobody holds it."""
    file = root / "thread-writer-locks" / f"{THREAD_ID}.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return file


def ended(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / ".claude"


# What the registry of Claude Code proves


def told(root: Path) -> tuple[str, str] | None:
    """Return what the registry tells of the session, its state and reason."""
    trace = read_registry(root, now_ms()).sessions.get(SESSION_ID)
    return None if trace is None else (trace.state, trace.reason)


def started_by_ps(pid: int) -> str:
    """Return the start of a process as Claude Code notes it on macOS."""
    asked = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)],
        env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"},
        capture_output=True,
        text=True,
        check=True,
    )
    return asked.stdout.strip()


def test_a_pipe_in_the_registry_is_no_record_and_keeps_nobody_waiting(root: Path) -> None:
    (root / "sessions").mkdir(parents=True)
    os.mkfifo(root / "sessions" / "5.json")
    assert told(root) is None


def test_a_number_that_no_process_has_is_gone(root: Path) -> None:
    register(root, 99_999_999_999_999, startedAt=5).rename(root / "sessions" / "5.json")
    assert (told(root) or ("",))[0] == "gone"


def test_a_process_that_lives_and_began_when_it_says_runs_its_session(root: Path) -> None:
    with agent() as process:
        for fields in (
            {"procStart": ticks(process.pid)},
            {"procStart": ticks(process.pid), "pidDomain": HERE},
            {"procStart": started_by_ps(process.pid)},
            {"startedAt": now_ms()},
            {"startedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())},
        ):
            register(root, process.pid, **fields)
            assert told(root) == ("running", RUNNING.format(pid=process.pid)), fields


def test_a_process_that_was_killed_has_left_its_session_also_before_it_is_reaped(
    root: Path,
) -> None:
    with agent() as process:
        register(root, process.pid, procStart=ticks(process.pid))
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert Path(f"/proc/{process.pid}").exists()
        assert (told(root) or ("",))[0] == "gone"
        process.wait()
        assert (told(root) or ("",))[0] == "gone"


@pytest.mark.parametrize(
    "fields",
    [
        {"procStart": "17"},
        {"procStart": "17", "startedAt": LONG_AGO_MS, "pidDomain": HERE},
        {"procStart": "Thu Sep  9 08:31:58 2021"},
        {"startedAt": LONG_AGO_MS},
    ],
)
def test_another_process_with_the_same_number_does_not_run_the_session(
    root: Path, fields: dict[str, Any]
) -> None:
    with agent() as process:
        register(root, process.pid, **fields)
        assert (told(root) or ("",))[0] == "gone"


def test_where_no_start_is_told_only_the_name_speaks_and_proves_nothing(root: Path) -> None:
    with agent() as other, agent(called="claude") as named:
        register(root, other.pid)
        assert told(root) is None
        register(root, named.pid, startedAt=LONG_AGO_MS)  # the clock may have been set
        assert told(root) == ("maybe", MAYBE.format(pid=named.pid))
        register(root, named.pid)
        assert told(root) == ("maybe", MAYBE.format(pid=named.pid))


def test_a_number_of_another_machine_or_container_is_not_looked_for_here(root: Path) -> None:
    with agent() as process:
        ended(process)
    for domain in ("linux::pid:[1]", "plan9:x:y"):
        file = register(root, process.pid, procStart="17", pidDomain=domain)
        assert told(root) == (
            "maybe",
            "Claude Code may be running it on another machine or container",
        )
        os.utime(file, (time.time() - 13 * HOUR_S,) * 2)
        assert told(root) is None


def test_one_that_runs_it_counts_more_than_one_that_crashed(root: Path) -> None:
    with agent() as crashed, agent() as process:
        ended(crashed)
        register(root, crashed.pid, procStart="17")
        register(root, process.pid, procStart=ticks(process.pid))
        assert (told(root) or ("",))[0] == "running"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"x"',
        '{"pid": 1}',
        '{"pid": -1, "sessionId": 7}',
        "{}\0",
        "1" * 70000,
    ],
)
def test_what_is_no_record_tells_nothing(root: Path, text: str) -> None:
    folder = root / "sessions"
    folder.mkdir(parents=True)
    (folder / "4000000.json").write_text(text, encoding="utf-8")
    (folder / "notes.json").write_text(text, encoding="utf-8")
    (folder / "12.json").mkdir()
    assert told(root) is None


# What follows for whoever changes sessions


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


def test_a_session_that_was_silent_for_hours_is_not_deleted_while_its_agent_lives(
    command: Command, root: Path
) -> None:
    file = claude_file(root)
    subagent = file.with_suffix("") / "subagents" / "agent-1.jsonl"
    written(subagent, claude_session(), ago_s=3 * HOUR_S)
    there = ("--source", str(root / "projects"))
    (command.home / "elsewhere").mkdir()
    with agent() as process:
        register(root, process.pid, procStart=ticks(process.pid))
        reason = RUNNING.format(pid=process.pid)
        for action in (
            ("rm", str(file), "--yes"),
            ("rm", str(subagent), "--yes"),
            ("rm", "--filter", "Build", "--yes"),
            ("rename", str(file), "--path", str(file.with_name("moved.jsonl"))),
            ("mv", str(file), "--to", str(command.home / "elsewhere")),
        ):
            done = command(action[0], *there, *action[1:])
            assert done.returncode == 1, (action, done)
            assert reason in done.stderr, (action, done.stderr)
        assert file.exists()
        assert subagent.exists()
        rows = command.json("ls", *there, "--json")
        assert {row["held"] for row in rows} == {reason}
        assert command("rm", *there, str(file), "--yes", "--force").returncode == 0
        assert not file.exists()


def test_a_session_whose_agent_was_killed_is_free_at_once(command: Command, root: Path) -> None:
    file = claude_file(root, ago_s=0)
    there = ("--source", str(root / "projects"))
    assert command("rm", *there, str(file), "--yes").returncode == 1
    with agent() as process:
        register(root, process.pid, procStart=ticks(process.pid))
        ended(process)
    done = command("rm", *there, str(file), "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert not file.exists()


def test_what_was_written_long_after_the_agent_crashed_is_the_work_of_another(
    command: Command, root: Path
) -> None:
    file = claude_file(root, ago_s=0)
    with agent() as process:
        ended(process)
    record = register(root, process.pid, procStart="17")
    os.utime(record, (time.time() - HOUR_S,) * 2)
    done = command("rm", "--source", str(root / "projects"), str(file), "--yes")
    assert done.returncode == 1
    assert "it grew" in done.stderr


@pytest.mark.parametrize("place", ["home", "moved", "link"])
def test_the_registry_is_found_wherever_it_is(command: Command, tmp_path: Path, place: str) -> None:
    """In the home, where the environment moved it, and beside sessions reached by a link."""
    environment: dict[str, str] = {}
    root, folder = tmp_path / ".claude", tmp_path / "copies"
    file = written(folder / f"{SESSION_ID}.jsonl", claude_session(), ago_s=3 * HOUR_S)
    if place == "moved":
        root = tmp_path / "work"
        environment["CLAUDE_CONFIG_DIR"] = str(root)
    elif place == "link":
        root = tmp_path / "mnt" / "other"
        claude_file(root)
        folder = tmp_path / "linked"
        folder.symlink_to(root / "projects" / "-home-me-web")
        file = folder / f"{SESSION_ID}.jsonl"
    with agent() as process:
        register(root, process.pid, procStart=ticks(process.pid))
        done = command("rm", "--source", str(folder), str(file), "--yes", **environment)
    assert done.returncode == 1, done
    assert RUNNING.format(pid=process.pid) in done.stderr


def test_a_session_on_a_server_is_known_by_its_id_too(
    command: Command, root: Path, redis_server: RealServer
) -> None:
    with agent() as process, redis.Redis(unix_socket_path=str(redis_server.socket)) as client:
        key = f"omp:sessions:file:/x/{SESSION_ID}.jsonl"
        client.set(key, encode_entries(claude_session()))
        client.hset("omp:sessions:meta", f"/x/{SESSION_ID}.jsonl", "1789000000000")
        register(root, process.pid, procStart=ticks(process.pid))
        done = command("rm", "--source", redis_server.url, SESSION_ID, "--yes")
        assert done.returncode == 1
        assert RUNNING.format(pid=process.pid) in done.stderr
        assert client.exists(key)
        client.flushall()


async def test_an_agent_that_took_it_up_after_the_question_is_found(
    tmp_path: Path, root: Path
) -> None:
    """By what deletes, moves and copies it away, in the step that does it."""
    file = str(claude_file(root))
    source = DirectorySource(root / "projects")
    target = DirectorySource(tmp_path / "copies")
    target.path.mkdir()
    async with open_workspace(source, home=str(tmp_path), environ={}) as workspace:
        await workspace.ready()
        plan = await workspace.plan_delete([file])
        assert plan.held == ()
        with agent() as process:
            register(root, process.pid, procStart=ticks(process.pid))
            reason = RUNNING.format(pid=process.pid)
            match = re.escape(reason)
            with pytest.raises(SessionHeldError, match=match):
                await workspace.delete(plan)
            with pytest.raises(SessionHeldError, match=match):
                await workspace.storage.rename_session_with_artifacts(
                    file, file + ".jsonl", guard=workspace.holding.growth(file)
                )
            opening_target = open_destination(target, home=str(tmp_path), origin=source)
            async with opening_target as destination:
                outcome = await Transfers(workspace).run(
                    [file], destination, TransferOptions(move=True)
                )
            assert reason in str(outcome.failed[0].error)
    assert workspace.row(file) is not None


# Codex


def test_a_session_that_codex_has_locked_is_in_use_and_one_that_it_left_behind_is_not(
    command: Command, tmp_path: Path
) -> None:
    root = tmp_path / "codex"
    file = codex_file(root, ago_s=0)
    lock = lock_of(root)
    there = ("--source", str(root / "sessions"))
    with locking(lock) as process:
        os.utime(file, (time.time() - 3 * HOUR_S,) * 2)
        done = command("rm", *there, str(file), "--yes")
        assert done.returncode == 1
        assert f"Codex is running it (pid {process.pid})" in done.stderr
        elsewhere = written(tmp_path / "copies" / file.name, codex_session(), ago_s=3 * HOUR_S)
        done = command(
            "rm", "--source", str(elsewhere.parent), str(elsewhere), "--yes", CODEX_HOME=str(root)
        )
        assert done.returncode == 1
        ended(process)
    os.utime(file)
    assert command("rm", *there, str(file), "--yes").returncode == 0
    assert not file.exists()
    assert lock.exists()


def test_a_lock_of_codex_is_not_tried_while_codex_takes_or_leaves_one(tmp_path: Path) -> None:
    lock = lock_of(tmp_path)
    assert (CODEX.live(tmp_path, 0).evidence(THREAD_ID) or ("",))[0] == "gone"
    coordination = lock.with_name(".coordination.lock")
    coordination.touch()
    assert (CODEX.live(tmp_path, 0).evidence(THREAD_ID) or ("",))[0] == "gone"
    with locking(coordination):
        assert CODEX.live(tmp_path, 0).evidence(THREAD_ID) is None
    with locking(coordination), locking(lock):
        assert (CODEX.live(tmp_path, 0).evidence(THREAD_ID) or ("",))[0] == "running"
    assert CODEX.live(tmp_path, 0).evidence("../" + THREAD_ID) is None
    lock.unlink()
    assert CODEX.live(tmp_path, 0).evidence(THREAD_ID) is None


# omp, and what is guessed of any agent


def omp_file(folder: Path, name: str, *, cwd: str = "/home/me/code/api", title: str | None = "T",
             ago_s: float = 24 * HOUR_S) -> Path:  # fmt: skip
    one = Omp(header={"id": name, "cwd": cwd}, title=title)
    one.user()
    one.assistant()
    file = folder / "-code-api" / f"2026-09-10T00-26-40-000Z_{name}.jsonl"
    return written(file, one.data, ago_s=ago_s)


def test_a_session_whose_lock_omp_has_is_in_use(command: Command, tmp_path: Path) -> None:
    file = omp_file(tmp_path / "sessions", "aaaa")
    lock = file.with_name(f".{file.name}.lock.os")
    lock.touch()
    with locking(lock) as process:
        done = command("rm", "--source", str(tmp_path / "sessions"), str(file), "--yes")
        assert done.returncode == 1
        assert f"omp is writing to it (pid {process.pid})" in done.stderr
    assert command("rm", "--source", str(tmp_path / "sessions"), str(file), "--yes").returncode == 0


def test_a_process_that_has_it_open_for_writing_may_use_it_and_a_reader_does_not(
    command: Command, tmp_path: Path
) -> None:
    file = omp_file(tmp_path / "sessions", "aaaa")
    child = written(file.with_suffix("") / "Task.jsonl", file.read_bytes(), ago_s=24 * HOUR_S)
    there = ("--source", str(tmp_path / "sessions"))
    for held_open in (file, child):
        with opening(held_open, "ab") as process:
            done = command("rm", *there, str(file), "--yes")
            assert done.returncode == 1
            assert f"(pid {process.pid}) has it open for writing" in done.stderr
    with opening(file, "rb"):
        assert command("rm", *there, str(file), "--yes").returncode == 0


async def test_the_doctor_changes_no_length_while_a_process_has_the_session_open(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "sessions"
    file = omp_file(folder, "aaaa", title=None)
    before = file.read_bytes()
    async with open_workspace(DirectorySource(folder), home=str(tmp_path), environ={}) as workspace:
        await workspace.ready()
        await workspace.read_rows([str(file)])
        found = workspace.storage.stat_sync(str(file))
        stat = Stat(str(file), found.size, found.mtime_ms)
        fix = GiveSlot(stat, "A title", "user")
        finding = Finding(kind="slot", path=str(file), evidence=(), fix=fix)
        repairs = Repairs(workspace, tmp_path / "journal")
        with opening(file, "ab"), pytest.raises(SessionHeldError, match="open for writing"):
            await repairs.fix(finding)
        assert file.read_bytes() == before
        await repairs.fix(finding)
        assert file.read_bytes() != before


async def test_an_agent_in_the_project_may_have_its_newest_session_and_no_other(
    tmp_path: Path,
) -> None:
    """As many as there are such agents, and none that was written last before they began."""
    project, folder = tmp_path / "api", tmp_path / "sessions"
    project.mkdir()
    before = str(omp_file(folder, "before", cwd=str(project)))
    with ExitStack() as agents:
        first = agents.enter_context(agent(called="omp", cwd=project))
        older = str(omp_file(folder, "older", cwd=str(project), ago_s=0))
        newer = str(omp_file(folder, "newer", cwd=str(project), ago_s=-1))
        other = str(omp_file(folder, "other", cwd=str(tmp_path), ago_s=-1))
        paths = [before, older, newer, other]
        async with open_workspace(
            DirectorySource(folder),
            home=str(tmp_path),
            environ={},
            clock=lambda: now_ms() + 24 * HOUR_S * 1000,
        ) as workspace:
            await workspace.ready()
            await workspace.read_rows(paths)
            held = [path for path in paths if workspace.held(path)]
            assert held == [newer]
            assert workspace.held(newer) == (
                f"omp (pid {first.pid}) works in its folder and may have it open"
            )
        agents.enter_context(agent(called="omp", cwd=project))
        omp_file(folder, "older", cwd=str(project), ago_s=-1)
        async with open_workspace(
            DirectorySource(folder),
            home=str(tmp_path),
            environ={},
            clock=lambda: now_ms() + 24 * HOUR_S * 1000,
        ) as workspace:
            await workspace.ready()
            await workspace.read_rows(paths)
            assert [path for path in paths if workspace.held(path)] == [older, newer]


async def test_an_agent_in_the_registry_is_not_taken_for_one_in_another_session_of_its_project(
    tmp_path: Path, root: Path
) -> None:
    project = tmp_path / "web"
    project.mkdir()
    entries = [{**entry, "cwd": str(project)} for entry in claude_session()]
    path = root / "projects" / "-web" / "7f3c9a52-1d2e-4f60-8a1b-000000000000.jsonl"
    with agent(called="claude", cwd=project) as process:
        file = str(written(path, entries, ago_s=-1))
        for registered in (False, True):
            if registered:
                register(root, process.pid, procStart=ticks(process.pid))
            async with open_workspace(
                DirectorySource(root / "projects"),
                home=str(tmp_path),
                environ={},
                clock=lambda: now_ms() + 24 * HOUR_S * 1000,
            ) as workspace:
                await workspace.ready()
                await workspace.read_rows([file])
                assert (workspace.held(file) is None) == registered
