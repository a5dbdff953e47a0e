"""The condition in SQL of each term, with its values as bound parameters. Pure functions.

Must not: whole statements (statements.py), values in the text of the SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from firehose.search.tree import Clause, Filter, Query, Term, Text

_INSTANT: Final = "DateTime64(6, 'UTC')"
_TOKENIZER: Final = "'icu', 'en'"
#: The column of each value of ``has:``.
FLAGS: Final = {
    "alt": "has_alt",
    "image": "has_images",
    "video": "has_video",
    "gif": "has_gif",
    "link": "has_link",
    "quote": "has_quote",
    "reply": "is_reply",
}
_ACCOUNTS: Final = {"from": "did = {}", "to": "parent_did = {}", "mentions": "has(mentions, {})"}


class Holding(NamedTuple):
    """The span in which an account had a handle; ``until`` is None where it has it still."""

    did: str
    since: datetime
    until: datetime | None


#: Who had a handle, by handle.
Holders = Mapping[str, list[Holding]]


class Parameters:
    """The values of a statement: each is bound under a name of its own, the same value once."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.types: dict[str, str] = {}
        self._names: dict[tuple[str, Any], str] = {}

    def bind(self, value: Any, kind: str = "String") -> str:
        """The placeholder for a value of a ClickHouse type."""
        name = self._names.setdefault((kind, value), f"p{len(self._names)}")
        self.values[name], self.types[name] = value, kind
        return f"{{{name}:{kind}}}"

    def instant(self, at: datetime) -> str:
        """The placeholder for an instant."""
        return self.bind(f"{at:%Y-%m-%d %H:%M:%S.%f}", _INSTANT)


def tokens(placeholder: str) -> str:
    """The words of a text, as the index has them."""
    return f"tokens(in_one_spelling({placeholder}), {_TOKENIZER})"


def text_condition(text: str, parameters: Parameters, column: str = "words") -> str:
    """That a text is in ``column``: its words next to each other, and its emoji.

    All but the calls with a column are constants to the engine: of a single word it looks up the index, of a
    phrase it also compares the posts that have all of the words.
    """
    value = parameters.bind(text)
    spelt, words = f"in_one_spelling({value})", tokens(value)
    found = f"hasAllTokens({column}, {spelt}) AND (length({words}) = 1 OR hasPhrase({column}, {spelt}))"
    if text.isascii() or column != "words":
        return f"({found})"
    emoji = f"emoji_of({value})"
    return (
        f"((empty({words}) OR ({found})) AND (empty({emoji}) OR hasAllTokens(emoji, {emoji}))"
        f" AND (notEmpty({words}) OR notEmpty({emoji})))"
    )


def _account(name: str, value: str, parameters: Parameters, holders: Holders) -> str:
    form = _ACCOUNTS[name]
    if value not in holders:
        return form.format(parameters.bind(value))
    spans = []
    for held in holders[value]:
        span = f"{form.format(parameters.bind(held.did))} AND at >= {parameters.instant(held.since)}"
        spans.append(span if held.until is None else f"{span} AND at < {parameters.instant(held.until)}")
    return "(" + " OR ".join(f"({span})" for span in spans) + ")"


def _language(value: str, parameters: Parameters) -> str:
    exact, region = parameters.bind(value), parameters.bind(f"{value}-")
    return f"arrayExists(l -> l = {exact} OR startsWith(l, {region}), languages)"


_FILTERS: Final[dict[str, Callable[[str, Parameters], str]]] = {
    "tag": lambda value, parameters: f"has(tags, in_one_spelling({parameters.bind(value)}))",
    "domain": lambda value, parameters: f"has(domains, {parameters.bind(value)})",
    "lang": _language,
    "has": lambda value, _: FLAGS[value],
    "alt": lambda value, parameters: text_condition(value, parameters, "alt_words"),
}


def _term(term: Term, parameters: Parameters, holders: Holders) -> str:
    if isinstance(term, Text):
        return text_condition(term.text, parameters)
    if term.name in _ACCOUNTS:
        return _account(term.name, term.value, parameters, holders)
    return _FILTERS[term.name](term.value, parameters)


def _clause(clause: Clause, parameters: Parameters, holders: Holders) -> str:
    joined = " OR ".join(_term(term, parameters, holders) for term in clause.terms)
    return f"NOT {joined}" if clause.negated else f"({joined})" if len(clause.terms) > 1 else joined


def span(query: Query, parameters: Parameters) -> list[str]:
    """The conditions on time, with those on day and hour that let the engine skip the rest."""
    found = []
    if query.since:
        at = parameters.instant(query.since)
        found.append(f"day >= toDate({at}) AND hour >= toStartOfHour({at}) AND at >= {at}")
    if ends := [end for end in (query.until, query.as_of) if end]:
        at = parameters.instant(min(ends))
        found.append(f"day <= toDate({at}) AND hour <= toStartOfHour({at}) AND at < {at}")
    return found


def _after(query: Query, parameters: Parameters) -> list[str]:
    """The condition for posts that follow one, newest first."""
    if query.after is None:
        return []
    at, did = parameters.instant(query.after[0]), parameters.bind(query.after[1])
    return [f"day <= toDate({at}) AND hour <= toStartOfHour({at}) AND at <= {at} AND (at < {at} OR did < {did})"]


def conditions(query: Query, parameters: Parameters, holders: Holders) -> list[str]:
    """All conditions of a query but that on likes; empty: every post matches."""
    return [
        *span(query, parameters),
        *_after(query, parameters),
        *(_clause(clause, parameters, holders) for clause in query.clauses),
    ]


def accounts(query: Query) -> list[Filter]:
    """The filters of a query whose value is an account."""
    return [term for term in query.terms if isinstance(term, Filter) and term.name in _ACCOUNTS]
