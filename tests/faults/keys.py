"""Keys, clicks, sizes and signals at random in a real terminal: the app stands for minutes.

    python -m tests.faults.keys [--seconds N] [--seed N]

Keys come one by one and in bursts, doubled and mixed, from the action table and beside it;
clicks at any place, twice; sizes from 1x1 to 300x100; SIGWINCH, and SIGTSTP with SIGCONT. An app
that was asked to quit is opened again. Exit code 1 where one ended by itself.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from sessiontui.app.actions import ACTIONS
from tests.app.support import path_of, session
from tests.app.terminal import Terminal
from tests.faults.hostile import hostile_sessions
from tests.waiting import DEADLINE_S

_NAMED: Final = {
    "escape": b"\x1b[27u",
    "enter": b"\r",
    "tab": b"\t",
    "shift+tab": b"\x1b[Z",
    "backspace": b"\x7f",
    "space": b" ",
    "up": b"\x1b[A",
    "down": b"\x1b[B",
    "right": b"\x1b[C",
    "left": b"\x1b[D",
    "home": b"\x1b[H",
    "end": b"\x1b[F",
    "pageup": b"\x1b[5~",
    "pagedown": b"\x1b[6~",
    "delete": b"\x1b[3~",
    "f5": b"\x1b[15~",
}
_SIGNS: Final = {"question_mark": "?", "slash": "/", "at": "@", "asterisk": "*", "comma": ","}
_OFTEN: Final = ("enter", "enter", "escape", "escape", "pagedown", "pageup", "up", "down", "tab")
_LEAVING: Final = {"quit", "suspend"}


def _bytes_of(key: str) -> bytes | None:
    """Return what a key sends, None for one that is not sent here."""
    if key in _NAMED:
        return _NAMED[key]
    if key.startswith("ctrl+") and len(key) == 6 and key[-1].isalpha():
        return bytes([ord(key[-1]) & 0x1F])
    sign = _SIGNS.get(key, key)
    return sign.encode() if len(sign) == 1 else None


def usable_keys() -> list[bytes]:
    """Return what the keys of the action table send, and often those that choose and leave."""
    names = [key for action in ACTIONS if action.id not in _LEAVING for key in action.keys]
    sent = [_bytes_of(name) for name in (*names, *_OFTEN * 4, *"abwxy123")]
    return [keys for keys in sent if keys is not None and keys != b"\x1c"]


class Hand:
    """Does at random what somebody at a terminal may do.

    Args:
        terminal: The app is in it.
        chance: Draws everything.
    """

    def __init__(self, terminal: Terminal, chance: random.Random) -> None:
        self._terminal = terminal
        self._chance = chance
        self._keys = usable_keys()
        self._size = (120, 34)
        self.done: list[str] = []
        """What was done, to tell it."""

    def move(self) -> None:
        """Do one thing."""
        draw = self._chance.random()
        if draw < 0.35:
            self._send(self._chance.choice(self._keys))
        elif draw < 0.55:
            self._send(self._chance.choice(self._keys) * self._chance.choice((2, 2, 3)))
        elif draw < 0.75:
            self._send(b"".join(self._chance.choices(self._keys, k=self._chance.randrange(2, 9))))
        elif draw < 0.88:
            self._click()
        elif draw < 0.97:
            self._resize()
        elif draw < 0.985:
            self._signal(signal.SIGWINCH)
        else:
            self._signal(signal.SIGTSTP)
            self._until_stopped()
            self._signal(signal.SIGCONT)

    def _send(self, keys: bytes) -> None:
        self.done.append(repr(keys))
        self._terminal.press(keys)

    def _click(self) -> None:
        column = self._chance.randrange(1, self._size[0] + 1)
        row = self._chance.randrange(1, self._size[1] + 1)
        button = self._chance.choice((0, 0, 0, 64, 65))
        place = f"{button};{column};{row}"
        once = f"\x1b[<{place}M" + ("" if button else f"\x1b[<{place}m")
        self._send(once.encode() * self._chance.choice((1, 2, 2, 3)))

    def _resize(self) -> None:
        odd = ((1, 1), (5, 100), (300, 3), (300, 100), (120, 34), (80, 24))
        some = (self._chance.randrange(1, 301), self._chance.randrange(1, 101))
        self._size = self._chance.choice((*odd, some, some))
        self.done.append(f"{self._size}")
        self._terminal.resize(self._size)
        self._terminal.process.send_signal(signal.SIGWINCH)

    def _until_stopped(self) -> None:
        """Wait as a shell does, or until the app has ended instead."""
        process = self._terminal.process
        end = time.monotonic() + DEADLINE_S
        while os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOHANG) is None:
            self._terminal.read()
            if process.poll() is not None:
                return
            if time.monotonic() > end:
                self._signal(signal.SIGABRT)  # It tells where it stands.
                self._terminal.finish()
                said = self._terminal.output[-6000:].decode(errors="replace")
                raise AssertionError(f"it did not stop; {self.done[-20:]}; {said}")

    def _signal(self, number: signal.Signals) -> None:
        self.done.append(number.name)
        self._terminal.process.send_signal(number)


def fill(root: Path) -> None:
    """Write ordinary and hostile sessions."""
    for number, data in enumerate(hostile_sessions(long_line=100_000, empty_lines=500).values()):
        _write(root, f"h{number}", "/-hostile", data)
    for number in range(30):
        said = ("Why?", f"```py\nx = {number}\n```\n```py\ny = 1\n```", "How?")
        data = session(f"Title {number}", *said, session_id=f"{number:04}")
        _write(root, f"s{number}", f"/-code-{number % 4}", data)


def _write(root: Path, name: str, folder: str, data: bytes) -> None:
    file = root / path_of(name, folder)[1:]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def play(place: Path, chance: random.Random, *, moves: int) -> str:
    """Open the app, do so much at random, and end it; returns what is wrong, or nothing.

    Args:
        place: An empty folder.
        chance: Draws everything.
        moves: How much to do, unless the app is asked to quit before.
    """
    fill(place / "sessions")
    names = ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")
    environ = {**dict.fromkeys(names, str(place / "home")), "PATH": str(place)} | {
        "PYTHONFAULTHANDLER": "1"
    }
    (place / "home").mkdir()
    # What it exports goes where it runs.
    with Terminal([str(place / "sessions")], environ=environ, cwd=place / "home") as terminal:
        terminal.until(b"Title ", b"live")
        hand = Hand(terminal, chance)
        for _ in range(moves):
            hand.move()
            for _ in range(chance.choice((0, 1, 1, 2))):
                terminal.read()
            if terminal.process.poll() is not None:
                break
        terminal.process.send_signal(signal.SIGTERM)
        code = terminal.finish()
        failed = code not in (0, 128 + signal.SIGTERM) or b"internal error" in terminal.output
        if failed or list(place.rglob("crashes/*")):
            reports = "".join(file.read_text() for file in place.rglob("crashes/*"))
            last = ", ".join(hand.done[-25:])
            return f"exit code {code} after {len(hand.done)}: {last}\n{reports[-3000:]}"
    return ""


def main() -> int:
    """Play until the time is over."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.keys")
    parser.add_argument("--seconds", type=float, default=240, help="how long to play")
    parser.add_argument("--seed", type=int, default=1, help="draws other keys")
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    games = wrong = 0
    while time.monotonic() < end:
        seed = f"{options.seed}.{games}"
        with tempfile.TemporaryDirectory(prefix="sk-", dir="/tmp") as place:
            said = play(Path(place), random.Random(seed), moves=400)
        games += 1
        if said:
            wrong += 1
            print(f"    WRONG: {seed}: {said}", flush=True)  # noqa: T201
    print(f"seed {options.seed}: {games} times opened, {wrong} ended by themselves")  # noqa: T201
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
