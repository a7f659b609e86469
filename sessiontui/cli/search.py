"""`sessiontui search`: text in all sessions."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import click
from rich.cells import cell_len

from sessiontui.app.format import age, cut_end, cut_middle, snippet, speaker
from sessiontui.catalog.projects import home_relative
from sessiontui.catalog.sorting import file_name, shown_title
from sessiontui.cli.output import Output
from sessiontui.cli.root import (
    Count,
    cli,
    source_options,
    source_options_of,
)
from sessiontui.cli.runner import with_workspace
from sessiontui.paths import index_dir
from sessiontui.search.session_search import SessionMatch
from sessiontui.text import clean
from sessiontui.times import iso_time
from sessiontui.transcript.search import RegexQuery, parse_search_terms
from sessiontui.workspace import SessionIndex

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sessiontui.catalog.row import Row
    from sessiontui.transcript.search import TextMatch, TextQuery
    from sessiontui.workspace import Workspace

_NOTHING_FOUND = 1
_WHO_WIDTH = 10
_LEAST_TITLE = 20


@cli.command("search")
@source_options
@click.option("--json", "as_json", is_flag=True, help="One array of objects.")
@click.option("--limit", type=Count(), metavar="N", help="Maximum number of matches.")
@click.option("--regex", is_flag=True, help="Treat WORD as a regular expression.")
@click.argument("words", nargs=-1, required=True, metavar="WORD…")
@click.pass_context
def search_command(
    context: click.Context, words: tuple[str, ...], *, as_json: bool, limit: int | None, regex: bool
) -> None:
    """Find what the user, the agent or a tool said, in any session.

    Every word must be in one message; a quoted one with blanks in it must be there
    as it is. Case does not matter. The newest session comes first, and what is found
    is written at once. Exits with 1 where nothing is found.

    In a pipe: a line a place, with tabs between id, offset in bytes, who said it and
    the line.

    \b
    Examples:
      sessiontui search flaky retry
      sessiontui search "connection refused" redis
      sessiontui search --regex "time(d )?out" --limit 20
    """
    wanted = parse_query(words, regex=regex)
    with_workspace(
        source_options_of(context),
        lambda workspace: search_sessions(workspace, wanted, limit=limit, as_json=as_json),
        library=SessionIndex(index_dir(), keep=False),
    )


def parse_query(terms: Sequence[str], *, regex: bool) -> TextQuery:
    """Return what is looked for.

    Raises:
        click.UsageError: It is nothing, or no pattern.
    """
    try:
        if regex:
            wanted: TextQuery = RegexQuery(" ".join(terms))
        else:
            wanted = parse_search_terms(" ".join(_term(term) for term in terms))
    except ValueError as error:
        raise click.UsageError(f"no pattern: {error}") from error
    if not wanted:
        raise click.UsageError("nothing to search for")
    return wanted


def _term(term: str) -> str:
    """Return a word as it is typed where words are not apart: with blanks in it, in quotes."""
    plain = term.isspace() or not any(char.isspace() for char in term) or '"' in term
    return term if plain or term.startswith("re:") else f'"{term}"'


async def search_sessions(
    workspace: Workspace, wanted: TextQuery, *, limit: int | None, as_json: bool
) -> int:
    """Write where something was said, newest sessions first, as it is found.

    Args:
        workspace: Where the sessions are.
        wanted: What to look for.
        limit: How many places at most; None for all.
        as_json: One array of objects instead of lines.

    Returns:
        The exit code: 1 where nothing was found.

    Raises:
        TooSlowError: The pattern takes too long.
    """
    output = Output()
    count = 0
    if as_json:
        with output.json_items() as write:
            async for row, hit in _found(output, workspace, wanted, limit):
                count += 1
                write(_facts(workspace, row, hit))
    else:
        last = None
        async for row, hit in _found(output, workspace, wanted, limit):
            count += 1
            if not output.terminal:
                _write_fields(output, row, hit)
                continue
            if row.path != last:
                _write_session(output, workspace, row, first=last is None)
                last = row.path
            _write_hit(output, wanted, hit)
    return 0 if count else _NOTHING_FOUND


async def _found(
    output: Output, workspace: Workspace, wanted: TextQuery, limit: int | None
) -> AsyncIterator[tuple[Row, TextMatch]]:
    """Yield what is found with its session; sees that what was written is read soon."""
    left = limit
    async with aclosing(workspace.library.search(wanted)) as results:
        async for item in results:
            if left == 0:
                return
            if not isinstance(item, SessionMatch):
                output.flush()
                continue
            rows = await workspace.read_rows([item.path])
            if rows:
                left = None if left is None else left - 1
                yield rows[0], item.hit


def _facts(workspace: Workspace, row: Row, hit: TextMatch) -> dict[str, Any]:
    """Return what `--json` tells of a place."""
    return {
        "path": row.path,
        "id": row.id,
        "title": row.title,
        "project": workspace.catalog.project(row),
        "mtime_ms": row.mtime_ms,
        "offset": hit.offset,
        "block": hit.block,
        "kind": hit.kind,
        "time": None if hit.time_ms is None else iso_time(hit.time_ms),
        "text": hit.text,
    }


def _write_fields(output: Output, row: Row, hit: TextMatch) -> None:
    """Write a line for programs, with tabs between the fields."""
    fields = (clean(row.id or row.path), str(hit.offset), speaker(hit), hit.text)
    output.line("\t".join(fields))


def _write_session(output: Output, workspace: Workspace, row: Row, *, first: bool) -> None:
    """Write the line above the places of a session: its id whole, the rest as it fits."""
    if not first:
        output.line()
    project = clean(home_relative(workspace.catalog.project(row), workspace.home))
    project = cut_middle(project, max(_LEAST_TITLE, output.width // 4))
    session_id = clean(row.id or file_name(row.path))
    told = f"{project} · {age(row.mtime_ms, workspace.clock())} · {session_id}"
    title = cut_end(clean(shown_title(row)), max(_LEAST_TITLE, output.width - cell_len(told) - 2))
    output.line(f"{output.style(title, bold=True)}  {output.style(told, tone='past')}")


def _write_hit(output: Output, wanted: TextQuery, hit: TextMatch) -> None:
    """Write the line with what was found lit."""
    who = cut_end(speaker(hit), _WHO_WIDTH)
    text, spans = snippet(hit, wanted, max(_LEAST_TITLE, output.width - _WHO_WIDTH - 4))
    pieces, at = [], 0
    for start, end in spans:
        pieces += [text[at:start], output.style(text[start:end], tone="attention", bold=True)]
        at = end
    pad = " " * (_WHO_WIDTH - cell_len(who))
    output.line(f"  {output.style(who, tone='past')}{pad}  {''.join(pieces)}{text[at:]}")
