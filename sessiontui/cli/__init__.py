"""The command line: `main` is what `sessiontui` runs.

`root` lists the commands; the module of each has its options and what it does, and is loaded
when it runs. `launch` and `first_frame` start the app. What all share:
`runner` (exit codes, errors on one line), `sources`, `resolve` (which session is meant), `prompts`,
`output` and `crash`.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: The command line without the program's name; that of the process if None.
    """
    if not _streams_are_usable():
        return 1
    try:
        # Imported here, so that Ctrl-C while it loads leaves no traceback either.
        from sessiontui.cli.runner import run

        return run(arguments)
    except KeyboardInterrupt:
        return 130


def _streams_are_usable() -> bool:
    """Stand in for closed input and error streams; without an output there is nothing to do."""
    if sys.stdin is None:
        sys.stdin = io.StringIO()
    if sys.stderr is None:
        sys.stderr = io.StringIO()
    if sys.stdout is None:
        sys.stderr.write("sessiontui: standard output is closed\n")
        return False
    return True
