"""What the README and docs/ point to is there, and nothing in docs/ is out of reach."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")))
_CODE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


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
