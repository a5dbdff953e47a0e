"""What has to be zero: the page's only judgement. Each figure has its section of the runbook, and its station.

Pure functions of a look. Must not: read anything.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from firehose.observe import Snapshot
from firehose.observe.history import BatchPast
from firehose_page.watch import Look

#: A batch at work, or one that ClickHouse has not loaded, counts once it has waited for this many intervals.
_PATIENCE: Final = 2


class Zero(NamedTuple):
    """``number`` None: not known, which is not zero either. ``runbook``: an anchor of docs/operations.md."""

    name: str
    number: int | None
    station: str
    runbook: str
    means: str

    @property
    def state(self) -> str:
        """``fine``, ``look`` or ``unknown``."""
        if self.number is None:
            return "unknown"
        return "look" if self.number else "fine"


def zeros(look: Look) -> list[Zero]:
    """The row, in the order of the flow."""
    snapshot, day = look
    quality, coverage = snapshot.quality, snapshot.coverage
    known = snapshot.batches is not None
    return [
        Zero(
            "minutes unheard", _unheard(snapshot), "ingester", "a-gap-in-coverage", "since it last had the source"
        ),
        Zero("open gaps", len(coverage.open) if coverage else None, "ingester", "a-gap-in-coverage", "in 30 days"),
        Zero("seconds missing", _missing_s(snapshot), "ingester", "a-gap-in-coverage", "of the last 24 hours"),
        Zero(
            "foreign entries", _sum(day, "foreign", known), "redis", "foreign-data-in-redis", "not the ingester's"
        ),
        Zero("miscounted frames", _sum(day, "miscounted", known), "redis", "foreign-data-in-redis", "24 hours"),
        Zero(
            "intervals without a batch",
            _without_batch(snapshot),
            "drain",
            "a-task-failed",
            "over, and not drained",
        ),
        Zero("failed suites", _failed(day, known), "validate", "a-suite-failed", "batches of 24 hours"),
        Zero(
            "quarantined",
            quality.quarantined if quality else None,
            "validate",
            "a-suite-failed",
            "events of 24 hours",
        ),
        Zero("batches stuck", _stuck(snapshot), "publish", "a-task-failed", "drained, and not published"),
        Zero(
            "duplicates",
            quality.duplicates if quality else None,
            "publish",
            "after-an-outage",
            "events of 24 hours",
        ),
        Zero("lost rows", _sum(day, "lost", known), "lake", _REBUILD, "a rebuild could not make them"),
        Zero("unverifiable batches", _unverified(snapshot), "lake", _KEPT, "whose raw files are about to expire"),
        Zero(
            "batches not loaded",
            _behind(snapshot),
            "clickhouse",
            "a-task-failed",
            "published, and not in ClickHouse",
        ),
        Zero("unreadable files", sum(1 for past in day if past.problem), "lake", _REBUILD, "of 24 hours"),
        Zero("figures not known", len(snapshot.unknown), "airflow", "a-figure-is-not-known", "see below why"),
    ]


_REBUILD: Final = "an-hour-file-is-not-what-its-record-says"
_KEPT: Final = "something-stays-although-its-time-is-over"


def _sum(day: list[BatchPast], field: str, known: bool) -> int | None:
    return sum(getattr(past, field) for past in day) if known else None


def _failed(day: list[BatchPast], known: bool) -> int | None:
    return sum(1 for past in day if past.failed) if known else None


def _unheard(snapshot: Snapshot) -> int | None:
    heard = snapshot.ingester
    return int(heard.unheard_s // 60) if heard and heard.unheard_s is not None else None


def _missing_s(snapshot: Snapshot) -> int | None:
    known = snapshot.coverage
    return round(min(known.missing_s.items())[1]) if known else None


def _without_batch(snapshot: Snapshot) -> int | None:
    known = snapshot.batches
    return sum(len(one.batches) for one in known.missing) if known else None


def _stuck(snapshot: Snapshot) -> int | None:
    known = snapshot.batches
    if known is None:
        return None
    return sum(1 for one in known.running if one.age_s > _PATIENCE * known.length_s)


def _unverified(snapshot: Snapshot) -> int | None:
    return len(snapshot.retention.unverified) if snapshot.retention else None


def _behind(snapshot: Snapshot) -> int | None:
    if (known := snapshot.summaries) is None:
        return None
    length = snapshot.batches.length_s if snapshot.batches else 0
    return known.behind if known.behind_s > _PATIENCE * length else 0
