"""A query as a tree, and the error that points into its text. Must not: parse, SQL."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import NamedTuple, TypeAlias

from firehose.errors import FirehoseError


class QueryError(FirehoseError):
    """A query that cannot be understood: which character of it, and what to write instead."""

    def __init__(self, query: str, position: int, message: str) -> None:
        super().__init__(f"search: character {position + 1}: {message}")
        self.query = query
        self.position = position

    @property
    def pointed(self) -> str:
        """The query, and below it a caret under the character; for a terminal, in which some take two columns."""
        shown = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp", "Cs") else c for c in self.query)
        return f"{shown}\n{' ' * sum(map(_columns, shown[: self.position]))}^"


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class Text(NamedTuple):
    """Words to find next to each other in this order, with all emoji that are among them. ``at``: its position."""

    text: str
    at: int


class Filter(NamedTuple):
    """A condition on something other than the text; ``name`` is one of ``filters.NAMES``."""

    name: str
    value: str
    at: int


Term: TypeAlias = Text | Filter


class Clause(NamedTuple):
    """Terms of which one must hold; where ``negated``, the single one must not."""

    terms: tuple[Term, ...]
    negated: bool = False


class Query(NamedTuple):
    """All clauses must hold. Posts are those seen from ``since`` on and before ``until``.

    ``as_of``: nothing that happened then or later counts, be it a post, an edit, a deletion or a like. ``after``:
    only what follows a post (when it was seen, and by whom it is) in the order of newest first.
    """

    text: str
    clauses: tuple[Clause, ...]
    since: datetime | None = None
    until: datetime | None = None
    as_of: datetime | None = None
    min_likes: int = 0
    after: tuple[datetime, str] | None = None

    @property
    def terms(self) -> list[Term]:
        """All terms, also negated ones."""
        return [term for clause in self.clauses for term in clause.terms]

    @property
    def wanted(self) -> list[Text]:
        """The texts that a post may be found by."""
        found = (term for clause in self.clauses if not clause.negated for term in clause.terms)
        return [term for term in found if isinstance(term, Text)]
