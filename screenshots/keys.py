"""The tables of keys in docs/keys.md and the README, made from the action table.

`python -m screenshots.keys` writes them anew between their marks, `--check`
fails when they are stale.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sessiontui.app.actions import ACTIONS, CONTEXTS, FOOTER
from sessiontui.app.keymap import key_label

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sessiontui.app.actions import Action, KeyContext

_ROOT = Path(__file__).parent.parent
PAGE, README = _ROOT / "docs" / "keys.md", _ROOT / "README.md"
BEGIN, END = "<!-- keys -->", "<!-- end of keys -->"
_OFFERED = {action_id for ids in FOOTER.values() for action_id in ids}
COMMAND = "make keys"
"""What writes the tables anew."""


def key_tables() -> str:
    """Return a table for each context: keys, what they do, and the action's name."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    for context in dict.fromkeys(action.context for action in ACTIONS):
        yield from ("", f"## {CONTEXTS[context]}", "", "| keys | | name |", "| --- | --- | --- |")
        yield from (_row(action) for action in ACTIONS if action.context == context)
    yield ""


def key_summary() -> str:
    """Return one table with a row for each context: the first key and the label of each action.

    What only moves about has no place there.
    """
    rows = [
        f"| {CONTEXTS[context]} | {' · '.join(_keys_and_labels(context))} |\n"
        for context in dict.fromkeys(action.context for action in ACTIONS)
    ]
    return "| where | keys |\n| --- | --- |\n" + "".join(rows)


def _keys_and_labels(context: KeyContext) -> Iterator[str]:
    for action in ACTIONS:
        if action.context == context and (action.palette or action.id in _OFFERED):
            yield f"{_code(key_label(action.keys[0]))} {action.label}"


def _row(action: Action) -> str:
    keys = " ".join(_code(key_label(key)) for key in action.keys)
    return f"| {keys} | {action.help.replace('|', chr(92) + '|')} | {action.id} |"


def _code(key: str) -> str:
    """Return a key as code in a cell of a table; a backtick needs longer marks."""
    mark, blank = ("``", " ") if "`" in key else ("`", "")
    return f"{mark}{blank}{key.replace('|', chr(92) + '|')}{blank}{mark}"


def with_tables(text: str, tables: str) -> str:
    """Return the text of a page with these tables between the marks.

    Raises:
        ValueError: It does not have both marks once, in order.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in after:
        raise ValueError(f"one {BEGIN} and after it one {END} are needed")
    return f"{before}{BEGIN}\n{tables}{END}{after}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the tables; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m screenshots.keys", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if stale")
    options = parser.parse_args(arguments)
    stale = False
    for page, tables in ((PAGE, key_tables()), (README, key_summary())):
        stored = page.read_text(encoding="utf-8")
        fresh = with_tables(stored, tables)
        stale = stale or fresh != stored
        if not options.check:
            page.write_text(fresh, encoding="utf-8", newline="\n")
    if options.check:
        sys.stdout.write(f"keys: stale; run {COMMAND}\n" if stale else "keys: fresh\n")
    return int(stale and options.check)


if __name__ == "__main__":
    sys.exit(main())
