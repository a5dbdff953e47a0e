"""A gap: a span of time that a host did not give. Its record, as it goes through Redis to the lake.

Lives here: the record and its reasons. Must not: decide what is a gap (position.gaps), any I/O.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Reason(StrEnum):
    """Why a span of time may not be covered."""

    LATE = "late"  # the first event of a connection is later than the cursor allows
    REFUSED = "refused"  # the host no longer has what was asked for: refused, or clamped to its oldest
    STALL = "stall"  # connected, and nothing came
    BLIND = "blind"  # one queue's share fell against its own history
    UNREAD = "unread"  # a message that could never be read was stepped past
    OUTAGE = "outage"  # the ingester was away
    REDIS_LOST = "redis_lost"  # Redis lost its cursor: resumed from the lake's last manifest
    NOT_LISTENING = "not_listening"  # an interval of the batch pipeline without a heartbeat


class Gap(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A span of witnessed time (µs, ``to_us`` exclusive) that one host did not give, and whether it is filled.

    Of several records with one ``id`` the one with the highest ``noted_us`` counts: a gap may grow, and heal.
    """

    id: str
    reason: Reason
    from_us: int
    to_us: int
    noted_us: int  # clock of whoever wrote the record
    host: str = ""
    protocol: str = ""
    queue: str = ""  # empty: all
    healed: str = ""  # by what: "replay", "other host", "archive"; empty: not healed
