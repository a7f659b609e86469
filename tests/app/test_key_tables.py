"""The tables of keys in docs/keys.md and the README are those of the action table."""

from __future__ import annotations

import pytest

from screenshots.keys import (
    BEGIN,
    COMMAND,
    END,
    PAGE,
    README,
    key_summary,
    key_tables,
    main,
    with_tables,
)
from sessiontui.app.actions import ACTIONS


def test_page_and_readme_have_the_keys_of_the_action_table() -> None:
    for page, tables in ((PAGE, key_tables()), (README, key_summary())):
        stored = page.read_text(encoding="utf-8")
        assert stored == with_tables(stored, tables), f"{page.name} is stale: run {COMMAND}"
    assert main(["--check"]) == 0


def test_the_readme_names_every_action_but_those_that_only_move() -> None:
    named = key_summary()
    for action in ACTIONS:
        assert not action.palette or f"` {action.label} " in named, action.id
    assert "page up" not in named


def test_every_action_has_a_row_with_its_name_and_what_it_does() -> None:
    rows = [line for line in key_tables().splitlines() if line.startswith("| `")]
    assert len(rows) == len(ACTIONS)
    for action in ACTIONS:
        assert any(row.endswith(f"| {action.help} | {action.id} |") for row in rows), action.id


def test_only_what_stands_between_the_marks_is_written_anew() -> None:
    text = with_tables(f"before\n{BEGIN}\nstale\n{END}\nafter\n", key_tables())
    assert "stale" not in text
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    for broken in ("", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{BEGIN}{END}", f"{BEGIN}{END}{END}"):
        with pytest.raises(ValueError, match="are needed"):
            with_tables(broken, "")
