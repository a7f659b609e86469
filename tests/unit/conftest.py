"""What the tests of the directory backend begin with: an empty folder, and the backend over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from sessiontui.storage.directory.backend import DirectoryBackend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "sessions"
    folder.mkdir()
    return folder


@pytest_asyncio.fixture
async def backend(root: Path, tmp_path: Path) -> AsyncIterator[DirectoryBackend]:
    opened = DirectoryBackend(root, trash_root=tmp_path / "trash")
    yield opened
    await opened.aclose()
