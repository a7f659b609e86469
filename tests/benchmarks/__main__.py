"""`python -m tests.benchmarks [ROW…] [--json] [--list] [--scale X]`: measure and print one table.

Builds its own data in a temporary folder and starts its own servers. Exits with
1 only where a result was wrong; a missed target is a figure, not a failure.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import signal
import sys
import tempfile
from pathlib import Path

import click

from tests.benchmarks import (
    rows_app,
    rows_big,
    rows_folder,
    rows_index,
    rows_large,
    rows_search,
    rows_startup,
    rows_widgets,
    rows_writing,
)
from tests.benchmarks.harness import (
    Bench,
    Figure,
    Result,
    Row,
    WrongResultError,
    as_json,
    rows,
    run,
    table,
)

GROUPS = (
    rows_startup,
    rows_app,
    rows_writing,
    rows_big,
    rows_widgets,
    rows_folder,
    rows_index,
    rows_large,
    rows_search,
)
"""Importing a group registers its rows; they run in this order."""


def main(arguments: list[str]) -> int:
    """Measure the selected rows; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("row", nargs="*", help="part of a row's name; all rows without any")
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    parser.add_argument("--list", action="store_true", help="print the rows and end")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full sizes")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # clears up
    order = [group.__name__ for group in GROUPS]
    chosen = sorted(rows(options.row), key=lambda item: order.index(item.measure.__module__))
    if options.list:
        for item in chosen:
            click.echo(f"{item.name:<20} {item.what}")
        return 0
    with tempfile.TemporaryDirectory(prefix="sessiontui-bench-") as folder:
        results = measure(Bench(Path(folder), options.scale), chosen)
    if options.json:
        click.echo(as_json(results))
    else:
        click.echo(
            f"{os.cpu_count()} cores, Python {platform.python_version()}, scale {options.scale:g}"
        )
        click.echo(table(results))
    return 1 if any(math.isnan(item.figure.value) for item in results) else 0


def measure(bench: Bench, chosen: list[Row]) -> list[Result]:
    """Measure rows one after the other; what a group shares ends with the group."""
    results: list[Result] = []
    group = None
    try:
        for item in chosen:
            if group != (group := item.measure.__module__):
                bench.release()
            click.echo(f"… {item.name}", err=True)
            try:
                results.append(run(bench, item))
            except WrongResultError as error:
                results.append(Result(item, Figure(math.nan, str(error))))
            click.echo(table(results[-1:]).partition("\n")[2], err=True)
    finally:
        bench.release()
    return results


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
