"""The pipeline as a flow of stations, each with its live figures.

A station's state follows from what has to be zero. Pure functions of a look. Must not: judge anything by itself,
read anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from firehose.observe import Snapshot
from firehose_page import words
from firehose_page.expect_zero import Zero
from firehose_page.watch import Look


class Station(NamedTuple):
    """``figure`` is its main one, ``of`` says of what; ``lines`` are names with values.

    ``unknown``: why there are none.
    """

    key: str
    name: str
    figure: str
    of: str
    lines: list[tuple[str, str]]
    state: str
    unknown: str = ""


def stations(look: Look, row: Sequence[Zero]) -> list[Station]:
    """All of them, in the order of an event's way."""
    makers: list[tuple[str, str, str, Callable[[Look], _Figures | None]]] = [
        ("jetstream", "Jetstream", "ingester", _jetstream),
        ("ingester", "Ingester", "ingester", _ingester),
        ("redis", "Redis", "buffer", _redis),
        ("drain", "Drain", "batches", _drain),
        ("validate", "Validate", "quality", _validate),
        ("publish", "Publish", "batches", _publish),
        ("lake", "Lake", "storage", _lake),
        ("clickhouse", "ClickHouse", "summaries", _clickhouse),
    ]
    return [_station(look, row, *maker) for maker in makers]


class _Figures(NamedTuple):
    figure: str
    of: str
    lines: list[tuple[str, str]]


def _station(
    look: Look, row: Sequence[Zero], key: str, name: str, part: str, make: Callable[[Look], _Figures | None]
) -> Station:
    figures = make(look)
    if figures is None:
        why = look.snapshot.unknown.get(part, "nothing was published yet")
        return Station(key, name, "?", "", [], "unknown", why)
    look_at = any(zero.station == key and zero.state == "look" for zero in row)
    return Station(key, name, *figures, "look" if look_at else "fine")


def _jetstream(look: Look) -> _Figures | None:
    if (known := look.snapshot.ingester) is None:
        return None
    return _Figures(
        words.span(known.lag_s),
        "behind the network",
        [
            ("host", known.host.partition("://")[2] or known.host or "none yet"),
            ("protocol", known.protocol or "none"),
        ],
    )


def _ingester(look: Look) -> _Figures | None:
    if (known := look.snapshot.ingester) is None:
        return None
    lines = [("in all", words.count(known.events)), ("flushed", _ago(known.silent_s))]
    return _Figures(
        words.count(_rate(look.snapshot)), "events/min", [*lines, ("cursor", words.clock(known.cursor_time))]
    )


def _rate(snapshot: Snapshot) -> float | None:
    """Of the last 24 hours' batches."""
    known = snapshot.batches
    return known.events / (known.published * known.length_s / 60) if known and known.published else None


def _redis(look: Look) -> _Figures | None:
    if (known := look.snapshot.buffer) is None:
        return None
    waits = known.events if known.events is not None else known.frames
    oldest = (look.snapshot.at - known.oldest).total_seconds() if known.oldest else None
    memory = words.size(known.used_bytes)
    return _Figures(
        words.count(waits),
        "events wait" if known.events is not None else "frames wait",
        [
            ("memory", f"{memory}, {words.share(known.share)}" if known.share is not None else memory),
            ("oldest", words.span(max(0.0, oldest)) if oldest is not None else "none"),
        ],
    )


def _drain(look: Look) -> _Figures | None:
    if (known := look.snapshot.batches) is None or not look.day:
        return None
    last = look.day[-1]
    lines = [("at work", words.count(len(known.running))), ("last", words.clock(last.drained_at))]
    return _Figures(words.size(last.bytes), "in the last batch", lines)


def _validate(look: Look) -> _Figures | None:
    if (known := look.snapshot.quality) is None:
        return None
    lines = [("set aside", words.count(known.quarantined)), ("in 24 h", words.share(known.span_error_rate))]
    return _Figures(words.share(known.error_rate), "bad in the last", lines)


def _publish(look: Look) -> _Figures | None:
    if (known := look.snapshot.batches) is None or known.published_at is None:
        return None
    age = (look.snapshot.at - known.published_at).total_seconds()
    lines = [("batches", words.count(known.published)), ("took", words.span(known.took_s))]
    return _Figures(words.span(max(0.0, age)), "since the last", lines)


def _lake(look: Look) -> _Figures | None:
    if (known := look.snapshot.storage) is None:
        return None
    disk = next((disk for disk in look.snapshot.disks or [] if disk.name == "lake"), None)
    lines = [("size", words.size(known.bytes)), ("disk", words.share(disk.share) if disk else "a bucket")]
    return _Figures(words.count(known.rows), "rows of 24 h", lines)


def _clickhouse(look: Look) -> _Figures | None:
    if (known := look.snapshot.summaries) is None:
        return None
    lines = [("loaded", words.count(known.loaded)), ("last", words.clock(known.loaded_at))]
    return _Figures(words.count(known.behind), "batches behind", lines)


def _ago(seconds: float | None) -> str:
    return f"{words.span(seconds)} ago" if seconds is not None else "never"
