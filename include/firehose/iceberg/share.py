"""All tables of a lake: what they are behind with, and bringing them up to it. Must not: know how one follows."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from firehose import metrics, schema
from firehose.iceberg.follow import Following
from firehose.iceberg.hours import Recorded
from firehose.store import LakePath


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """All tables after a run: their hours, those taken now, and those that they are behind with."""

    shared: Annotated[int, metrics.SHARED_HOURS]
    taken: Annotated[int, metrics.SHARED_TAKEN]
    behind: Annotated[int, metrics.SHARED_BEHIND]


def due(lake: LakePath) -> dict[str, int]:
    """By type, how many hours its table is to take. Reads only."""
    recorded = Recorded(lake)
    found = {each: len(Following(lake, each, recorded).due()) for each in schema.TYPES}
    return {record_type: hours for record_type, hours in found.items() if hours}


def follow(lake: LakePath, now: datetime) -> Shared:
    """Bring every table up to the lake. The caller is the only one that does."""
    recorded = Recorded(lake)
    done = [Following(lake, each, recorded).run(now) for each in schema.TYPES]
    shared, taken, late = map(sum, zip(*done, strict=True))
    return Shared(shared=shared, taken=taken, behind=late)
