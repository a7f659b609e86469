"""Errors keep everything they tell on their way to another process."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import pytest

from sessiontui import errors

ERRORS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.SessionTuiError)
]
VALUES: dict[str, Any] = {
    "message": "it broke",
    "path": "/p/a.jsonl",
    "reason": "it grows",
    "expected_size": 3,
    "actual_size": None,
}


def example(kind: type[errors.SessionTuiError]) -> errors.SessionTuiError:
    """Return an error of a class, made as its constructor wants it."""
    if kind.__init__ is Exception.__init__:
        return kind("it broke")
    parameters = inspect.signature(kind).parameters.values()
    named = {one.name: VALUES[one.name] for one in parameters if one.kind is one.KEYWORD_ONLY}
    return kind(*(VALUES[one.name] for one in parameters if one.name not in named), **named)


def told(error: errors.SessionTuiError) -> dict[str, Any]:
    fields = {name: getattr(error, name, None) for name in ("errno", "strerror", "filename")}
    return {"type": type(error), "text": str(error), "args": error.args, **fields, **vars(error)}


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_is_the_same_after_pickling_and_copying(
    kind: type[errors.SessionTuiError],
) -> None:
    error = example(kind)
    error.add_note("while it was written")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert told(pickle.loads(pickle.dumps(error, protocol))) == told(error)
    assert told(copy.copy(error)) == told(error)
    if isinstance(error, errors.StorageError):
        assert error.path == "/p/a.jsonl"
