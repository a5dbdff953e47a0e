"""The setting FIREHOSE_READERS: which system's records the views show, by date and by share of the accounts.

Lives here: its grammar. Must not: SQL (warehouse/mixed.py).
"""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum
from typing import Final, NamedTuple

_RULE: Final = re.compile(r"(new|both|legacy)(?::(\d{1,3}(?:\.\d+)?)%)?(?:<(\d{4}-\d{2}-\d{2}))?")
_SAID: Final = (
    "must be new, both or legacy, or several of them separated by commas, each with a share of the accounts or a"
    " day that it ends before: legacy<2024-12-01,both:20%,new"
)


class Mode(StrEnum):
    """What the views show: what the firehose brought, what the old system kept, or each record of both once."""

    NEW = "new"
    BOTH = "both"
    LEGACY = "legacy"


class Rule(NamedTuple):
    """A mode for the accounts whose ``sample`` is below ``share``, on days before ``before`` (None: all)."""

    mode: Mode
    share: float | None = None
    before: date | None = None


def rules(text: str) -> tuple[Rule, ...]:
    """The rules of a setting, of which the first that holds counts; where none does, it is ``new``.

    Raises:
        ValueError: it is none.
    """
    return tuple(_rule(part.strip()) for part in text.split(","))


def valid(value: str) -> str:
    """Accept a value of the setting; else say what it must be."""
    try:
        rules(value)
    except ValueError:
        return _SAID
    return ""


def only_new(text: str) -> bool:
    """Whether the views show nothing of the old system."""
    return all(rule.mode is Mode.NEW for rule in rules(text))


def in_force(text: str, day: date) -> set[Mode]:
    """Every mode that a row of a day may be shown by."""
    found = set()
    for rule in rules(text):
        if rule.before is None or day < rule.before:
            found.add(rule.mode)
            if rule.share in (None, 1):
                return found
    return found | {Mode.NEW}


def _rule(text: str) -> Rule:
    match = _RULE.fullmatch(text)
    if not match:
        raise ValueError(text)
    share = float(match[2]) / 100 if match[2] else None
    if share is not None and not 0 < share <= 1:
        raise ValueError(text)
    return Rule(Mode(match[1]), share, date.fromisoformat(match[3]) if match[3] else None)
