"""The tables of keys in docs/keys.md are those of the action table."""

from __future__ import annotations

import pytest

from screenshots.keys import BEGIN, COMMAND, END, PAGE, key_tables, main, with_tables
from sessiontui.app.action_table import ACTIONS


def test_the_page_has_the_keys_of_the_action_table() -> None:
    stored = PAGE.read_text(encoding="utf-8")
    assert stored == with_tables(stored), f"the tables of keys are stale: run {COMMAND}"
    assert main(["--check"]) == 0


def test_every_action_has_a_row_with_its_name_and_what_it_does() -> None:
    rows = [line for line in key_tables().splitlines() if line.startswith("| `")]
    assert len(rows) == len(ACTIONS)
    for action in ACTIONS:
        assert any(row.endswith(f"| {action.help} | {action.id} |") for row in rows), action.id


def test_only_what_stands_between_the_marks_is_written_anew() -> None:
    text = with_tables(f"before\n{BEGIN}\nstale\n{END}\nafter\n")
    assert "stale" not in text
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    for broken in ("", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{BEGIN}{END}", f"{BEGIN}{END}{END}"):
        with pytest.raises(ValueError, match="are needed"):
            with_tables(broken)
