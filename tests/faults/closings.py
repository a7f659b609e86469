"""Closes the terminal of the app while it does this and that, and looks whether it ends.

    python -m tests.faults.closings [--count N] [--seed N] [--limit SECONDS] [STATE …]

Prints for each state how many closings were tried, how many ended the app as they should, and
the slowest. Exit code 1 where one did not, or took longer than the limit.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import redis

from sessiontui.app.terminal import HUNG_UP
from tests.app.support import path_of, session
from tests.app.terminal import Terminal
from tests.command import ROOT
from tests.servers import real_server
from tests.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIMIT_S = 2.0
"""How long the app may take to end, in seconds."""
_PATIENCE_S = 20.0
"""How long it is waited for."""
MANY = 20_000
LINES_A_TICK = 100
_TICK_S = 0.01

GUEST = """
import os, pathlib, signal, sys, time
place = pathlib.Path({place!r})
def heard(number, frame):
    (place / "heard").write_text(str(number))
    os._exit(0)
signal.signal(signal.SIGHUP, {handler})
(place / "guest").write_text(str(os.getpid()))
try:
    print("GUEST IS HERE", end="", flush=True)
except OSError:
    pass  # It was closed that soon.
while True:
    time.sleep(0.05)
"""
"""A program that the terminal is lent to."""


class Window(Protocol):
    """A terminal with the app in it."""

    def until(self, *texts: bytes) -> None: ...
    def press(self, keys: bytes) -> None: ...
    def read(self) -> None: ...
    def close(self) -> None: ...


class Tmux:
    """The app in a pane of tmux, which is closed by closing the pane or by ending tmux."""

    def __init__(
        self, arguments: list[str], environ: dict[str, str], place: Path, *, closing: str
    ) -> None:
        self._closing = closing
        self._command = ["tmux", "-S", str(place / "tmux.sock"), "-f", os.devnull]
        line = shlex.join([sys.executable, "-m", "sessiontui", *arguments])
        variables = [f"{name}={shlex.quote(value)}" for name, value in environ.items()]
        whole = f"exec env {' '.join(variables)} {line}"
        self._tmux("new-session", "-d", "-x", "120", "-y", "34", whole)
        self.pid = int(self._tmux("display-message", "-p", "#{pane_pid}"))

    def _tmux(self, *words: str) -> str:
        bare = {name: value for name, value in os.environ.items() if name != "TMUX"}
        done = subprocess.run(
            [*self._command, *words],
            cwd=ROOT,
            env=bare | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def until(self, *texts: bytes) -> None:
        """Wait until the pane shows each text; what only a raw terminal sees counts as shown."""
        shown = [text.decode() for text in texts if b"\x1b" not in text]
        end = time.monotonic() + DEADLINE_S
        while not all(text in (screen := self._tmux("capture-pane", "-p")) for text in shown):
            if time.monotonic() > end:
                raise AssertionError(f"{shown} did not come; {screen}")
            self.read()

    def press(self, keys: bytes) -> None:
        """Send what keys send."""
        self._tmux("send-keys", "-H", *(f"{byte:x}" for byte in keys))

    def read(self) -> None:
        """Let some time pass."""
        time.sleep(0.2)

    def close(self) -> None:
        """Close the pane, or end tmux."""
        self._tmux(self._closing)

    def has_ended(self) -> bool:
        """Tell whether the app has ended; one that nobody has taken note of counts."""
        try:
            os.kill(self.pid, 0)
            state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return True
        return state == "Z"

    def stop(self) -> None:
        """End everything."""
        if not self.has_ended():
            os.kill(self.pid, signal.SIGKILL)
        subprocess.run([*self._command, "kill-server"], capture_output=True, check=False)


@dataclass
class Scene:
    """What the app is opened on, how it comes to its state, and what has to be so afterwards."""

    arguments: list[str]
    reach: Callable[[Window], None]
    environ: dict[str, str] = field(default_factory=dict)
    wrong: Callable[[], str] = str
    """Tells what is not as it should be afterwards."""


def _rest(window: Window, seconds: float) -> None:
    """Let the app go on for so long: any moment may be the one."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        window.read()


