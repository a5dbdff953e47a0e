"""The parts of a statement for posts: those that match, what became of them, their likes, and what marks need.

Must not: decide what is asked for (statements.py), the condition of a term (conditions.py).
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from firehose.search.conditions import Holders, Parameters, conditions, tokens
from firehose.search.tree import Query
from firehose.warehouse import event_rows
from firehose.warehouse.selects import quoted
from firehose.warehouse.spelling import FUNCTIONS

_COLUMNS: Final = "at, did, rkey, rev, operation, text, alt_texts, tags, languages"
_NUMBERS: Final = f"{event_rows.account('did')}, {event_rows.key('rkey')}"
EVERY_FORM: Final = "(SELECT *, 1 AS present FROM found)"
# A post that was never changed has an empty revision here, which is before all others.
WITH_CHANGES: Final = (
    "(SELECT found.*, changed.changed_rev <= found.rev AS present FROM found LEFT JOIN changed USING (did, rkey))"
)
_PLACEHOLDER: Final = re.compile("[{](p[0-9]+):[^}]*[}]")


class Statement(NamedTuple):
    """SQL with placeholders, and their values."""

    sql: str
    parameters: Parameters

    @property
    def literal(self) -> str:
        """The statement with its values as literals, for any client."""
        values, types = self.parameters.values, self.parameters.types
        # In one pass: a value may look like a placeholder.
        return _PLACEHOLDER.sub(lambda found: _literal(values[found[1]], types[found[1]]), self.sql)


def _literal(value: Any, kind: str) -> str:
    if isinstance(value, int):
        return str(value)
    return quoted(value) if kind == "String" else f"CAST({quoted(value)}, {quoted(kind)})"


def statement(query: Query, parameters: Parameters, tables: list[str], select: str) -> Statement:
    """A statement for posts, each with what is needed to mark in its text what was asked for."""
    asked = [parameters.bind(term.text) for term in query.wanted]
    pictured = [parameters.bind(term.text) for term in query.wanted if not term.text.isascii()]
    words = f"CAST([{', '.join(tokens(each) for each in asked)}], 'Array(Array(String))')"
    emoji = f"CAST([{', '.join(f'emoji_of({each})' for each in pictured)}], 'Array(Array(String))')"
    marks = (
        "tokens(text, 'icu', 'en') AS pieces, arrayMap(piece -> in_one_spelling(piece), pieces) AS spelt,\n"
        f"    {words} AS asked_words,\n    arrayDistinct(arrayFlatten({emoji})) AS asked_emoji"
    )
    columns = f"{_COLUMNS}, score, present, candidates"
    with_tables = ",\n".join([FUNCTIONS, *tables])
    return Statement(f"WITH\n{with_tables}\nSELECT {columns},\n    {marks}\nFROM\n({select})", parameters)


def found(query: Query, parameters: Parameters, holders: Holders, candidates: int, more: str = "") -> str:
    """The newest matches. In the order of the table, so that the engine stops once it has enough of them."""
    where = [*conditions(query, parameters, holders), *liked(query, parameters, holders)] or ["true"]
    limit = f"\n    LIMIT {candidates}" if candidates else ""
    return (
        f"SELECT {_COLUMNS}{more} FROM firehose.post_texts\n    WHERE {_lines(where)}\n"
        f"    ORDER BY hour DESC, at DESC, did DESC{limit}"
    )


def _lines(where: list[str]) -> str:
    return "\n        AND ".join(where)


def changed(query: Query, parameters: Parameters) -> str:
    """For each post found that was edited or deleted, the last revision that did."""
    before = f" AND at < {parameters.instant(query.as_of)}" if query.as_of else ""
    return (
        "changed AS (SELECT did, rkey, max(rev) AS changed_rev FROM firehose.post_changes\n"
        f"    WHERE rkey IN (SELECT rkey FROM found){before} GROUP BY did, rkey)"
    )


def liked(query: Query, parameters: Parameters, holders: Holders) -> list[str]:
    """The condition on likes, which are summed for the posts that match otherwise."""
    if not query.min_likes:
        return []
    where = conditions(query, parameters, holders) or ["true"]
    hours = []
    if query.since:
        hours.append(f"day >= toDate({parameters.instant(query.since)})")
    if query.as_of:  # whole hours only
        hours.append(f"hour < toStartOfHour({parameters.instant(query.as_of)})")
    matching = f"SELECT {_NUMBERS} FROM firehose.post_texts WHERE {' AND '.join(where)}"
    counted = " AND ".join(["kind = 'like'", *hours, f"(account, record) IN ({matching})"])
    least = parameters.bind(query.min_likes, "Int64")
    return [
        f"({_NUMBERS}) IN (SELECT account, record FROM ops.engagement_by_hour WHERE {counted}"
        f" GROUP BY account, record HAVING toInt64(sum(made)) - toInt64(sum(undone)) >= {least})"
    ]
