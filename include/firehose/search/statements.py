"""The statements that answer a query: newest first, ranked, and counted over time. Pure functions.

Must not: run them (run.py).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from firehose.search.conditions import Holders, Parameters, conditions, span, text_condition, tokens
from firehose.search.tree import Query, QueryError
from firehose.warehouse.selects import quoted
from firehose.warehouse.spelling import FUNCTIONS

_COLUMNS: Final = "at, did, rkey, rev, operation, text, alt_texts, tags, languages"
_POST: Final = "concat('at://', did, '/app.bsky.feed.post/', rkey)"
_ORDER: Final = "ORDER BY present DESC, at DESC, did DESC"
_EVERY_FORM: Final = "(SELECT *, 1 AS present FROM found)"
# A post that was never changed has an empty revision here, which is before all others.
_WITH_CHANGES: Final = (
    "(SELECT found.*, changed.changed_rev <= found.rev AS present FROM found LEFT JOIN changed USING (did, rkey))"
)
#: Of the posts that match, how many of the newest are ranked.
RANKED: Final = 10_000
# BM25's usual constants: how soon repeating a word gains no more, and how much a long text counts against it.
_K, _B = 1.2, 0.75


class Statement(NamedTuple):
    """SQL with placeholders, and their values."""

    sql: str
    parameters: Parameters

    @property
    def literal(self) -> str:
        """The statement with its values as literals, for any client."""
        sql = self.sql
        for name, kind in self.parameters.types.items():
            sql = sql.replace(f"{{{name}:{kind}}}", _literal(self.parameters.values[name], kind))
        return sql


def _literal(value: Any, kind: str) -> str:
    if isinstance(value, int):
        return str(value)
    return quoted(value) if kind == "String" else f"CAST({quoted(value)}, {quoted(kind)})"


def newest(
    query: Query,
    holders: Holders,
    limit: int,
    candidates: int,
    *,
    every_form: bool = False,
    gone_too: bool = False,
) -> Statement:
    """The newest posts that match, in their present form; or ``every_form``, also those that are no more.

    ``candidates``: how many of the newest matches are looked at, since some of them are no more; 0: all of them.
    Each row says how many there were; ``gone_too``: where too few are left, rows with ``present`` 0 follow.
    """
    parameters = Parameters()
    found = _found(query, parameters, holders, candidates)
    rows = f"SELECT *, count() OVER () AS candidates FROM {_EVERY_FORM if every_form else _WITH_CHANGES}"
    where = "true" if gone_too else "present"
    return _statement(
        query,
        parameters,
        [f"found AS ({found})", _changed(query, parameters)],
        f"SELECT *, 0 AS score FROM ({rows})\nWHERE {where}\n{_ORDER} LIMIT {limit}",
    )


def ranked(query: Query, holders: Holders, limit: int) -> Statement:
    """The posts of the highest score among the newest that match, in their present form.

    The score is BM25: for each text of the query, how rare it is among all posts of the span (counted by the
    index), times how often the post has it for its length.

    Raises:
        QueryError: no text is asked for, so that all posts would be equal.
    """
    if not query.wanted:
        raise QueryError(query.text, 0, "there are no words to rank posts by: write one, or leave out --rank")
    parameters = Parameters()
    found = _found(query, parameters, holders, RANKED, ", words")
    scores = " + ".join(_score(query, number, parameters) for number in range(len(query.wanted)))
    counts = ", ".join(_frequencies(query, parameters))
    words = "tokens(words, 'icu', 'en')"
    joined = "arrayStringConcat(arrayMap(w -> concat(' ', w, ' '), tokens_of_post))"
    rows = f"SELECT *, count() OVER () AS candidates, {words} AS tokens_of_post FROM {_WITH_CHANGES}"
    scored = (
        f"SELECT *, avg(length(tokens_of_post)) OVER () AS usual_length, {joined} AS joined_tokens\n"
        f"FROM ({rows}) WHERE present"
    )
    return _statement(
        query,
        parameters,
        [counts, f"found AS ({found})", _changed(query, parameters)],
        f"SELECT *, {scores} AS score FROM ({scored})\nORDER BY score DESC, at DESC, did DESC LIMIT {limit}",
    )


def over_time(query: Query, holders: Holders, step: str) -> Statement:
    """Matching posts by the hour or day in which they were written, beside all posts; deleted ones count as well.

    ``step``: ``hour`` or ``day``.
    """
    parameters = Parameters()
    made = " AND ".join(["operation = 'create'", *span(query, parameters)])
    matching = " AND ".join(
        ["operation = 'create'", *conditions(query, parameters, holders), *_liked(query, parameters, holders)]
    )
    counted = f"SELECT {step}, count() AS posts FROM firehose.post_texts WHERE"
    sql = (
        f"WITH\n{FUNCTIONS},\n"
        f"matching AS ({counted} {matching} GROUP BY {step}),\n"
        f"all_posts AS ({counted} {made} GROUP BY {step})\n"
        f"SELECT {step}, matching.posts AS posts, all_posts.posts AS of, round(posts / of, 6) AS share\n"
        f"FROM all_posts LEFT JOIN matching USING ({step})\nORDER BY {step}"
    )
    return Statement(sql, parameters)


def _statement(query: Query, parameters: Parameters, tables: list[str], select: str) -> Statement:
    """A statement for posts, each with what is needed to mark in its text what was asked for."""
    asked = [parameters.bind(term.text) for term in query.wanted]
    words = f"CAST([{', '.join(tokens(each) for each in asked)}], 'Array(Array(String))')"
    emoji = f"CAST([{', '.join(f'emoji_of({each})' for each in asked)}], 'Array(Array(String))')"
    marks = (
        "tokens(text, 'icu', 'en') AS pieces, arrayMap(piece -> in_one_spelling(piece), pieces) AS spelt,\n"
        f"    {words} AS asked_words,\n    arrayDistinct(arrayFlatten({emoji})) AS asked_emoji"
    )
    columns = f"{_COLUMNS}, score, present, candidates"
    with_tables = ",\n".join([FUNCTIONS, *tables])
    return Statement(f"WITH\n{with_tables}\nSELECT {columns},\n    {marks}\nFROM\n({select})", parameters)


def _found(query: Query, parameters: Parameters, holders: Holders, candidates: int, more: str = "") -> str:
    """The newest matches. In the order of the table, so that the engine stops once it has enough of them."""
    where = [*conditions(query, parameters, holders), *_liked(query, parameters, holders)] or ["true"]
    limit = f"\n    LIMIT {candidates}" if candidates else ""
    return (
        f"SELECT {_COLUMNS}{more} FROM firehose.post_texts\n    WHERE {_lines(where)}\n"
        f"    ORDER BY hour DESC, at DESC, did DESC{limit}"
    )


def _lines(where: list[str]) -> str:
    return "\n        AND ".join(where)


def _changed(query: Query, parameters: Parameters) -> str:
    """For each post found that was edited or deleted, the last revision that did."""
    before = f" AND at < {parameters.instant(query.as_of)}" if query.as_of else ""
    return (
        "changed AS (SELECT did, rkey, max(rev) AS changed_rev FROM firehose.post_changes\n"
        f"    WHERE rkey IN (SELECT rkey FROM found){before} GROUP BY did, rkey)"
    )


def _liked(query: Query, parameters: Parameters, holders: Holders) -> list[str]:
    """The condition on likes, which are summed for the posts that match otherwise."""
    if not query.min_likes:
        return []
    where = conditions(query, parameters, holders) or ["true"]
    hours = []
    if query.since:
        hours.append(f"day >= toDate({parameters.instant(query.since)})")
    if query.as_of:  # whole hours only
        hours.append(f"hour < toStartOfHour({parameters.instant(query.as_of)})")
    matching = f"SELECT {_POST} FROM firehose.post_texts WHERE {' AND '.join(where)}"
    counted = " AND ".join([*hours, f"uri IN ({matching})"])
    least = parameters.bind(query.min_likes, "Int64")
    return [
        f"{_POST} IN (SELECT uri FROM firehose.engagement_by_hour WHERE {counted}"
        f" GROUP BY uri HAVING sum(likes) >= {least})"
    ]


def _frequencies(query: Query, parameters: Parameters) -> list[str]:
    """How many posts there are in the span, and how many have each text."""
    within = span(query, parameters)
    counts = [f"(SELECT count() FROM firehose.post_texts WHERE {' AND '.join(within) or 'true'}) AS posts_in_all"]
    for number, term in enumerate(query.wanted):
        where = " AND ".join([*within, text_condition(term.text, parameters)])
        counts.append(f"(SELECT count() FROM firehose.post_texts WHERE {where}) AS posts_with_{number}")
    return counts


def _score(query: Query, number: int, parameters: Parameters) -> str:
    asked = tokens(parameters.bind(query.wanted[number].text))
    # Each word between blanks of its own, so that a phrase is found once wherever it is.
    times = f"countSubstrings(joined_tokens, concat(' ', arrayStringConcat({asked}, '  '), ' '))"
    rarity = f"log(1 + (posts_in_all - posts_with_{number} + 0.5) / (posts_with_{number} + 0.5))"
    length = f"{_K} * ({1 - _B} + {_B} * length(tokens_of_post) / usual_length)"
    return f"if(empty({asked}), 0, {rarity} * {times} * {_K + 1} / ({times} + {length}))"
