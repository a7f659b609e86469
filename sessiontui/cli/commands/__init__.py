"""The commands in the order of `--help`; what they do is imported when one runs."""

from sessiontui.cli.commands import reading  # isort: skip
from sessiontui.cli.commands import searching  # isort: skip
from sessiontui.cli.commands import changing  # isort: skip
from sessiontui.cli.commands import taking  # isort: skip
from sessiontui.cli.commands import transferring  # isort: skip
from sessiontui.cli.commands import doctor  # isort: skip
from sessiontui.cli.commands import other  # isort: skip
from sessiontui.cli.root import cli

__all__ = [
    "changing",
    "cli",
    "doctor",
    "other",
    "reading",
    "searching",
    "taking",
    "transferring",
]
