"""The manifest of a deleted session: what was where, as a JSON file beside its files.

Paths in it are relative to the root of the store, so that an item can be
restored however the store is opened. Names that are no UTF-8 stand in it as escaped lone
surrogates.
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from sessiontui.errors import StorageError
from sessiontui.storage.backend import Stat, TrashItem
from sessiontui.storage.directory.io import sync_folder, write_all
from sessiontui.storage.directory.paths import sidecar_of
from sessiontui.storage.retention import kept_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sessiontui.storage.directory.paths import FolderHandles, StoreRoot

NAME = "manifest.json"
PART = f"{NAME}.part"
"""Name of a manifest that is not whole yet."""
MARK = "expired"
"""Name of the file that tells which reading of the clock first found the item expired."""


class FileRecord(msgspec.Struct, frozen=True):
    """A file of the item."""

    path: str
    size: int
    mtime_ms: int | None
    device: int | None = None
    """None where it was gone when the item was made."""
    inode: int | None = None
    mtime_ns: int | None = None
    length: int | None = None
    """Bytes it had when the item was made; `size` is what was listed."""


class FolderRecord(msgspec.Struct, frozen=True):
    """A sidecar folder; files say nothing of those that were empty."""

    path: str
    mode: int
    mtime_ns: int


class Manifest(msgspec.Struct, frozen=True):
    """Everything needed to bring an item back."""

    version: int
    id: str
    root: str
    """For whoever looks into the trash by hand."""
    deleted_ms: int
    expires_ms: int
    files: tuple[FileRecord, ...]
    """The session first."""
    folders: tuple[FolderRecord, ...]
    """Outermost first."""

    def paths(self, root: StoreRoot) -> list[str]:
        """Return the paths of the files."""
        return [root.path(record.path) for record in self.files]

    def item(self, root: StoreRoot, now_ms: int) -> TrashItem:
        """Return the item as it was deleted."""
        stats = tuple(
            Stat(root.path(record.path), record.size, record.mtime_ms) for record in self.files
        )
        return TrashItem(self.id, stats[0].path, stats, self.deleted_ms, self.kept_until(now_ms))

    def kept_until(self, now_ms: int) -> int:
        """Return until when the item is kept; its files tell where the clock was wrong."""
        written = (
            None if record.mtime_ns is None else record.mtime_ns // 1_000_000
            for record in self.files
        )
        return kept_until(self.deleted_ms, self.expires_ms, written, now_ms)

    def is_inode(self, handles: FolderHandles, number: int, path: str) -> bool:
        """Tell whether what stands at a path has the inode of a file of the item.

        Inodes are given anew once a file is gone: this alone proves nothing.
        """
        record = self.files[number]
        found = _lstat(handles, path)
        return found is not None and (found.st_dev, found.st_ino) == (record.device, record.inode)

    def is_untouched(self, handles: FolderHandles, number: int, path: str) -> bool:
        """Tell whether the file of the item stands at a path as it was when the item was made."""
        record = self.files[number]
        found = _lstat(handles, path)
        return found is not None and (
            (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)
            == (record.device, record.inode, record.mtime_ns, record.length)
        )


def make_manifest(handles: FolderHandles, item: TrashItem, paths: Sequence[str]) -> Manifest:
    """Return the manifest of an item that is about to move.

    Args:
        handles: Open folders of the store.
        item: What is to be deleted.
        paths: Its files, the session first.
    """
    root = handles.root
    given = {known.path: known for known in item.stats}
    files = []
    for path in paths:
        found = _lstat(handles, path)
        known = given.get(path)
        files.append(
            FileRecord(
                "/".join(root.parts(path)),
                known.size if known else found.st_size if found else 0,
                known.mtime_ms if known else None,
                found.st_dev if found else None,
                found.st_ino if found else None,
                found.st_mtime_ns if found else None,
                found.st_size if found else None,
            )
        )
    sidecar = sidecar_of(item.path)
    folders = _folders(handles, root.parts(sidecar)) if sidecar else []
    return Manifest(
        1,
        item.id,
        str(root.folder),
        item.deleted_ms,
        item.expires_ms,
        tuple(files),
        tuple(folders),
    )


def read_mark(folder: Path) -> int | None:
    """Return which reading of the clock first found an item expired; None for none."""
    try:
        return int((folder / MARK).read_text("ascii"))
    except (OSError, ValueError):
        return None


def write_mark(folder: Path, mark: int | None) -> None:
    """Remember it, or forget it; where that cannot be done, the item stays all the longer."""
    with suppress(OSError):
        if mark is None:
            (folder / MARK).unlink(missing_ok=True)
        else:
            (folder / MARK).write_text(str(mark), "ascii")


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of an item whole and to the disk, before anything moves."""
    text = json.dumps(msgspec.to_builtins(manifest), indent=1) + "\n"
    part = folder / PART
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        write_all(descriptor, text.encode("ascii"))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    part.rename(folder / NAME)
    sync_folder(folder)


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of an item.

    Raises:
        OSError: There is none to be read.
        ValueError: It is damaged, of another version, or its paths lead outside.
    """
    manifest = msgspec.convert(json.loads((folder / NAME).read_bytes()), Manifest)
    if manifest.version != 1 or not manifest.files:
        raise ValueError("the manifest is of another version")
    paths = [file.path for file in manifest.files] + [each.path for each in manifest.folders]
    if not all(map(_is_inside, paths)):
        raise ValueError("the manifest has an impossible path")
    return manifest


def put_back_folders(handles: FolderHandles, manifest: Manifest, *, all_new: bool = False) -> None:
    """Make the sidecar folders that were empty, and give new ones permissions and times of before.

    Args:
        handles: Open folders of the store, which know what they made.
        manifest: The item whose files are back already.
        all_new: Whether others may be new too, made by a process that died.
    """
    root = handles.root
    made = set(handles.made)
    for record in manifest.folders:
        with suppress(StorageError):
            handles.folder(tuple(record.path.split("/")), root.path(record.path), create=True)
    made |= set(handles.made)
    for record in reversed(manifest.folders):
        parts = tuple(record.path.split("/"))
        if parts not in made and not all_new:
            continue
        with suppress(OSError, StorageError):
            descriptor = handles.folder(parts, root.path(record.path))
            os.fchmod(descriptor, record.mode)
            os.utime(descriptor, ns=(record.mtime_ns, record.mtime_ns))


def _is_inside(path: str) -> bool:
    """Tell whether a path of a manifest is of the one spelling that was written."""
    return "\0" not in path and not {"", ".", ".."}.intersection(path.split("/"))


def _folders(handles: FolderHandles, parts: tuple[str, ...]) -> list[FolderRecord]:
    """Return the folders from one on downwards, none where it is not there."""
    path = "/".join(parts)
    try:
        descriptor = handles.folder(parts, handles.root.path(path))
        found = os.fstat(descriptor)
        with os.scandir(descriptor) as entries:
            below = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (OSError, StorageError):
        return []
    records = [FolderRecord(path, stat.S_IMODE(found.st_mode), found.st_mtime_ns)]
    for name in sorted(below):
        records += _folders(handles, (*parts, name))
    return records


def _lstat(handles: FolderHandles, path: str) -> os.stat_result | None:
    try:
        folder, name = handles.parent(path)
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except (OSError, StorageError):
        return None
