"""The action table: ids, keys, remapping."""

from __future__ import annotations

import pytest
from textual.binding import Binding

from sessiontui.app.actions import ACTIONS, FOOTER, FORMER_IDS, FooterPlace
from sessiontui.app.keymap import BY_ID, Keymap, bindings, footer_actions, key_label
from sessiontui.errors import ConfigError


def test_every_id_stands_for_one_action() -> None:
    assert len(BY_ID) == len(ACTIONS)


def test_the_usual_keys_do_not_clash() -> None:
    Keymap()


def test_every_action_explains_itself_and_has_a_binding() -> None:
    bound = {
        binding.id
        for context in ("everywhere", "list", "transcript")
        for binding in bindings(context)
    }
    assert bound == set(BY_ID)
    assert all(action.label and action.help and action.keys for action in ACTIONS)


def test_keys_are_shown_as_they_are_written_on_a_keyboard() -> None:
    names = ("up", "enter", "escape", "f5", "ctrl+p", "left_square_bracket", "[", "question_mark")
    assert [key_label(name) for name in names] == ["↑", "⏎", "esc", "F5", "ctrl+p", "[", "[", "?"]


def test_a_setting_replaces_the_keys_of_one_action() -> None:
    keys = Keymap({"rename": "Z, f2"})
    assert keys.of("rename") == ("Z", "F2")
    assert keys.first("delete") == "d"
    assert keys.overrides == {"rename": "Z,f2"}


@pytest.mark.parametrize(("former", "name"), FORMER_IDS.items())
def test_a_former_name_of_an_action_still_works(former: str, name: str) -> None:
    keys = Keymap({former: "f9"})
    assert keys.of(name) == ("F9",)
    assert keys.overrides == {name: "f9"}
    assert keys.renamed == {former: name}
    assert former not in BY_ID


def test_two_actions_can_swap_their_keys() -> None:
    keys = Keymap({"rename": "d", "delete": "r"})
    assert (keys.first("rename"), keys.first("delete")) == ("d", "r")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"destroy": "d"}, "no action is called 'destroy'"),
        ({"rename": " , "}, "rename has no key"),
        ({"rename": "d"}, "'d' cannot be both"),
        ({"rename": "j"}, "'j' cannot be both"),
        ({"find": "f", "filter": "F"}, "find is the former name of filter; keep one of them"),
        ({"des\x1b[31mtroy": "d"}, "no action is called 'des␛[31mtroy'"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(overrides: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Keymap(overrides)
    assert message in str(raised.value)


@pytest.mark.parametrize("place", FOOTER)
def test_the_footer_offers_what_works_there_and_help_and_quit_always(place: FooterPlace) -> None:
    offered = list(footer_actions(place))
    here = "transcript" if place in ("transcript", "found") else "list"
    assert {action.context for action in offered} <= {here, "everywhere"}
    assert [action.id for action in offered[-2:]] == ["help", "quit"]
    assert not any(action.changes for action in footer_actions(place, read_only=True))


def test_bindings_use_the_names_of_key_events() -> None:
    back = next(binding for binding in bindings("transcript") if binding.id == "turn-back")
    assert back == Binding(
        "left_square_bracket", "previous_turn", "turn", show=False, id="turn-back"
    )