def _folder(place: Path, count: int = 3) -> Path:
    root = place / "sessions"
    for number in range(count):
        file = root / path_of(f"s{number:05}", f"/-code-{number % 20}")[1:]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(session(f"Title {number}", "Why?", session_id=f"{number:05}"))
    return root


def many_folder() -> Path:
    """Return the folder of the 20,000 sessions, which are made once."""
    return Path(tempfile.gettempdir()) / f"sessiontui-many-{os.getpid()}"


@contextmanager
def starting(place: Path, chance: random.Random) -> Iterator[Scene]:
    """Anywhere between the first line on the screen and the app at rest."""

    def reach(window: Window) -> None:
        window.until(b"\x1b[?1049h")
        _rest(window, chance.uniform(0, 1.5))

    yield Scene([str(_folder(place))], reach)


@contextmanager
def idle(place: Path, chance: random.Random) -> Iterator[Scene]:
    """With all on the screen."""
    yield Scene([str(_folder(place))], lambda window: window.until(b"Title 1", b"live"))


@contextmanager
def loading(place: Path, chance: random.Random) -> Iterator[Scene]:
    """Anywhere while 20,000 sessions are read."""

    def reach(window: Window) -> None:
        window.until(b"\x1b[?1049h", b"loading")
        _rest(window, chance.uniform(0.2, 4))

    if not many_folder().exists():
        _folder(many_folder(), MANY)
    yield Scene([str(many_folder() / "sessions")], reach)


@contextmanager
def scrolling(place: Path, chance: random.Random) -> Iterator[Scene]:
    """While the list is scrolled as fast as keys come."""

    def reach(window: Window) -> None:
        window.until(b"Title ", b"live")
        for _ in range(chance.randrange(3, 12)):
            window.press(b"jjjjjjjjkkkk")
            window.read()

    yield Scene([str(_folder(place, 300))], reach)


@contextmanager
def dialog(place: Path, chance: random.Random) -> Iterator[Scene]:
    """While a dialog is open."""
    key, shown = chance.choice([(b"r", b"Rename session"), (b"d", b"trash"), (b"?", b"esc close")])

    def reach(window: Window) -> None:
        window.until(b"Title 1", b"live")
        window.press(key)
        window.until(shown)

    yield Scene([str(_folder(place))], reach)


def _lent(place: Path, keys: bytes, *, deaf: bool = False) -> Scene:
    """Lend the terminal to a program, which has to hear of the end, or may not want to."""
    handler = "signal.SIG_IGN" if deaf else "heard"
    program = place / "bin" / "omp"
    program.parent.mkdir(parents=True)
    text = GUEST.format(place=str(place), handler=handler)
    program.write_text(f"#!{sys.executable}\n{text}")
    program.chmod(0o700)

    def reach(window: Window) -> None:
        window.until(b"Title 0", b"live", b"following")
        window.press(keys)
        window.until(b"GUEST IS HERE")

    def wrong() -> str:
        pid = int((place / "guest").read_text())
        if deaf:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                return "the program that had the terminal was ended, though it wanted to go on"
            return ""
        end = time.monotonic() + DEADLINE_S
        while not (place / "heard").exists():
            if time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
                return "the program that had the terminal heard nothing"
            time.sleep(0.01)
        return ""

    root = place / "sessions"
    file = root / "-work" / "2026-11-23T10-00-00-000Z_0199.jsonl"
    file.parent.mkdir(parents=True)
    long_ago = 1_700_000_000
    data = session("Title 0", "Why?", session_id="0199", cwd=str(place), start_ms=long_ago * 1000)
    file.write_bytes(data)
    os.utime(file, (long_ago, long_ago))
    environ = {"PAGER": str(program), "PATH": f"{program.parent}:{os.environ['PATH']}"}
    return Scene([str(root)], reach, environ, wrong)


@contextmanager
def pager(place: Path, chance: random.Random) -> Iterator[Scene]:
    """While a pager, or an editor in its place, has the terminal."""
    yield _lent(place, b"\tP")


