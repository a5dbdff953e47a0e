"""Cuts a query into pieces: words, phrases, filters, OR. Pure functions.

Must not: know what a filter's value may be (filters.py), or what may follow what (parser.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from firehose.search.tree import QueryError

#: What people and keyboards write for a double quote; each closes what any of them opened.
QUOTES: Final = '"“”„‟«»\uff02'
_HASHES: Final = "#\uff03"
_SPACE: Final = re.compile(r"\s*")
_WORD: Final = re.compile(r"\S+")
_KEY: Final = re.compile(r"([A-Za-z_]+):(?=\S)")
_ADDRESS: Final = re.compile(r"[A-Za-z]+://")
_CLOSING: Final = re.compile(f"[{QUOTES}]")

Kind = Literal["word", "phrase", "filter", "or"]


class Piece(NamedTuple):
    """A part of the query. A filter's ``key`` is its name in lower case; at ``value_at`` its value begins."""

    kind: Kind
    text: str
    at: int
    negated: bool = False
    key: str = ""
    value_at: int = 0


def scan(query: str) -> Iterator[Piece]:
    """The pieces of a query in order.

    Raises:
        QueryError: a quote is not closed or runs into the next word, or a hyphen stands alone.
    """
    at = _after_space(query, 0)
    while at < len(query):
        piece, end = _piece(query, at)
        yield piece
        at = _after_space(query, end)


def _after_space(query: str, at: int) -> int:
    found = _SPACE.match(query, at)
    return found.end() if found else at


def _piece(query: str, at: int) -> tuple[Piece, int]:
    negated = query[at] == "-"
    begin = at + negated
    if negated and (begin == len(query) or query[begin] == "-" or query[begin].isspace()):
        raise QueryError(query, at, 'one hyphen excludes what follows it: write -word, -"phrase" or -from:name')
    if query[begin] in QUOTES:
        text, end = _quoted(query, begin)
        return Piece("phrase", text, begin + 1, negated), end
    word = _WORD.match(query, begin)
    text = word[0] if word else ""
    if text == "OR" and not negated:
        return Piece("or", text, at), begin + len(text)
    if text[0] in _HASHES and len(text) > 1:
        return Piece("filter", text[1:], at, negated, "tag", begin + 1), begin + len(text)
    if (key := _KEY.match(query, begin)) and not _ADDRESS.match(query, begin):
        value, end = _value(query, key.end())
        return Piece("filter", value, begin, negated, key[1].lower(), key.end()), end
    return Piece("word", text, begin, negated), begin + len(text)


def _value(query: str, at: int) -> tuple[str, int]:
    if query[at] in QUOTES:
        return _quoted(query, at)
    word = _WORD.match(query, at)
    text = word[0] if word else ""
    return text, at + len(text)


def _quoted(query: str, at: int) -> tuple[str, int]:
    """The text between the quote at ``at`` and the next one, and where the query goes on."""
    closing = _CLOSING.search(query, at + 1)
    if closing is None:
        raise QueryError(query, at, 'this quote is not closed: write another " after the phrase')
    end = closing.end()
    if end < len(query) and not query[end].isspace():
        raise QueryError(query, end, "a space has to follow the closing quote")
    return query[at + 1 : closing.start()], end
