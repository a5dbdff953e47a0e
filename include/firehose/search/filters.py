"""The filters of the grammar, and what their values may be. Pure functions.

Lives here: the closed list of names. Must not: SQL (conditions.py).
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from firehose import syntax
from firehose.records import spelling
from firehose.records.links import site

#: What ``has:`` may name.
PARTS: Final = ("alt", "image", "video", "gif", "link", "quote", "reply")
_INSTANT: Final = re.compile(
    "[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}(?::[0-9]{2}(?::[0-9]{2}(?:[.][0-9]{1,6})?)?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
_YEARS: Final = range(1971, 2105)
_MOST_LIKES: Final = 10**12
#: From here on also what this Python's tables of characters may be too old for.
_FIRST_EMOJI: Final = "\U0001f000"
_KEYCAP: Final = "\u20e3"


class WrongValue(Exception):
    """A filter's value that is not one; the message says what to write."""


def account(value: str) -> str:
    """A DID as it is, or a handle in lower case without ``@``."""
    name = value.removeprefix("@")
    if syntax.DID.matches(name):
        return name
    if syntax.HANDLE.matches(name):
        return name.lower()
    raise WrongValue("an account is a handle such as alice.bsky.social, or a DID such as did:plc:…")


def searchable(text: str) -> bool:
    """Whether a text has anything to search for: letters, digits, or emoji."""
    return any(c.isalnum() or unicodedata.category(c) == "So" or c >= _FIRST_EMOJI or c == _KEYCAP for c in text)


def _text(value: str) -> str:
    if not searchable(value):
        raise WrongValue("there is nothing here to search for: write letters, digits or emoji")
    return value


def _tag(value: str) -> str:
    tag = value.lstrip("#\uff03").strip()
    if not tag:
        raise WrongValue("a tag is missing: write tag:art or #art")
    return tag


def _domain(value: str) -> str:
    found = None if re.search(r"[/@:\s]", value) else site(f"https://{value}")
    if found is None:
        raise WrongValue("a domain is a host's name alone: write domain:example.com")
    return found.host


def _language(value: str) -> str:
    language = spelling.language(value)
    if language == spelling.UNDETERMINED:
        raise WrongValue("a language is a tag such as en, ja or pt-BR")
    return language


def _part(value: str) -> str:
    if value.lower() not in PARTS:
        raise WrongValue(f"has: takes one of {', '.join(PARTS)}")
    return value.lower()


def instant(value: str) -> datetime:
    """A day's start or an instant; UTC where no offset is given."""
    try:
        if not _INSTANT.fullmatch(value):
            raise ValueError(value)
        at = datetime.fromisoformat(value)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise WrongValue("a time is a day or an instant, such as 2026-11-23 or 2026-11-23T20:15Z") from error
    if at.year not in _YEARS:
        raise WrongValue(f"a year is one from {_YEARS.start} to {_YEARS.stop - 1}")
    return at


def count(value: str) -> int:
    """A whole number of at least 1."""
    if not re.fullmatch("[0-9]{1,13}", value) or not 1 <= int(value) <= _MOST_LIKES:
        raise WrongValue("a number of likes is missing: write min_likes:100")
    return int(value)


#: Filters that may be negated and joined by OR, each with what makes its value.
FILTERS: Final[dict[str, Callable[[str], str]]] = {
    "from": account,
    "to": account,
    "mentions": account,
    "tag": _tag,
    "domain": _domain,
    "lang": _language,
    "has": _part,
    "alt": _text,
}
INSTANTS: Final = ("since", "until", "as_of")
#: Filters that bound the whole search, once each.
BOUNDS: Final = (*INSTANTS, "min_likes")
NAMES: Final = (*FILTERS, *BOUNDS)


def unknown(name: str) -> str:
    """What to say of a filter that does not exist."""
    close = difflib.get_close_matches(name, NAMES, 1)
    meant = f"did you mean {close[0]}:?" if close else f"filters are {', '.join(f'{each}:' for each in NAMES)}."
    return f"there is no filter {name}: - {meant} To search for words with a colon put them in quotes"
