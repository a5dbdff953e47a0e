"""Conditions of alerts about where events come from: the ingester, Redis, gaps, the archive. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from firehose.alerts import catalogue, found
from firehose.alerts.limits import Limits
from firehose.alerts.state import Finding
from firehose.alerts.wording import length
from firehose.batch.gaps import GapLine
from firehose.observe import Snapshot
from firehose.observe.coverage import fillable
from firehose.observe.ingester import IngesterState
from firehose.settings import Settings
from ingester.contract.gap import Reason

_MIB: Final = 1024 * 1024
#: An operator needs this long to fetch what the source is about to forget.
_NOTICE: Final = timedelta(hours=4)
#: At most this many lines are listed one by one.
_LISTED: Final = 20
_MEANING: Final[dict[Reason, str]] = {
    Reason.LATE: "the host began later than it was asked to",
    Reason.REFUSED: "the host no longer has what was asked for",
    Reason.STALL: "connected, but nothing came",
    Reason.PARTIAL: "the host sends far less of this type than usual",
    Reason.OVERSIZE: "a message that was too large to be read was skipped",
    Reason.OUTAGE: "the ingester was away",
    Reason.REDIS_LOST: "Redis lost what it held",
    Reason.NOT_LISTENING: "nothing listened",
}


def ingester_down(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    """It has not flushed for a minute, or it was to be started and never was."""
    state, limit_s = seen.ingester, Limits.of(settings).silent_seconds
    if state is None:
        return
    if state.silent_s is None:
        started = settings.start_date and datetime.fromisoformat(settings.start_date).astimezone(UTC)
        if started and seen.at - started > timedelta(seconds=limit_s):
            yield found(catalogue.INGESTER_DOWN, {}, span="since this Redis was started")
    elif state.silent_s > limit_s:
        lasted = timedelta(seconds=state.silent_s)
        begun = seen.at - lasted
        yield found(catalogue.INGESTER_DOWN, _of(state), since=begun, span=f"for {length(lasted)}")


def no_data(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    """It runs, and was not connected in any of the latest minutes."""
    state, limits = seen.ingester, Limits.of(settings)
    if state is None or state.silent_s is None or state.silent_s > limits.silent_seconds:
        return
    unheard_s = state.unheard_s
    if unheard_s is None and state.first_start:
        unheard_s = (seen.at - state.first_start).total_seconds()
    if unheard_s and unheard_s > limits.unheard_seconds:
        host, since = state.host or "the source", seen.at - timedelta(seconds=unheard_s)
        yield found(catalogue.NO_DATA, _of(state), since=since, host=host, minutes=unheard_s / 60)


def lag(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    """Its last event is old, whether events come or not."""
    state = seen.ingester
    if state and state.lag_s and state.lag_s > Limits.of(settings).lag_seconds:
        yield found(catalogue.LAG, _of(state), minutes=state.lag_s / 60)


def buffer(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    """Redis uses more of its memory than it should."""
    state = seen.buffer
    if state and state.share and state.share > Limits.of(settings).buffer_share:
        oldest = f"{state.oldest:%Y-%m-%d %H:%M} UTC" if state.oldest else "an unknown time"
        details = {
            "memory": f"{state.used_bytes // _MIB} of {state.max_bytes // _MIB} MiB",
            "events": str(state.events if state.events is not None else "not known"),
        }
        details |= {name: f"{queue.frames} frames" for name, queue in state.queues.items() if queue.frames}
        yield found(catalogue.BUFFER, details, share=state.share, frames=state.frames, oldest=oldest)


def redis_disk(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    """Redis' last write of its file failed."""
    if seen.buffer and seen.buffer.aof_ok is False:
        yield found(catalogue.REDIS_DISK, {})


def gap(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    """Gaps that are open for a while, and that the source may still fill: what is older stays in the ledger."""
    lines = _recent(settings, seen)
    ripe = timedelta(seconds=Limits.of(settings).gap_seconds)
    lines = [line for line in lines if seen.at - _time(line.noted_us) >= ripe]
    if lines:
        details = {f"gap {n}": _line(line) for n, line in enumerate(lines[:_LISTED], 1)}
        if len(lines) > _LISTED:
            details["and"] = f"{len(lines) - _LISTED} more"
        title = "a gap" if len(lines) == 1 else f"{len(lines)} gaps"
        since = min(_time(line.noted_us) for line in lines)
        yield found(catalogue.GAP, details, since=since, gaps=title)


def retention(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    """Open gaps whose beginning the source forgets within hours."""
    kept = timedelta(seconds=Limits.of(settings).source_seconds)
    near = [line for line in _recent(settings, seen) if seen.at > _time(line.from_us) + kept - _NOTICE]
    if near:
        details = {f"gap {n}": _line(line) for n, line in enumerate(near[:_LISTED], 1)}
        until = min(_time(line.to_us) for line in near) + kept
        yield found(catalogue.RETENTION, details, until=f"{until:%Y-%m-%d %H:%M} UTC")


def archive_quota(settings: Settings, seen: Snapshot) -> Iterator[Finding]:
    """Backfills have nearly used what they may download today."""
    state = seen.archive
    if state and state.share is not None and state.share >= Limits.of(settings).archive_share:
        used, limit = state.used_bytes // _MIB, state.limit_bytes // _MIB
        yield found(catalogue.ARCHIVE_QUOTA, {}, share=state.share, used=used, limit=limit)


def _recent(settings: Settings, seen: Snapshot) -> list[GapLine]:
    return fillable(settings, seen.coverage.open, seen.at) if seen.coverage else []


def _of(state: IngesterState) -> dict[str, str]:
    flushed, beat = (f"{at:%Y-%m-%dT%H:%M:%SZ}" if at else "never" for at in (state.last_flush, state.heartbeat))
    return {"host": state.host or "none", "last flush": flushed, "last heartbeat": beat, "writer": state.writer}


def _line(line: GapLine) -> str:
    return f"{line}, {_MEANING[line.reason]}"


def _time(moment_us: int) -> datetime:
    """A time of a source, which may be any number: what no calendar has is now or long ago."""
    return datetime.fromtimestamp(min(max(moment_us, 0) / 1e6, 4e9), UTC)
