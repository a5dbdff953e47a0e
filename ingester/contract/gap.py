"""A gap: a span of time that a host did not give. Its record, as it goes through Redis to the lake.

Lives here: the record, its reasons, and how both were named before. Must not: decide what is a gap
(position.gaps), any I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec


class Reason(StrEnum):
    """Why a span of time may not be covered."""

    LATE = "late"  # the first event of a connection is later than the cursor allows
    REFUSED = "refused"  # the host no longer has what was asked for: refused, or clamped to its oldest
    STALL = "stall"  # connected, and nothing came
    PARTIAL = "partial"  # one queue's share fell against its own history
    OVERSIZE = "oversize"  # a message that was too large to be read was skipped
    OUTAGE = "outage"  # the ingester was away
    REDIS_LOST = "redis_lost"  # Redis lost its cursor: resumed from the lake's last manifest
    NOT_LISTENING = "not_listening"  # an interval of the batch pipeline without a heartbeat

    @classmethod
    def _missing_(cls, value: object) -> Reason | None:
        """The reason that was called ``value`` before."""
        return next((reason for reason, old in OLD_REASONS.items() if old == value), None)


#: What two reasons were called before.
OLD_REASONS: Final = {Reason.PARTIAL: "blind", Reason.OVERSIZE: "unread"}


class Gap(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A span of witnessed time (µs, ``to_us`` exclusive) that one host did not give, and whether it is filled.

    Of several records with one ``id`` the one with the highest ``noted_us`` counts: a gap may grow, and be filled.
    """

    id: str
    reason: Reason
    from_us: int
    to_us: int
    noted_us: int  # clock of whoever wrote the record
    host: str = ""
    protocol: str = ""
    queue: str = ""  # empty: all
    filled: str = ""  # by what: "replay", "other host", "archive"; empty: still open
    healed: str = ""  # the same, under the name that the version before reads and writes

    def __post_init__(self) -> None:
        by = self.filled or self.healed
        msgspec.structs.force_setattr(self, "filled", by)
        msgspec.structs.force_setattr(self, "healed", by)


def encoded(gap: Gap) -> bytes:
    """The record in JSON as Redis and the lake keep it, with names that the version before understands too."""
    return msgspec.json.encode(_stored(gap))


def encoded_list(gaps: Sequence[Gap]) -> bytes:
    """Records as one JSON list, each as :func:`encoded` has it."""
    return msgspec.json.encode([_stored(gap) for gap in gaps])


def _stored(gap: Gap) -> dict[str, object]:
    fields: dict[str, object] = msgspec.to_builtins(gap)
    return fields | {"reason": OLD_REASONS.get(gap.reason, gap.reason)}
