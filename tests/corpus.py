"""Real sessions of several agents, kept beside the project where they are at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"


def corpus_file(name: str) -> Path:
    """Return a session of the corpus, or skip the test where there is none."""
    path = CORPUS / name
    if not path.is_file():
        pytest.skip(f"the corpus is not beside this checkout (no {name} in ../shared/corpus)")
    return path
