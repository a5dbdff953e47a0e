"""What a verification of the lake found. Plain values, no I/O."""

from __future__ import annotations

import msgspec

#: Problems beyond this number are counted, not listed.
LISTED = 100


class TypeReport(msgspec.Struct, kw_only=True):
    """One type's rows: ``verified`` match their CID; ``without_record`` have none (deletes, account events)."""

    rows: int = 0
    verified: int = 0
    without_record: int = 0
    mismatched: int = 0
    unverifiable: int = 0
    duplicates: int = 0


class VerifyReport(msgspec.Struct, kw_only=True):
    """What was checked and what is wrong. ``ok`` only where nothing is.

    ``unverifiable`` lists records that no CID can be computed for, with the reason: odd, but no damage.
    """

    ok: bool = True
    batches: int = 0
    raw_events: int = 0
    quarantined: int = 0
    types: dict[str, TypeReport] = {}
    problem_count: int = 0
    problems: list[str] = []
    unverifiable: list[str] = []

    def add(self, problem: str) -> None:
        """Note a problem; only the first ones are kept in words."""
        self.ok = False
        self.problem_count += 1
        if len(self.problems) < LISTED:
            self.problems.append(problem)
