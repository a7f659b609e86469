"""Replaces a session by numbered versions, each by a temporary file and rename(2), as omp does.

`python -m tests.faults.versions FILE MOST`: goes on until the file is gone from its path, or until
so many. It looks after each whether that is what stands there, and says as JSON which was the last
and which were not there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def version(data: bytes) -> int:
    """Return the number of a version."""
    return int(json.loads(data.splitlines()[-1])["number"])


def main() -> None:
    """Write until the file is gone."""
    file, most = Path(sys.argv[1]), int(sys.argv[2])
    first = file.read_bytes()
    beside = file.with_name(f".{file.name}.1.tmp")
    number, lost = 0, []
    while number < most:
        number += 1
        beside.write_bytes(
            first + json.dumps({"type": "custom", "number": number}).encode() + b"\n"
        )
        try:
            beside.replace(file)
        except FileNotFoundError:  # It was deleted with its session before it had its name.
            number -= 1
            break
        if number == 1:
            sys.stdout.write("begun\n")
            sys.stdout.flush()
        try:
            found = version(file.read_bytes())
        except FileNotFoundError:
            break
        if found != number:
            lost.append(number)
    sys.stdout.write(json.dumps({"last": number, "lost": lost}) + "\n")


if __name__ == "__main__":
    main()
