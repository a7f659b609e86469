"""Whatever happens in whatever order, the lines are those of a list made from nothing."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sessiontui.catalog.catalog import Catalog
from sessiontui.catalog.row import NO_TAIL, GroupLine, Row, RowLine, SessionTail
from sessiontui.catalog.sorting import SORTS, Sort

HOME = "/home/me"
IDS = ("a", "b", "c", "d", "e")
PATHS = tuple(
    path
    for folder in ("/s/one", "/s/two")
    for name in IDS
    for path in (
        f"{folder}/2026_{name}.jsonl",
        f"{folder}/2026_{name}/agent.jsonl",
        f"{folder}/2026_{name}/agent/agent.child.jsonl",
    )
)
LOST = "/s/one/2026-01-01T00-00-00-000Z_gone/agent.jsonl"
PATHS = (*PATHS, LOST)
QUERIES = ("", "o", "on", "on a", "two", "zz", "is:pinned", "is:empty,fork", "-two", "size:>1 o")
CWDS = ("/home/me/one", "/home/me/two", None)
PARENTS = (None, *IDS, *PATHS[::3], "unknown", "/elsewhere/2026_a.jsonl")


@st.composite
def rows(draw: st.DrawFn) -> Row:
    path = draw(st.sampled_from(PATHS))
    read = draw(st.booleans())
    return Row(
        path=path,
        size=draw(st.integers(0, 3)),
        mtime_ms=draw(st.integers(1, 5)),
        read=read,
        id=draw(st.sampled_from((None, *IDS))) if read else None,
        title=draw(st.sampled_from(("", "one", "Two", "\u00e4", "two"))) if read else "",
        cwd=draw(st.sampled_from(CWDS)) if read else None,
        created_ms=draw(st.sampled_from((None, 1, 2))) if read else None,
        parent=draw(st.sampled_from(PARENTS)) if read else None,
        tail=draw(st.sampled_from((NO_TAIL, SessionTail(ending="answer")))) if read else NO_TAIL,
        agent=draw(st.sampled_from(("omp", "unknown"))),
        title_source=draw(st.sampled_from((None, "user"))) if read else None,
    )


class Changes(RuleBasedStateMachine):
    """Random changes of a catalog, each compared with one made from nothing."""

    @initialize(sort=st.sampled_from(SORTS), reverse=st.booleans(), flat=st.booleans())
    def begin(self, sort: Sort, reverse: bool, flat: bool) -> None:
        self.catalog = Catalog(home=HOME, sort=sort, reverse=reverse, flat=flat)
        self.folds: list[tuple[str, bool | None]] = []
        self.query = ""

    @rule(new=st.lists(rows(), max_size=6))
    def upsert(self, new: list[Row]) -> None:
        self.catalog.upsert(new)

    @rule(gone=st.lists(st.sampled_from(PATHS), max_size=4))
    def remove(self, gone: list[str]) -> None:
        self.catalog.remove(gone)

    @rule(old=st.sampled_from(PATHS), row=rows())
    def rename(self, old: str, row: Row) -> None:
        self.catalog.rename(old, row)

    @rule(sort=st.sampled_from(SORTS), reverse=st.booleans())
    def order(self, sort: Sort, reverse: bool) -> None:
        self.catalog.order_by(sort, reverse=reverse)

    @rule(flat=st.booleans())
    def flatten(self, flat: bool) -> None:
        self.catalog.set_flat(flat)

    @rule(best_first=st.booleans())
    def rank(self, best_first: bool) -> None:
        self.catalog.rank(best_first=best_first)

    @rule(path=st.sampled_from(PATHS), pinned=st.booleans())
    def pin(self, path: str, pinned: bool) -> None:
        self.catalog.pin([path], pinned=pinned)

    @rule(shown=st.booleans())
    def empty_ones(self, shown: bool) -> None:
        self.catalog.show_empty(shown)

    @rule(path=st.sampled_from(PATHS), opened=st.sampled_from((True, False, None)))
    def fold(self, path: str, opened: bool | None) -> None:
        self.catalog.fold_session(path, opened=opened)

    @rule(index=st.integers(0, 3), closed=st.booleans())
    def fold_group(self, index: int, closed: bool) -> None:
        lines = [line for line in self.everything() if isinstance(line, GroupLine)]
        if lines:
            self.catalog.fold_group(lines[index % len(lines)].key, closed=closed)

    @rule(query=st.sampled_from(QUERIES))
    def search(self, query: str) -> None:
        self.catalog.filter(query)

    def everything(self) -> list[GroupLine | RowLine]:
        return self.catalog.lines(0, self.catalog.height + 5)

    @invariant()
    def lines_are_those_of_a_new_catalog(self) -> None:
        known = self.catalog
        lines = self.everything()
        new = Catalog(home=HOME, sort=known.sort, reverse=known.reverse, flat=known.flat)
        new._projects._agreed = dict(known._projects._agreed)
        new._folds.groups = set(known._folds.groups)
        new._folds.sessions = dict(known._folds.sessions)
        new.pin(known.pins, pinned=True)
        new.show_empty(known.shows_empty)
        new.rank(best_first=known._search.best_first)
        new.upsert(sorted(known.rows.values(), key=lambda row: row.path))
        if known.query is not None:
            new.filter(known.query.text)
            assert new._search.found is not None
            assert known._search.found is not None
            for key in known._search.found.folds.groups:
                new.fold_group(key, closed=True)
        assert new.lines(0, new.height) == lines
        assert known.height == len(lines)
        assert known.totals == new.totals
        assert known.shown == new.shown

    @invariant()
    def every_line_is_found_where_it_is(self) -> None:
        for y, line in enumerate(self.everything()):
            assert self.catalog.line(y) == line
            if isinstance(line, GroupLine):
                assert self.catalog.line_of_group(line.key) == y
            else:
                assert self.catalog.line_of(line.key) == y
                assert line.row is self.catalog.rows[line.key]

    @invariant()
    def no_session_is_lost(self) -> None:
        if self.catalog.query is not None:
            return
        hidden = self.catalog._special.hidden
        assert len(hidden) == (0 if self.catalog.shows_empty else self.catalog.empty)
        for path in self.catalog.rows:
            assert (self.catalog.group_of(path) is None) is (path in hidden)
            top = path
            for _ in range(10):
                parent = self.catalog.parent_of(top)
                if parent is None:
                    break
                assert top in self.catalog.children_of(parent)
                top = parent
            assert self.catalog.parent_of(top) is None


TestChanges = Changes.TestCase
TestChanges.settings = settings(
    max_examples=60,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
