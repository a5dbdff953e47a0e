"""The statements that answer a query: newest first, ranked, and counted over time. Pure functions.

Must not: run them (run.py).
"""

from __future__ import annotations

from typing import Final

from firehose.search.conditions import Holders, Parameters, conditions, span, text_condition, tokens
from firehose.search.matching import EVERY_FORM, WITH_CHANGES, Statement, changed, found, liked, statement
from firehose.search.tree import Query, QueryError
from firehose.warehouse.spelling import FUNCTIONS

_ORDER: Final = "ORDER BY present DESC, at DESC, did DESC"
#: Of the posts that match, how many of the newest are ranked.
RANKED: Final = 10_000
# BM25's usual constants: how soon repeating a word gains no more, and how much a long text counts against it.
_K, _B = 1.2, 0.75


def newest(
    query: Query,
    holders: Holders,
    limit: int,
    candidates: int,
    *,
    every_form: bool = False,
    gone_too: bool = False,
) -> Statement:
    """The newest posts that match, in their present form; or ``every_form``, also former ones.

    ``candidates``: how many of the newest matches are looked at, since some were edited or deleted; 0: all.
    Each row says how many there were; ``gone_too``: where too few are left, rows with ``present`` 0 follow.
    """
    parameters = Parameters()
    candidate = found(query, parameters, holders, candidates)
    rows = f"SELECT *, count() OVER () AS candidates FROM {EVERY_FORM if every_form else WITH_CHANGES}"
    where = "true" if gone_too else "present"
    return statement(
        query,
        parameters,
        [f"found AS ({candidate})", changed(query, parameters)],
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
    candidate = found(query, parameters, holders, RANKED, ", words")
    scores = " + ".join(_score(query, number, parameters) for number in range(len(query.wanted)))
    counts = ", ".join(_frequencies(query, parameters))
    words = "tokens(words, 'icu', 'en')"
    joined = "arrayStringConcat(arrayMap(w -> concat(' ', w, ' '), tokens_of_post))"
    rows = f"SELECT *, count() OVER () AS candidates, {words} AS tokens_of_post FROM {WITH_CHANGES}"
    scored = (
        f"SELECT *, avg(length(tokens_of_post)) OVER () AS usual_length, {joined} AS joined_tokens\n"
        f"FROM ({rows}) WHERE present"
    )
    return statement(
        query,
        parameters,
        [counts, f"found AS ({candidate})", changed(query, parameters)],
        f"SELECT *, {scores} AS score FROM ({scored})\nORDER BY score DESC, at DESC, did DESC LIMIT {limit}",
    )


def over_time(query: Query, holders: Holders, step: str) -> Statement:
    """Matching posts by the hour or day in which they were written, beside all posts; deleted ones count as well.

    ``step``: ``hour`` or ``day``.
    """
    parameters = Parameters()
    made = " AND ".join(["operation = 'create'", *span(query, parameters)])
    matching = " AND ".join(
        ["operation = 'create'", *conditions(query, parameters, holders), *liked(query, parameters, holders)]
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
