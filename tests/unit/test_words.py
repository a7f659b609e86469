"""Interface and documentation use the words of docs/glossary.md, one for each thing."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
MODULES = sorted((ROOT / "sessiontui").rglob("*.py"))
BANNED = {
    r"\b[Tt]ak(e|es|en|ing) (it |them )?back\b": "undo",
    r"\b[Bb]r(ing|ings|inging|ought) (it|them|the \w+) back\b": "restore, undo",
    r"\b[Bb]rought back\b": "restored",
    r"\b([Tt]urn(s|ed)?) (\w+ )?(order |marks )?round\b": "reverse, invert",
    r"\b[Uu]nfold(s|ed)?\b": "expand",
    r"\bhit (before|after)\b|\bnext hit\b": "match",
    r"\b[Mm]ark (all|it|one|many|to here)\b|\bmarked (session|one)s?\b": "select",
    r"[Tt]ell as JSON": "print as JSON",
    r"there is nobody to ask": "not a terminal",
    r"\blast word is\b": "last activity",
    r"\bwhatever (would )?chang": "all writes",
    r"\bknots?\b|\bveils?\b|\bshel(f|ves)\b|\bhaystacks?\b|\bpouring\b": "see the glossary",
    r"\bsessions? chosen\b|\b[Cc]hosen session": "selected",
}


def shown_strings(module: Path) -> list[tuple[int, str]]:
    """Return what a module may show, with its lines: docstrings only where they are `--help`."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    hidden: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            is_help = any("command" in ast.dump(one) for one in getattr(node, "decorator_list", ()))
            texts = (one.value for one in node.body if isinstance(one, ast.Expr))
            hidden |= set() if is_help else set(map(id, texts))
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if " " in node.value and id(node) not in hidden
    ]


def wrong_words(text: str) -> list[str]:
    return [
        f"{match[0]!r}: {better}"
        for word, better in BANNED.items()
        for match in re.finditer(word, text)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_no_banned_word(page: Path) -> None:
    text = re.sub(r"\s+", " ", page.read_text(encoding="utf-8"))
    assert wrong_words(text) == []


def test_the_interface_has_no_banned_word() -> None:
    found = [
        f"{module.relative_to(ROOT)}:{line}: {wrong}"
        for module in MODULES
        for line, text in shown_strings(module)
        for wrong in wrong_words(text)
    ]
    assert found == []


def test_the_words_are_found_where_they_stand() -> None:
    assert wrong_words("u takes it back") == ["'takes it back': undo"]
