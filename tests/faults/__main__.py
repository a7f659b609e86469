"""Runs the storms and prints what was lost and doubled: `make faults`.

    python -m tests.faults [--seed N] [--scale F] [--json] [NAME …]

Exit code 1 where anything was lost, doubled or wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from tests.faults.storms import STORMS, Storm, Tally


def main() -> int:
    """Run the named storms, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(STORMS))
    parser.add_argument("--seed", type=int, default=1, help="draws other faults")
    parser.add_argument("--scale", type=float, default=1.0, help="more or fewer faults")
    parser.add_argument("--json", action="store_true", help="one array of objects")
    options = parser.parse_args()
    unknown = set(options.names) - set(STORMS)
    if unknown:
        parser.error(f"no such storm: {', '.join(sorted(unknown))}")
    tallies: list[Tally] = []
    for name in options.names or STORMS:
        storm, count = STORMS[name]
        tallies.append(asyncio.run(_run(storm, options.seed, max(1, round(count * options.scale)))))
        if not options.json:
            _print(tallies[-1])
    if options.json:
        print(json.dumps([vars(tally) for tally in tallies], indent=2))  # noqa: T201
    else:
        _print_sum(tallies, options.seed)
    return int(any(tally.failed for tally in tallies))


async def _run(storm: Storm, seed: int, count: int) -> Tally:
    return await storm(seed, count)


def _print(tally: Tally) -> None:
    faults = sum(tally.faults.values())
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(tally.faults.items()))
    print(  # noqa: T201
        f"{tally.name}\n    {tally.operations:>9,} operations  {faults:>6,} faults"
        f"  {tally.lines:>9,} lines  {tally.lost:>3} lost  {tally.doubled:>3} doubled"
        f"  {tally.seconds:6.1f} s\n    {kinds}"
        + (f"; {tally.unsure:,} commands without an answer" if tally.unsure else ""),
        flush=True,
    )
    for wrong in tally.wrong:
        print(f"    WRONG: {wrong}")  # noqa: T201


def _print_sum(tallies: list[Tally], seed: int) -> None:
    print(  # noqa: T201
        f"\nseed {seed}: {sum(t.operations for t in tallies):,} operations,"
        f" {sum(sum(t.faults.values()) for t in tallies):,} faults,"
        f" {sum(t.lines for t in tallies):,} lines written,"
        f" {sum(t.lost for t in tallies)} lost, {sum(t.doubled for t in tallies)} doubled,"
        f" {sum(len(t.wrong) for t in tallies)} wrong"
    )


if __name__ == "__main__":
    sys.exit(main())
