"""Saves writes that a source did not confirm to a file, a JSON object a line.

Each has `action`, `path`, and where it applies `target`, `title`, and the bytes that
were to be written: `data` where they are UTF-8, else `data_base64`.
"""

from __future__ import annotations

import base64
import json
import os
from typing import TYPE_CHECKING, Any

from sessiontui.paths import make_private, open_private
from sessiontui.times import iso_time

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sessiontui.storage.write_queue import PendingWrite


def save_unsaved_writes(writes: Sequence[PendingWrite], folder: Path, *, now_ms: int) -> Path:
    """Write changes to a new file that only the user can read, and return its path.

    Args:
        writes: In their order.
        folder: Made if it is not there.
        now_ms: The time now, for the file's name.

    Raises:
        OSError: It could not be written; no file is left.
    """
    make_private(folder)
    stem = "unconfirmed-" + iso_time(now_ms).translate(str.maketrans(":.", "--"))
    text = "".join(json.dumps(_plain(write)) + "\n" for write in writes)
    for number in range(1000):
        path = folder / (stem + (f"-{number}" if number else "") + ".jsonl")
        try:
            descriptor = open_private(path, os.O_WRONLY | os.O_EXCL)
        except FileExistsError:
            continue
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return path
    raise FileExistsError(f"too many files like {stem}.jsonl in {folder}")


def _plain(write: PendingWrite) -> dict[str, Any]:
    fields: dict[str, Any] = {"action": write.action, "path": write.path}
    if write.target is not None:
        fields["target"] = write.target
    if write.title is not None:
        fields["title"] = write.title
    if write.data is not None:
        try:
            fields["data"] = write.data.decode()
        except UnicodeDecodeError:
            fields["data_base64"] = base64.b64encode(write.data).decode()
    return fields
