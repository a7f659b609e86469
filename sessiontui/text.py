"""Make text from outside harmless for a terminal.

Everything that comes from a session, a key, a path, a title or a server's
error passes `clean` or `clean_lines` before it is shown: no C0, C1 or ESC, no bidi
overrides, no lone surrogates, no invisible spoofing characters. Zero-width
joiners stay, for emoji.
"""

from __future__ import annotations

import re

_REPLACED = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b\u200c\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a"
    "\U000e0000-\U000e007f]"
)

_REPLACED_IN_TEXT = re.compile(_REPLACED.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))
"""The same but for tabs and newlines."""


def _picture(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    return "\ufffd"


def clean(text: str, *, tab_size: int = 4) -> str:
    """Return `text` as one line that is safe to show; a newline becomes `␊`."""
    if _REPLACED.search(text) is None:
        return text
    if "\t" in text:
        text = text.expandtabs(tab_size)
    return _REPLACED.sub(_picture, text)


def one_line(text: str) -> str:
    """Return `text` as one line that is safe to show, every run of blanks as one."""
    return clean(" ".join(text.split()))


def clean_lines(text: str, *, tab_size: int = 4) -> list[str]:
    """Return the lines of `text`, each safe to show; CRLF and lone CR end a line too."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return [clean(line, tab_size=tab_size) for line in plain.split("\n")]


def clean_text(text: str) -> str:
    """Return `text` with its lines and tabs, else safe; for files and the clipboard."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return _REPLACED_IN_TEXT.sub(_picture, plain)
