"""Every path on which an event or a span of time is dropped, set aside, skipped or called a duplicate.

Lives here: the paths of ingester and pipeline, and what each means. Must not: count, or name metrics: those in
``metrics.py``, here and in ``firehose``, say which one counts a path. ``tests/unit/losses`` finds the places.
"""

from __future__ import annotations

from enum import Enum


class LossPath(Enum):
    """One path; the value is for programs, ``meaning`` for an operator."""

    # In the ingester.
    DEAD_LETTER = "dead_letter", "a message that is not an event: kept with its bytes, later in quarantine"
    NOTICE = "notice", "a host's notice about the stream, which is not an event: only logged"
    FORGOTTEN = "forgotten", "events in memory that do not follow what Redis has: requested again"
    UNWRITTEN = "unwritten", "events in memory at a stop that Redis did not accept: requested again"
    STATE_UNREADABLE = "state_unreadable", "a part of the state in Redis that cannot be read, and counts as lost"
    MANIFEST_UNREADABLE = "manifest_unreadable", "a manifest that cannot be read when Redis was lost: read again"
    GAP = "gap", "a span of time that a host did not give, or in which nothing listened"
    # In the drain.
    FOREIGN_ENTRY = "foreign_entry", "an entry of a queue that is not a frame: kept as dead letters"
    MISCOUNTED = "miscounted", "a frame with another number of events than it says: all are kept"
    LATE_FRAME = "late_frame", "a frame whose interval was drained already: taken along by a later batch"
    FOREIGN_KEY = "foreign_key", "a key of a foreign type, or an entry that is not a gap: moved aside and kept"
    SKIPPED_INTERVAL = "skipped_interval", "an interval from before the first start: no batch"
    MISSED_INTERVAL = "missed_interval", "an interval in which nothing listened: a gap instead of a batch"
    # In validation and publication.
    QUARANTINED = "quarantined", "an event that breaks a rule or cannot be read: kept with its reason"
    UNPUBLISHED = "unpublished", "a drained batch that is not in the ledger: it waits, or has failed"
    DUPLICATE = "duplicate", "an event that the lake has already: not stored again"
    DISPLACED = "displaced", "a later batch's copy of an event that an earlier batch brought: replaced"
    REBUILD_LOST = "rebuild_lost", "rows that a rebuild could not make again, since raw batches were gone"
    # In backfills, maintenance and ClickHouse.
    ABSENT = "absent", "sequence numbers of an archive without an event: overwritten, deleted or never used"
    EXPIRED = "expired", "what retention has removed, on record in the audit log"
    NOT_LOADED = "not_loaded", "a published batch that ClickHouse does not have yet, or must not load"

    def __init__(self, code: str, meaning: str) -> None:
        self.code = code
        self.meaning = meaning
