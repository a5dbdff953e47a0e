"""The faults that a schedule may inject, and how often each has been seen to fire.

Lives here: the closed list and the count. Must not: inject anything.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from hypothesis import event


class Fault(StrEnum):
    """One kind of fault; the comment says what proves that it fired."""

    V1_V1 = "both hosts spoke v1"  # Redis has named each protocol of the pair, and events of it are rows
    V1_V2 = "hosts spoke v1 and v2"  # the same: the first one is preferred by most ingesters
    V2_V1 = "hosts spoke v2 and v1"  # the same
    V2_V2 = "both hosts spoke v2"  # the same
    FROM_V1_TO_V2 = "stream went from v1 to v2"  # the protocol in Redis was v1 and is v2
    FROM_V2_TO_V1 = "stream went from v2 to v1"  # the protocol in Redis was v2 and is v1
    INGESTER_KILLED = "ingester killed"  # it lived before and ended by SIGKILL
    INGESTER_STOPPED = "ingester stopped in order"  # it lived before and ended with 0
    INGESTER_CRASHED = "ingester died at a crash point"  # the crash point's proof
    INGESTER_HELD = "ingester held"  # its process state is T
    INGESTER_FENCED = "ingester fenced by one of its name"  # its exit code
    INGESTER_SUPERSEDED = "ingester superseded by another name"  # its exit code
    INGESTER_STANDBY = "ingester was standby"  # its log
    HOST_KILLED = "host killed"  # it ended by SIGKILL
    HOST_SWITCHED = "ingester switched hosts"  # its log
    HOSTS_FORGOT = "hosts forgot their history"  # they were started with less than they had sent
    CURSOR_TOO_OLD = "sequence number too old for the host"  # the ingester's log: HTTP 400
    TIME_TOO_OLD = "time too old for a v2 host"  # the ingester's log: the host's notice
    COUNTS_AGAIN = "host counts from another number"  # it was started with another first number than before
    SYNC = "v2 host sent sync events"  # they are in a raw file
    BROKEN_FRAME = "v2 host sent broken frames"  # the frames are in quarantine
    GAP = "events inside recorded gaps"  # they are in no raw file, and an open gap covers them
    CLOCK_FORWARD = "source's clock stepped forward"  # the events after it are in a raw file
    CLOCK_BACK = "source's clock stepped back"  # the events after it are in a raw file
    REPEATED = "source repeated events"  # the ledger counts duplicates
    POISON = "source sent bad events"  # they are in quarantine
    REDIS_RESTARTED = "Redis restarted in order"  # another process id
    REDIS_KILLED = "Redis killed"  # another process id, and it ended by SIGKILL
    REDIS_TORN = "Redis' log torn"  # it was longer before Redis loaded it
    REDIS_FULL = "Redis' memory full"  # Redis counts refusals
    REDIS_WIPED = "Redis wiped"  # there were keys, and none afterwards
    WIPED_ON_V2 = "Redis wiped of a sequence number"  # it had one
    REDIS_CUT_OFF = "connections to Redis cut"  # Redis counts them
    REDIS_CLOCK_FORWARD = "Redis' clock stepped forward"  # Redis says so
    REDIS_CLOCK_BACK = "Redis' clock stepped back"  # Redis says so
    REDIS_HELD = "Redis held"  # its process state is T
    STEP_KILLED = "step killed"  # it ended by SIGKILL
    STEP_CRASHED = "step died at a crash point"  # the crash point's proof
    STEP_HELD = "step held"  # its process state is T
    STEP_WITHOUT_REDIS = "step found no Redis"  # its error
    STEP_AGAIN = "step of a published batch again"  # it succeeded
    STEPS_AT_ONCE = "two steps at once"  # both processes live at the same time
    OUT_OF_ORDER = "batches published out of order"  # a later one was published before
    DISK_FULL = "disk full"  # the step's errno
    FILE_TORN = "finished file torn"  # the step's error says which
    HOUR_LOST = "hour file lost and made again"  # it differs from its record, and afterwards it does not


class Fired:
    """How often each fault fired in this process, and at which crash points; of all schedules together."""

    def __init__(self) -> None:
        self.faults: Counter[str] = Counter()
        self.points: Counter[str] = Counter()

    def count(self, fault: Fault, times: int = 1) -> None:
        """A fault was seen to fire."""
        if times:
            self.faults[fault] += times
            event(fault)

    def point(self, proof: str) -> bool:
        """Count the crash point that a proof names; False: there is none."""
        if proof:
            self.points[proof.split()[0]] += 1
        return bool(proof)
