"""What a comparison says: by type and day, with examples, and whether a day passed.

Lives here: the values and their sums. Pure. Must not: read either side, know where results lie (kept.py).
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

from firehose import schema

#: The types that are compared, with their collections.
COMPARED: Final = {
    schema.COLLECTIONS[name]: name
    for name in (schema.POSTS, schema.LIKES, schema.FOLLOWS, schema.REPOSTS, schema.BLOCKS)
}
#: What has a limit, in the order in which problems are named.
LIMITED: Final = ("only_old", "differs", "only_new", "undated")
#: Examples of a kind that a day keeps for each type.
EXAMPLES: Final = 10


class Found(StrEnum):
    """Where a record is that is not explained."""

    BOTH = "both"
    ONLY_OLD = "only_old"
    ONLY_NEW = "only_new"
    DIFFERS = "differs"


class Explained(StrEnum):
    """Why a record is on one side only, although nothing is wrong. The values are in the lake."""

    # Only the old system has it.
    BEFORE_LAKE = "before_lake"
    AFTER_LAKE = "after_lake"
    GAP = "gap"
    EXPIRED = "expired"
    NO_KEY = "no_key"
    UNDATED = "undated"
    # Only the lake has it.
    DELETE = "delete"
    UPDATE = "update"
    TYPE = "type"
    RESYNC = "resync"
    DOWN = "down"
    OVERWRITTEN = "overwritten"


SAID: Final = {
    Explained.BEFORE_LAKE: "only old: from before the lake's first batch",
    Explained.AFTER_LAKE: "only old: from after the lake's newest batch",
    Explained.GAP: "only old: the lake has an open gap there (firehose coverage --open)",
    Explained.EXPIRED: "only old: the lake's hour was removed, since its time was over",
    Explained.NO_KEY: "only old: kept without a record key, so it cannot be matched",
    Explained.UNDATED: "only old: kept without any time but the client's claim",
    Explained.DELETE: "only new: a deletion; the old system kept none",
    Explained.UPDATE: "only new: an update; the old system kept none",
    Explained.TYPE: "only new: of a type that the old system did not take from the stream",
    Explained.RESYNC: "only new: a resync sent a record again that is older",
    Explained.DOWN: "only new: the old system received nothing then, from anybody",
    Explained.OVERWRITTEN: "only new: the account followed the other one again, and the old file was overwritten",
}


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """The most of each that a day may have and pass; None: any number.

    ``undated``: that only the old system has, and of which a claim alone says that the lake listened then.
    ``unheard``: a day passes although the lake did not listen on it, if imports have all of its records.
    """

    only_old: int | None = 0
    differs: int | None = 0
    only_new: int | None = None
    undated: int | None = 0
    unheard: bool = False


class Example(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One record. ``fields``: each that differs, with the old value and the new one."""

    uri: str
    found: Found
    at: datetime
    path: str = ""
    fields: dict[str, tuple[Any, Any]] = {}


class Counts(msgspec.Struct, kw_only=True):
    """Records of one type and day, each URI and operation once. ``differs`` are among ``both``.

    ``copies``: further copies in the old stores. ``unimported``: copies of which the lake's imports have no row.
    """

    both: int = 0
    only_old: int = 0
    only_new: int = 0
    differs: int = 0
    copies: int = 0
    unimported: int = 0
    fields: dict[str, int] = {}
    explained: dict[str, int] = {}
    examples: list[Example] = []

    @property
    def undated(self) -> int:
        """Those that only the old system has, and that nothing but a claim dates."""
        return self.explained.get(Explained.UNDATED, 0)

    def explain(self, why: Explained) -> None:
        """Count one that is on one side only for this reason."""
        self.explained[why] = self.explained.get(why, 0) + 1

    def count(self, example: Example) -> None:
        """Count one that is not explained, and keep it as an example if it is among the first by URI."""
        setattr(self, example.found, getattr(self, example.found) + 1)
        for name in example.fields:
            self.fields[name] = self.fields.get(name, 0) + 1
        self.examples.append(example)
        if len(self.examples) > 16 * EXAMPLES:
            self.examples = first(self.examples)


def first(examples: list[Example]) -> list[Example]:
    """The first examples of each kind, by URI."""
    ordered = sorted(examples, key=lambda one: (one.uri, one.at, one.path))
    return [one for kind in Found for one in [each for each in ordered if each.found is kind][:EXAMPLES]]


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """How many accounts the old system was to follow, as its stores show: whom ``only_new`` is about."""

    study: int
    network: int
    others: int


class DayResult(msgspec.Struct, frozen=True, kw_only=True):
    """A day's comparison. ``others``: old records of types that are not compared; ``refused``: broken ones.

    ``whole``: every type was compared, so the day has a verdict. ``problems`` say why it did not pass.
    ``imports``: the lake's files that hold the day's imported records, by key. ``heard_us``: how long of the day
    the lake listened to all types.
    """

    day: date
    root: str
    compared_at: datetime
    thresholds: Thresholds
    scope: Scope
    types: dict[str, Counts]
    others: int
    imports: list[str]
    whole: bool
    heard_us: int

    @property
    def heard(self) -> str:
        """How long of the day the lake listened, in hours."""
        return f"{self.heard_us / 3.6e9:.1f} h"

    @property
    def problems(self) -> list[str]:
        """A line for each reason why the day does not pass."""
        if self.heard_us <= 0:
            return self._unheard()
        return [
            f"{self.day} {name}: {getattr(counts, kind):,} {kind.replace('_', ' ')}, at most {most:,} allowed"
            for name, counts in self.types.items()
            for kind in LIMITED
            if (most := getattr(self.thresholds, kind)) is not None and getattr(counts, kind) > most
        ]

    def _unheard(self) -> list[str]:
        if not self.thresholds.unheard:
            return [f"{self.day}: not comparable, since the lake did not listen on that day"]
        return [
            f"{self.day} {name}: {counts.unimported:,} are in no import, and the lake did not listen on that day"
            for name, counts in self.types.items()
            if counts.unimported
        ]

    @property
    def passed(self) -> bool:
        """Whether the day was compared as a whole and is within its limits."""
        return self.whole and not self.problems


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What one run says: its days, and what of the old store is not in any: broken or of an unknown shape."""

    root: str
    days: list[DayResult]
    refused: int
    refusals: list[str]
    files: int

    @property
    def problems(self) -> list[str]:
        """Of all days."""
        return [problem for day in self.days for problem in day.problems]
