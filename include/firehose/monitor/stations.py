"""The stations of the pipeline, each with its state in a line: what `firehose status` shows.

Lives here: which parts of a snapshot and which alerts belong to which station, and the line. Pure. Must not:
decide what is wrong (conditions.py), print.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from firehose.alerts.alert import Severity
from firehose.alerts.state import Finding
from firehose.batch.budget import size
from firehose.observe import Snapshot


class State(StrEnum):
    """How a station is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    UNKNOWN = "unknown"
    NOT_SET = "not set up"


class Station(msgspec.Struct, frozen=True, kw_only=True):
    """``said``: its figures. ``problems``: what alerts say of it, each with the alert's name. ``since``: the first
    of these began then, as far as it is known."""

    name: str
    state: State
    said: str
    problems: dict[str, str] = {}
    since: datetime | None = None


class _Place(NamedTuple):
    """A station's name, its parts of a snapshot, its alerts by name, and its line."""

    name: str
    parts: tuple[str, ...]
    alerts: tuple[str, ...]
    said: Callable[[Snapshot], str]


def stations(seen: Snapshot, findings: Sequence[Finding]) -> list[Station]:
    """Every station, in the order in which events pass."""
    return [_station(place, seen, findings) for place in _PLACES]


def healthy(found: Sequence[Station]) -> bool:
    """Tell whether nothing has stopped: warnings leave the pipeline at work."""
    return all(station.state is not State.ERROR for station in found)


def _station(place: _Place, seen: Snapshot, findings: Sequence[Finding]) -> Station:
    mine = [finding for finding in findings if finding.alert.name in place.alerts]
    unknown = [seen.unknown[part] for part in place.parts if part in seen.unknown]
    there = any(getattr(seen, part) is not None for part in place.parts)
    state = State.OK
    if any(finding.alert.severity is Severity.ERROR for finding in mine):
        state = State.ERROR
    elif mine:
        state = State.WARNING
    elif unknown:
        state = State.UNKNOWN
    elif not there:
        state = State.NOT_SET
    return Station(
        name=place.name,
        state=state,
        said=place.said(seen) if there else "" if mine else "; ".join(dict.fromkeys(unknown)) or "there is none",
        problems={finding.key: f"{finding.title}: {finding.text}" for finding in mine},
        since=min((finding.since for finding in mine if finding.since), default=None),
    )


def _ingester(seen: Snapshot) -> str:
    state = seen.ingester
    if state is None:
        return ""
    lag = "nothing yet" if state.lag_s is None else f"{state.lag_s:.1f} s behind {state.host or 'the source'}"
    silent = "" if state.silent_s is None else f", last sign of life {state.silent_s:.0f} s ago"
    return f"{lag}{silent}; {state.events:,} events ever"


def _buffer(seen: Snapshot) -> str:
    state = seen.buffer
    if state is None:
        return ""
    full = f"{state.share:.0%} of {size(state.max_bytes)}" if state.share is not None else size(state.used_bytes)
    events = "" if state.events is None else f", about {state.events:,} events"
    oldest = f", the oldest since {_clock(state.oldest)}" if state.oldest else ""
    return f"{full} used; {state.frames:,} frames wait{events}{oldest}"


def _batches(seen: Snapshot) -> str:
    state = seen.batches
    if state is None:
        return ""
    running = f", {len(state.running)} at work" if state.running else ""
    missing = sum(len(each.batches) for each in state.missing)
    took = "" if state.took_s is None else f" in {state.took_s:.0f} s"
    lacks = f", {missing} intervals missing" if missing else ""
    return f"newest {state.newest or 'none'}{took}; {state.published} of the last day{running}{lacks}"


def _quality(seen: Snapshot) -> str:
    state = seen.quality
    if state is None or state.span_error_rate is None:
        return "no events in the last day"
    return f"{state.quarantined:,} of {state.received:,} events quarantined ({state.span_error_rate:.2%})"


def _coverage(seen: Snapshot) -> str:
    state = seen.coverage
    if state is None:
        return ""
    shares = ", ".join(f"{share:.3%} of {hours} h" for hours, share in state.covered.items())
    return f"{shares}; {len(state.open)} gaps open"


def _lake(seen: Snapshot) -> str:
    disks = "; ".join(
        f"{each.name} {each.share:.0%} full, {size(each.free_bytes)} free" for each in seen.disks or ()
    )
    state = seen.storage
    if state is None or not state.rows:
        return disks or "nothing is in it yet"
    ratio = f", {state.ratio:.1f} times smaller than JSON" if state.ratio else ""
    return f"{size(state.bytes)} for {state.rows:,} rows of the last day{ratio}; {disks}".rstrip("; ")


def _clickhouse(seen: Snapshot) -> str:
    state = seen.summaries
    if state is None:
        return ""
    if not state.behind:
        return f"all {state.loaded} batches of the last day are loaded"
    return f"{state.behind} batches behind, {state.behind_s / 60:.0f} minutes"


def _backup(seen: Snapshot) -> str:
    state = seen.backup
    if state is None:
        return ""
    verified = "verified" if state.verified == state.last else f"last verified {state.verified or 'never'}"
    return f"the last set is {state.age_hours:.0f} hours old, {verified}" if state.last else "there is no set"


def _airflow(seen: Snapshot) -> str:
    state = seen.airflow
    if state is None:
        return ""
    return f"scheduler {state.scheduler}, DAG processor {state.dag_processor}, database {state.metadatabase}"


def _objectives(seen: Snapshot) -> str:
    state = seen.objectives
    if state is None:
        return ""
    stale, missing = max(state.stale.values(), default=0.0), max(state.missing.values(), default=0.0)
    answers = f", {max(seen.queries.bad.values()):.2%} of answers late" if seen.queries else ""
    return f"at worst {stale:.2%} of a window stale, {missing:.2%} with events missing{answers}"


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M:%S}"


_PLACES: Final = (
    _Place("ingester", ("ingester",), ("ingester_down", "no_data", "lag"), _ingester),
    _Place("redis", ("buffer",), ("redis_away", "redis_cannot_write", "buffer_fills_up", "foreign_data"), _buffer),
    _Place(
        "batches",
        ("batches",),
        ("task_failed", "batch_late", "batch_slow", "batches_missing"),
        _batches,
    ),
    _Place("quality", ("quality",), ("bad_data", "legacy_differs"), _quality),
    _Place("coverage", ("coverage",), ("gap", "retention_near", "archive_quota"), _coverage),
    _Place("lake", ("disks", "storage"), ("disk_fills_up", "unverified", "kept_although_over"), _lake),
    _Place("clickhouse", ("summaries",), ("clickhouse_away", "summaries_behind"), _clickhouse),
    _Place("backup", ("backup",), ("backup_old",), _backup),
    _Place(
        "airflow",
        ("airflow",),
        ("airflow_away", "scheduler_down", "dag_paused", "monitor_silent"),
        _airflow,
    ),
    _Place(
        "objectives",
        ("objectives", "queries", "trend", "certificates"),
        (
            *("freshness_burns", "coverage_burns", "queries_burn", "burns_slowly"),
            *("certificate_ends", "not_observable"),
        ),
        _objectives,
    ),
)
#: The alerts of all stations: a test compares them with the catalogue.
ALERTS: Final = frozenset(name for place in _PLACES for name in place.alerts)
