"""Removes what a plan names, on record: the audit log first, then each item, then what became of each.

Killed at any moment, a repetition ends it: its tier finds what is left. Must not: know how an item is removed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby

import msgspec

from firehose import crash
from firehose.lake import audit
from firehose.lake.audit import AuditLine, State
from firehose.maintenance.facts import Tier
from firehose.maintenance.plan import Kept, Removal
from firehose.maintenance.tiers.base import TierOf
from firehose.store import LakePath


def remove(
    lake: LakePath, tiers: Mapping[Tier, TierOf], removals: Sequence[Removal], by: str
) -> tuple[list[Removal], list[Kept]]:
    """Remove these, by tier and day; returns what was removed, and what was kept after all."""
    done: list[Removal] = []
    kept: list[Kept] = []
    audit.tidy(lake)
    ordered = sorted(removals, key=lambda one: (one.tier, one.day, one.what))
    for (tier, day), group in groupby(ordered, key=lambda one: (one.tier, one.day)):
        now, of = datetime.now(UTC), list(group)
        path = audit.log_path(lake, now, f"{tier}-{day}")
        lines = [_line(tiers[tier], removal, now, by) for removal in of]
        audit.write(path, lines)
        crash.reached(crash.Point.AUDIT_BEGUN)
        for number, removal in enumerate(of):
            if against := tiers[tier].remove(removal.what, path.key_in(lake)):
                kept.append(Kept(tier, day, removal.what, removal.bytes, *against))
            else:
                done.append(removal)
            state, why = (State.KEPT, against.why) if against else (State.DONE, removal.why)
            lines[number] = msgspec.structs.replace(lines[number], state=state, why=why)
        audit.write(path, lines)
    return done, kept


def _line(tier: TierOf, removal: Removal, now: datetime, by: str) -> AuditLine:
    return AuditLine(
        at=now,
        by=by,
        tier=removal.tier,
        what=removal.what,
        why=removal.why,
        state=State.BEGUN,
        files=tier.files(removal.what),
    )
