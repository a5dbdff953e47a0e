"""``firehose search``: posts by their text, in the terminal or as JSON; or how many there are over time.

Lives here: options, printing. Must not: the grammar, SQL (firehose.search).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from firehose_cli.console import harmless

if TYPE_CHECKING:
    from rich.text import Text

    from firehose.search.run import Count, Hit

_MARKED: Final = "bold reverse"


class Order(StrEnum):
    """Which of the posts that match are printed, and how."""

    NEWEST = "newest"
    RANKED = "ranked"
    EVERY_FORM = "every form"
    HOUR = "hour"
    DAY = "day"


class Step(StrEnum):
    """What is counted together."""

    HOUR = "hour"
    DAY = "day"


class Form(StrEnum):
    """How the answer is printed."""

    TEXT = "text"
    JSON = "json"


def search(
    query: Annotated[
        str, typer.Argument(help="Such as: 'coffee \"flat white\" -decaf from:alice.bsky.social since:2026-11-23'")
    ],
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The most posts to print.")] = 20,
    rank: Annotated[bool, typer.Option("--rank", help="The best first instead of the newest.")] = False,
    every_form: Annotated[
        bool, typer.Option("--every-form", help="Also what was deleted, and what posts said before an edit.")
    ] = False,
    count_by: Annotated[Step | None, typer.Option(help="How many posts by hour or day, instead of posts.")] = None,
    form: Annotated[
        Form, typer.Option("--format", help="json: an object a line, with the places of marks.")
    ] = Form.TEXT,
    sql: Annotated[
        bool, typer.Option("--sql", help="Print the statement, for any client; do not run it.")
    ] = False,
) -> None:
    """Search the texts of posts: newest first, what was asked for marked.

    Words in any script, "phrases", -word, OR, #tag, from: to: mentions: domain: lang: has: alt: since: until:
    min_likes: as_of: (docs/search.md).
    """
    from firehose import settings
    from firehose.search import run
    from firehose.search.parser import parse
    from firehose.search.tree import QueryError
    from firehose.warehouse.client import connect

    order = _order(rank, every_form, count_by)
    began = time.monotonic()
    try:
        asked = parse(query)
        client = connect(settings.load(), "analyst")
        try:
            known = run.holders(client, asked)
            for note in run.notes(known):
                _say(note)
            if sql:
                typer.echo(run.statement(asked, known, order, limit).literal)
            elif order in (Order.HOUR, Order.DAY):
                _counts(run.over_time(client, asked, known, order), form)
            else:
                _posts(run.posts(client, asked, known, order, limit), form, began)
        finally:
            client.close()
    except QueryError as error:
        _say(error.pointed)
        raise


def _order(rank: bool, every_form: bool, count_by: Step | None) -> Order:
    from firehose.errors import FirehoseError

    chosen = [Order.RANKED] * rank + [Order.EVERY_FORM] * every_form + ([Order(count_by)] if count_by else [])
    if len(chosen) > 1:
        raise FirehoseError("--rank, --every-form and --count-by exclude each other: leave all but one out")
    return chosen[0] if chosen else Order.NEWEST


def _say(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201 - a command


def _posts(hits: Sequence[Hit], form: Form, began: float) -> None:
    from firehose_cli.console import stdout

    for hit in hits:
        if form is Form.JSON:
            _json(hit._asdict() | {"uri": hit.uri})
            continue
        console = stdout()
        where = f"https://bsky.app/profile/{hit.did}/post/{hit.rkey}"
        edited = " (edited)" if hit.operation == "update" else ""
        console.print(f"{hit.at:%Y-%m-%d %H:%M:%S}  {where}{edited}", style="dim")
        console.print(_marked(hit))
        for alt in filter(None, hit.alt_texts):
            console.print(f"  [image: {harmless(alt)}]", style="dim")
        console.print()
    _say(f"{len(hits)} post{'' if len(hits) == 1 else 's'} in {time.monotonic() - began:.2f} s")


def _marked(hit: Hit) -> Text:
    from rich.text import Text

    text = Text(harmless(hit.text))
    for begin, end in hit.marks:
        text.stylize(_MARKED, begin, end)
    return text


def _counts(counts: Sequence[Count], form: Form) -> None:
    from rich.table import Table

    from firehose_cli.console import stdout

    if form is Form.JSON:
        for count in counts:
            _json(count._asdict())
        return
    table = Table("from", "posts", "of", "share", box=None)
    for count in counts:
        table.add_row(f"{count.start:%Y-%m-%d %H:%M}", f"{count.posts:,}", f"{count.of:,}", f"{count.share:.4%}")
    stdout().print(table)


def _json(value: dict[str, Any]) -> None:
    import msgspec

    typer.echo(msgspec.json.encode(value))