@contextmanager
def deaf_pager(place: Path, chance: random.Random) -> Iterator[Scene]:
    """While a program has the terminal that does not end with it."""
    yield _lent(place, b"\tP", deaf=True)


@contextmanager
def agent(place: Path, chance: random.Random) -> Iterator[Scene]:
    """While a resumed agent has the terminal."""
    yield _lent(place, b"o")


@contextmanager
def following(place: Path, chance: random.Random) -> Iterator[Scene]:
    """While the open session grows by 10,000 lines a second."""
    root = _folder(place, 1)
    (file,) = root.rglob("*.jsonl")
    stop = threading.Event()

    def grow() -> None:
        line = {"type": "message", "message": {"role": "user", "content": "One more line"}}
        with file.open("ab") as growing:
            for number in range(10**6):
                if stop.wait(_TICK_S):
                    return
                lines = ({**line, "id": f"{number}-{part}"} for part in range(LINES_A_TICK))
                growing.write(b"".join(json.dumps(one).encode() + b"\n" for one in lines))
                growing.flush()

    growing = threading.Thread(target=grow)

    def reach(window: Window) -> None:
        window.until(b"Title 0", b"live")
        window.press(b"\tG")
        growing.start()
        window.until(b"One more line")
        _rest(window, chance.uniform(0, 1))

    try:
        yield Scene([str(root)], reach)
    finally:
        stop.set()
        growing.join()


@contextmanager
def connecting(place: Path, chance: random.Random) -> Iterator[Scene]:
    """While a server does not answer."""

    def reach(window: Window) -> None:
        window.until(b"\x1b[?1000h", b"loading")
        _rest(window, chance.uniform(0, 1))

    with real_server() as server, server.frozen():
        yield Scene([server.url], reach)


@contextmanager
def pending(place: Path, chance: random.Random) -> Iterator[Scene]:
    """While a title waits for a server that does not answer: it is kept in a file."""
    path = path_of("alpha", "/sessions/-code-api")
    with ExitStack() as stack:
        server = stack.enter_context(real_server())
        with redis.Redis(unix_socket_path=str(server.socket)) as client:
            client.set(f"omp:sessions:file:{path}", session("Title 1", session_id="alpha"))

        def reach(window: Window) -> None:
            window.until(b"Title 1", b"live")
            window.press(b"r")
            window.until(b"Rename session")
            stack.enter_context(server.frozen())
            window.press(b"Later\r")
            window.until(b"1 write pending")

        def wrong() -> str:
            kept = [file.read_text() for file in place.rglob("unconfirmed-*.jsonl")]
            writes = [json.loads(line) for text in kept for line in text.splitlines()]
            if writes == [{"action": "title", "path": path, "title": "Later"}]:
                return ""
            return f"the title was not kept once: {writes}"

        yield Scene([server.url], reach, wrong=wrong)


@contextmanager
def demo(place: Path, chance: random.Random) -> Iterator[Scene]:
    """In the demo, whose server and folder go with it."""
    seen: list[Path] = []
    room = Path(tempfile.mkdtemp(prefix="sd-", dir="/tmp"))

    def reach(window: Window) -> None:
        window.until(b"Make the importer resumable", b"running")
        seen.extend(room.glob("sessiontui-demo-*"))

    def wrong() -> str:
        end = time.monotonic() + DEADLINE_S
        while list(room.iterdir()):
            if time.monotonic() > end:
                return f"the demo left {[file.name for file in room.rglob('*')]}"
            time.sleep(0.01)
        return "" if seen else "the demo had no folder"

    try:
        yield Scene(["demo"], reach, {"TMPDIR": str(room)}, wrong)
    finally:
        shutil.rmtree(room, ignore_errors=True)


STATES: dict[str, Callable[[Path, random.Random], AbstractContextManager[Scene]]] = {
    state.__name__: state
    for state in (
        *(starting, idle, loading, scrolling, dialog, pager, deaf_pager, agent),
        *(following, connecting, pending, demo),
    )
}


WAYS = ("leader", "other", "kill-pane", "kill-server")
"""How the terminal goes: with a signal to the app, without any, and as tmux does it."""


