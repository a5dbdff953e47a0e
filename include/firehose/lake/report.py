"""The findings of a verification of the lake. Plain values, no I/O."""

from __future__ import annotations

import msgspec

#: Problems beyond this number are counted, not listed.
LISTED = 100


class TypeReport(msgspec.Struct, kw_only=True):
    """One type's rows: ``verified`` match their CID; ``without_record`` have none (deletes, account events).

    ``source_differs`` do not match, but came so: the raw line has the same record and the same CID. ``mismatched``
    are damaged.
    """

    rows: int = 0
    verified: int = 0
    without_record: int = 0
    mismatched: int = 0
    source_differs: int = 0
    unverifiable: int = 0
    duplicates: int = 0


class VerifyReport(msgspec.Struct, kw_only=True):
    """The things checked, and the problems found. ``ok`` only where nothing is.

    ``unverifiable`` lists records that no CID can be computed for, with the reason: odd, but no damage; and
    ``source_differs`` those that did not give their CID when they came. Both are listed up to the same number.
    ``batches`` and ``quarantined`` count what is there; the counts that end in ``_expired`` what is
    not, because its time was over.
    """

    ok: bool = True
    batches: int = 0
    raw_events: int = 0
    quarantined: int = 0
    batches_expired: int = 0
    hour_files_expired: int = 0
    quarantined_expired: int = 0
    types: dict[str, TypeReport] = {}
    problem_count: int = 0
    problems: list[str] = []
    unverifiable: list[str] = []
    source_differs: list[str] = []

    @property
    def verdict(self) -> str:
        """``sound``, ``the source's own records differ`` or ``damaged``."""
        if not self.ok:
            return "damaged"
        differs = any(counts.source_differs for counts in self.types.values())
        return "the source's own records differ" if differs else "sound"

    def add(self, problem: str) -> None:
        """Note a problem; only the first ones are kept in words."""
        self.ok = False
        self.problem_count += 1
        if len(self.problems) < LISTED:
            self.problems.append(problem)
