"""From a query's text to its tree. Pure functions. Must not: SQL, look anything up."""

from __future__ import annotations

import re
from typing import Any, Final

from firehose.search import filters
from firehose.search.scanner import Piece, scan
from firehose.search.tree import Clause, Filter, Query, QueryError, Term, Text

_EXAMPLE: Final = 'write words, "a phrase", -word or a filter such as from:alice.bsky.social'
#: Longest query, in characters: as many as a post may have, and some filters.
LONGEST: Final = 1000
_MOST_CLAUSES: Final = 50
# Lone surrogates, and control characters but for line ends and tabs: no server takes them as a parameter.
_NO_TEXT: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")
_OPERATORS: Final = {
    "AND": "all words have to match anyway: leave AND out",
    "NOT": "write -word instead of NOT word",
}


def parse(text: str) -> Query:
    """The tree of a query.

    Raises:
        QueryError: it is not in the grammar; its position is that of the character that is wrong.
    """
    if len(text) > LONGEST:
        raise QueryError(text, LONGEST, f"a query has at most {LONGEST} characters: shorten it")
    if strange := _NO_TEXT.search(text):
        raise QueryError(text, strange.start(), "this is not a character of any text: leave it out")
    clauses: list[Clause] = []
    bounds: dict[str, Any] = {}
    before: Piece | None = None
    for piece in scan(text):
        if piece.kind == "or":
            _check_or(text, piece, before)
        elif piece.kind == "filter" and piece.key in filters.BOUNDS:
            _check_bound(text, piece, bounds, before)
            bounds[piece.key] = _bound(text, piece)
        else:
            _add(text, piece, clauses, before)
        before = piece
    if before is None:
        raise QueryError(text, 0, f"the query is empty: {_EXAMPLE}")
    if before.kind == "or":
        raise QueryError(text, before.at, "OR has nothing behind it: write cat OR dog")
    return Query(text, tuple(clauses), **bounds)


def _add(text: str, piece: Piece, clauses: list[Clause], before: Piece | None) -> None:
    if len(clauses) == _MOST_CLAUSES:
        raise QueryError(text, piece.at, f"a query has at most {_MOST_CLAUSES} conditions: leave some out")
    term = _term(text, piece)
    if before is None or before.kind != "or":
        clauses.append(Clause((term,), piece.negated))
    elif piece.negated:
        raise QueryError(text, piece.at, "what is excluded cannot be one side of OR: write it apart")
    else:
        clauses[-1] = Clause((*clauses[-1].terms, term))


def _term(text: str, piece: Piece) -> Term:
    if piece.kind == "filter":
        return Filter(piece.key, _value(text, piece), piece.at)
    if piece.kind == "word" and piece.text in _OPERATORS:
        hint = f"{_OPERATORS[piece.text]}; for the word itself write it in lower case"
        raise QueryError(text, piece.at, hint)
    if not filters.searchable(piece.text):
        raise QueryError(text, piece.at, f"there is nothing here to search for: {_EXAMPLE}")
    return Text(piece.text, piece.at)


def _value(text: str, piece: Piece) -> str:
    check = filters.FILTERS.get(piece.key)
    if check is None:
        raise QueryError(text, piece.at, filters.unknown(piece.key))
    try:
        return check(piece.text)
    except filters.WrongValue as wrong:
        raise QueryError(text, piece.value_at, str(wrong)) from wrong


def _bound(text: str, piece: Piece) -> Any:
    try:
        return filters.instant(piece.text) if piece.key in filters.INSTANTS else filters.count(piece.text)
    except filters.WrongValue as wrong:
        raise QueryError(text, piece.value_at, str(wrong)) from wrong


def _check_bound(text: str, piece: Piece, bounds: dict[str, Any], before: Piece | None) -> None:
    if piece.key in bounds:
        raise QueryError(text, piece.at, f"{piece.key}: is there twice: leave one out")
    if piece.negated:
        raise QueryError(text, piece.at, f"{piece.key}: cannot be excluded: leave out the hyphen")
    if before and before.kind == "or":
        raise QueryError(text, piece.at, f"{piece.key}: holds for the whole query: write it apart from OR")


def _check_or(text: str, piece: Piece, before: Piece | None) -> None:
    if before is None or before.kind == "or" or before.key in filters.BOUNDS:
        raise QueryError(
            text, piece.at, "OR has nothing before it: write cat OR dog; for the word itself write or"
        )
    if before.negated:
        raise QueryError(text, piece.at, "what is excluded cannot be one side of OR: write it apart")