@dataclass
class Outcome:
    """What came of one closing."""

    seconds: float
    wrong: str = ""


def close_once(state: str, way: str, place: Path, chance: random.Random) -> Outcome:
    """Open the app, let it come to its state, close its terminal, and look what it does.

    Args:
        state: One of `STATES`.
        way: One of `WAYS`.
        place: An empty folder; a short path, as there are sockets in it.
        chance: Draws the moment.
    """
    with STATES[state](place, chance) as scene:
        names = ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")
        environ = {**dict.fromkeys(names, str(place / "home")), **scene.environ}
        (place / "home").mkdir()
        with ExitStack() as stack:
            if way.startswith("kill-"):
                tmux = Tmux(scene.arguments, environ, place, closing=way)
                stack.callback(tmux.stop)
                window: Window = tmux
                has_ended = tmux.has_ended
            else:
                leads = way == "leader"
                terminal = Terminal(scene.arguments, environ=environ, leads=leads)
                window = stack.enter_context(terminal)
                has_ended = partial(_is_over, terminal.process)
            scene.reach(window)
            if has_ended():
                return Outcome(0, "the app had ended before")
            begun = time.monotonic()
            window.close()
            while not has_ended():
                if time.monotonic() - begun > _PATIENCE_S:
                    return Outcome(_PATIENCE_S, "the app lives on")
                time.sleep(0.002)
            seconds = time.monotonic() - begun
            if isinstance(window, Terminal) and window.process.returncode != HUNG_UP:
                return Outcome(seconds, f"exit code {window.process.returncode}")
        crashes = list(place.rglob("crashes/*"))
        return Outcome(seconds, scene.wrong() or ("an error was reported" if crashes else ""))


def _is_over(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


def run(states: list[str], *, count: int, seed: int, limit_s: float) -> bool:
    """Close terminals and print what came of it; returns whether all was as it should be."""
    chance = random.Random(seed)
    outcomes: dict[str, list[Outcome]] = {state: [] for state in states}
    for number in range(count):
        state = states[number % len(states)]
        way = WAYS[(number // len(states) + number) % len(WAYS)]
        with tempfile.TemporaryDirectory(prefix="sc-", dir="/tmp") as place:
            outcome = close_once(state, way, Path(place), chance)
        if outcome.seconds > limit_s and not outcome.wrong:
            outcome.wrong = "it took too long"
        outcomes[state].append(outcome)
        if outcome.wrong:
            _say(f"    WRONG: {state}, {way}: {outcome.wrong} ({outcome.seconds:.2f} s)")
    for state, closed in outcomes.items():
        if closed:
            _say(_line(state, closed))
    everything = [outcome for closed in outcomes.values() for outcome in closed]
    _say(_line(f"seed {seed}", everything))
    return not any(outcome.wrong for outcome in everything)


def _line(name: str, closed: list[Outcome]) -> str:
    ended = sum(not outcome.wrong for outcome in closed)
    slowest = max(outcome.seconds for outcome in closed)
    return f"{name:<12}{len(closed):>5} closed {ended:>5} ended   slowest {slowest:5.2f} s"


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


@contextmanager
def many_sessions_kept() -> Iterator[None]:
    """Take away in the end what `loading` made."""
    try:
        yield
    finally:
        shutil.rmtree(many_folder(), ignore_errors=True)


def main() -> int:
    """Close as often as asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.closings")
    parser.add_argument("states", nargs="*", metavar="STATE", help=", ".join(STATES))
    parser.add_argument("--count", type=int, default=100, help="closings")
    parser.add_argument("--seed", type=int, default=1, help="draws other moments")
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds it may take")
    options = parser.parse_args()
    if unknown := set(options.states) - set(STATES):
        parser.error(f"no such state: {', '.join(sorted(unknown))}")
    states = options.states or list(STATES)
    with many_sessions_kept():
        fine = run(states, count=options.count, seed=options.seed, limit_s=options.limit)
    return int(not fine)


if __name__ == "__main__":
    sys.exit(main())
