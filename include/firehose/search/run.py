"""Runs a search as the analyst: resolves handles, then asks for posts or counts.

Must not: the grammar, SQL of posts (statements.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from clickhouse_connect.driver.client import Client

from firehose.search import statements
from firehose.search.conditions import Holders, Holding, accounts
from firehose.search.marks import Mark, marks
from firehose.search.matching import Statement
from firehose.search.tree import Query, QueryError
from firehose.warehouse.client import clickhouse_errors

_HOLDERS: Final = "SELECT did, since, until FROM firehose.handles WHERE handle = {handle:String} ORDER BY since"


class Hit(NamedTuple):
    """A post that matches; ``marks`` are the spans of its text that were asked for, from and to in characters."""

    at: datetime
    did: str
    rkey: str
    rev: str
    operation: str
    text: str
    alt_texts: list[str]
    tags: list[str]
    languages: list[str]
    score: float
    marks: list[Mark]

    @property
    def uri(self) -> str:
        """The address of the record."""
        return f"at://{self.did}/app.bsky.feed.post/{self.rkey}"


class Count(NamedTuple):
    """Posts of an hour or day that match, of all that were written in it."""

    start: datetime | date
    posts: int
    of: int
    share: float


def holders(client: Client, query: Query) -> Holders:
    """Who had the handles that a query names, and when.

    Raises:
        QueryError: nothing says who had one of them.
    """
    found: dict[str, list[Holding]] = {}
    for term in accounts(query):
        if term.value.startswith("did:") or term.value in found:
            continue
        with clickhouse_errors():
            rows = client.query(_HOLDERS, parameters={"handle": term.value}, tz_mode="aware").result_rows
        if not rows:
            raise QueryError(
                query.text,
                term.at,
                f"nothing in the lake says who had the handle {term.value}: only accounts whose identity was"
                f" announced since the lake begins are known. Write its DID: {term.name}:did:plc:…",
            )
        found[term.value] = [Holding(*row) for row in rows]
    return found


def notes(known: Holders) -> Iterator[str]:
    """What is not known of the handles that a search resolved."""
    for handle, spans in known.items():
        first = spans[0]
        yield (
            f"{handle} is known as {first.did} since {first.since:%Y-%m-%dT%H:%M:%SZ}; for posts before that write"
            " the DID"
        )


def statement(query: Query, known: Holders, order: str, limit: int) -> Statement:
    """The statement for an order: ``newest``, ``ranked``, ``every form``; ``hour`` and ``day`` count.

    Raises:
        QueryError: posts are to be ranked, but no words are asked for.
    """
    if order in ("hour", "day"):
        return statements.over_time(query, known, order)
    if order == "ranked":
        return statements.ranked(query, known, limit)
    return statements.newest(query, known, limit, _candidates(limit), every_form=order != "newest")


def posts(client: Client, query: Query, known: Holders, order: str, limit: int) -> list[Hit]:
    """The posts that match, by :func:`statement`.

    Raises:
        QueryError: as there.
    """
    if order != "newest":
        return [_hit(row) for row in _rows(client, statement(query, known, order, limit))]
    asked = _candidates(limit)
    rows = _rows(client, statements.newest(query, known, limit, asked, gone_too=True))
    present = [row for row in rows if row["present"]]
    if len(present) < limit and rows and rows[0]["candidates"] >= asked:
        # Too few of the newest matches are still there: all of them are looked at.
        present = _rows(client, statements.newest(query, known, limit, 0))
    return [_hit(row) for row in present]


def over_time(client: Client, query: Query, known: Holders, step: str) -> list[Count]:
    """How many posts match by hour or day in which they were written."""
    asked = statements.over_time(query, known, step)
    with clickhouse_errors():
        rows = client.query(asked.sql, parameters=asked.parameters.values, tz_mode="aware").result_rows
    return [Count(*row) for row in rows]


def _candidates(limit: int) -> int:
    return 2 * limit + 100


def _rows(client: Client, asked: Statement) -> list[dict[str, Any]]:
    with clickhouse_errors():
        answer = client.query(asked.sql, parameters=asked.parameters.values, tz_mode="aware")
        return list(answer.named_results())


def _hit(row: dict[str, Any]) -> Hit:
    values = {name: row[name] for name in Hit._fields if name != "marks"}
    found = marks(row["text"], row["pieces"], row["spelt"], row["asked_words"], row["asked_emoji"])
    return Hit(**values, marks=found)
