"""The SQL of a dataset: rows of a part of the hours, what is complete, which batches are there.

Lives here: text, as pure functions. Must not: ask ClickHouse, check what was asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from firehose import schema
from firehose.dataset.asked import ALL_EVENTS, Asked
from firehose.records.registry import REGISTRY
from firehose.warehouse.columns import SAMPLE
from firehose.warehouse.selects import quoted

_HOUR_US: Final = 3_600_000_000
#: The table that a request brings along: the accounts that are asked for.
ACCOUNTS: Final = "asked_accounts"
#: Rows of a request: each ends well within the time and memory that a query may take.
PART_ROWS: Final = 500_000
#: A batch is live if it wrote into an hour next to its interval, or into none; see completeness.sql.
_LIVE: Final = "empty(hours) OR arrayExists(h -> h + 7200 > start AND h < end + 3600, hours)"
#: When the first live batch begins, and the last one ends, in seconds since 1970; 0: there is none.
BOUNDS: Final = f"""
SELECT toUnixTimestamp(min(start)), toUnixTimestamp(max(end)) FROM ops.batches FINAL WHERE {_LIVE}"""
#: Hours before and after all live batches into which batches have written.
REPLAYED: Final = f"""
WITH
    (SELECT toStartOfHour(min(start)) FROM ops.batches FINAL WHERE {_LIVE}) AS first,
    (SELECT toStartOfHour(max(end) + 3599) FROM ops.batches FINAL WHERE {_LIVE}) AS last
SELECT DISTINCT arrayJoin(hours) AS hour FROM ops.batches FINAL WHERE hour < first OR hour >= last ORDER BY hour"""
#: Batches that follow each other as one span, in milliseconds since 1970: as many spans as outages.
RUNS: Final = """
SELECT toUnixTimestamp64Milli(min(batch)), toUnixTimestamp(max(end)) * 1000
FROM
(
    SELECT batch, end, sum(apart) OVER (ORDER BY batch ROWS UNBOUNDED PRECEDING) AS run
    FROM
    (
        SELECT batch, end, start > max(end) OVER (
            ORDER BY batch ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS apart
        FROM ops.batches FINAL
    )
)
GROUP BY run ORDER BY run"""


class Part(NamedTuple):
    """Hours whose rows are asked for in one request, from the first to before ``end``, in hours since 1970."""

    first: int
    end: int


def types_of(asked: Asked) -> list[str]:
    """The record types that are read."""
    return [*schema.EVENT_TYPES] if asked.record_type == ALL_EVENTS else [asked.record_type]


def hours(asked: Asked) -> str:
    """Each hour that batches have written into, in hours since 1970, and how many rows it may have."""
    types = _listed(types_of(asked))
    return (
        "SELECT intDiv(toUnixTimestamp(arrayJoin(hours)), 3600) AS number,"
        f" sum(arraySum(arrayMap((name, rows) -> if(name IN ({types}), rows, 0), counts.type, counts.stored))"
        " / length(hours))"
        f" FROM ops.batches FINAL GROUP BY number HAVING {_span(asked, 'number')} ORDER BY number"
    )


def completeness(asked: Asked) -> str:
    """What the view says of the hours and types that are asked for."""
    return (
        "SELECT hour_start, toString(type), share, seconds_missing, seconds_unaccounted, CAST(running, 'Bool')"
        f" FROM firehose.completeness WHERE type IN ({_listed(types_of(asked))})"
        f" AND {_span(asked, 'intDiv(toUnixTimestamp(hour_start), 3600)')} ORDER BY hour_start, type"
    )


def gaps(asked: Asked) -> str:
    """The open gaps of the span and types. A gap is of a queue; several types may come through one."""
    queues = sorted({REGISTRY[name].queue for name in types_of(asked)})
    limits = [f"filled = '' AND type IN ('', {_listed(queues)})"]
    if asked.since is not None:
        limits.append(f"toUnixTimestamp64Micro(end) > {asked.since}")
    if asked.until is not None:
        limits.append(f"toUnixTimestamp64Micro(start) < {asked.until}")
    return (
        "SELECT start, end, toString(type), toString(reason), host FROM ops.gaps"
        f" WHERE {' AND '.join(limits)} ORDER BY start, end, id"
    )


def parts(of_hours: Iterable[Sequence[float]]) -> Iterator[Part]:
    """Hours with their counts, in order, as parts of about :data:`PART_ROWS` rows, of one UTC day at most."""
    rows = 0.0
    first = last = None
    for number, count in of_hours:
        hour = int(number)
        if first is not None and last is not None and (rows + count > PART_ROWS or hour // 24 != first // 24):
            yield Part(first, last + 1)
            first, rows = None, 0.0
        first, last, rows = hour if first is None else first, hour, rows + count
    if first is not None and last is not None:
        yield Part(first, last + 1)


def rows(asked: Asked, runs: Sequence[tuple[int, int]], part: Part) -> str:
    """The rows of a part, as far as they are of published batches."""
    conditions = [
        f"hour_start >= toDateTime({part.first * 3600}, 'UTC')",
        f"hour_start < toDateTime({part.end * 3600}, 'UTC')",
        *([] if asked.since is None else [f"time_us >= {asked.since}"]),
        *([] if asked.until is None else [f"time_us < {asked.until}"]),
        _published(runs),
    ]
    if asked.accounts is not None:
        conditions.append(f"did IN {ACCOUNTS}")
    if asked.sample is not None:
        conditions.append(f"{_sampled(asked)} < {asked.sample!r}")
    columns = ", ".join(column.name for column in asked.shown)
    return f"SELECT {columns} FROM firehose.{asked.record_type} WHERE {' AND '.join(conditions)}"


def _published(runs: Sequence[tuple[int, int]]) -> str:
    spans = [
        f"batch >= fromUnixTimestamp64Milli({first}, 'UTC') AND batch < fromUnixTimestamp64Milli({end}, 'UTC')"
        for first, end in runs
    ]
    return f"({' OR '.join(spans) or 'false'})"


def _sampled(asked: Asked) -> str:
    """A number in [0, 1) of the account, or of the record: as the column sample, of another text."""
    if asked.sample_by == "account":
        return SAMPLE.name
    collection = REGISTRY[asked.record_type].collection
    record = f"concat(did, '/', {quoted(collection) if collection else 'collection'}, '/', rkey)"
    return SAMPLE.expression.replace("MD5(did)", f"MD5({record})")


def _span(asked: Asked, number: str) -> str:
    limits = []
    if asked.since is not None:
        limits.append(f"{number} >= {asked.since // _HOUR_US}")
    if asked.until is not None:
        limits.append(f"{number} * {_HOUR_US} < {asked.until}")
    return " AND ".join(limits) or "true"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(quoted, names))
