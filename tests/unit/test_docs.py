"""What the README and docs/ point to is there, and nothing in docs/ is out of reach."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")))
_CODE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)

ABOUT_CODE = [
    ROOT / "docs" / f"{name}.md"
    for name in ("architecture", "contributing", "extending", "omp", "storage-contract")
]
"""Pages that name modules, functions and files of the project."""
_FILE = re.compile(r"(?:sessiontui|styles|tests|screenshots|docs|\.ci|\.github)/[\w./-]*")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_NO_PYTHON = (".json", ".jsonl", ".md", ".toml", ".txt")


def links(page: Path) -> list[tuple[Path, str]]:
    """Return where a page points to in this project: file and anchor."""
    text = _CODE.sub("", page.read_text(encoding="utf-8"))
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    split = [link.partition("#") for link in found if "://" not in link]
    return [((page.parent / name).resolve() if name else page, anchor) for name, _, anchor in split]


def anchors(page: Path) -> set[str]:
    """Return the headings of a page as GitHub names them."""
    text = _CODE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-").lower() for title in titles}


def named(page: Path) -> list[str]:
    """Return what stands between backticks on a page, code blocks left out."""
    return re.findall(r"`([^`\n]+)`", _CODE.sub("", page.read_text(encoding="utf-8")))


@cache
def names() -> frozenset[str]:
    """Return the dotted names of the package: modules and, two levels deep, what they define."""
    known: set[str] = set()
    for file in (ROOT / "sessiontui").rglob("*.py"):
        parts = file.relative_to(ROOT / "sessiontui").with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        known.add(module)
        for statement in ast.parse(file.read_text(encoding="utf-8")).body:
            for name in defined(statement):
                known.add(f"{module}.{name}")
                if isinstance(statement, ast.ClassDef):
                    members = [one for inner in statement.body for one in defined(inner)]
                    known.update(f"{module}.{name}.{member}" for member in members)
                    known.update(f"{name}.{member}" for member in members)
    return frozenset(known)


def defined(statement: ast.stmt) -> list[str]:
    """Return the names that a statement defines."""
    match statement:
        case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
            return [statement.name]
        case ast.Assign():
            return [target.id for target in statement.targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.ImportFrom():
            return [alias.asname or alias.name for alias in statement.names]
    return []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, anchor in links(page):
        assert target.exists(), target
        assert not anchor or anchor in anchors(target), f"{target.name}#{anchor}"


def test_every_page_is_reached_from_the_readme() -> None:
    pages, reached = set(PAGES), {README}
    while new := {target for page in reached for target, _ in links(page)} & pages - reached:
        reached |= new
    assert reached == pages


def test_every_page_has_a_place_in_the_site() -> None:
    navigation = (ROOT / ".mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    placed = re.findall(r"^ *- ([\w-]+\.md)$", navigation, re.MULTILINE)
    assert sorted(placed) == sorted(page.name for page in PAGES if page != README)


@pytest.mark.parametrize("page", ABOUT_CODE, ids=lambda page: page.name)
def test_what_a_page_names_of_the_code_exists(page: Path) -> None:
    for name in named(page):
        if _FILE.fullmatch(name):
            assert (ROOT / name).exists(), name
        elif _DOTTED.fullmatch(name) and not name.endswith(_NO_PYTHON):
            assert name.removeprefix("sessiontui.") in names(), name


def test_a_name_that_does_not_exist_is_told() -> None:
    assert "storage.sync.StoreSync.mark" in names()
    assert "Backend.fence" in names()
    assert "storage.sync.StoreSync.nothing" not in names()
