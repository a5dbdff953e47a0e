"""Counts of steps of which nothing else keeps a record, in a hash of Redis, which all workers share.

Lives here: how they are written and read. Must not: count what the ledger or a manifest says, or fail a step: a
count that Redis does not take is one line in the log.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Annotated, Any, Final, cast, get_args, get_origin, get_type_hints

import redis

from ingester.contract.logs import get_logger
from ingester.contract.metrics import Kind, Metric

log = get_logger(__name__)

#: Redis hash: a metric's name, with a label after a colon, and its number.
KEY: Final = "firehose:counts"


def add(client: redis.Redis, metric: Metric, by: float = 1, label: str = "") -> None:
    """Count ``by`` more of a counter, or set a gauge to it."""
    if metric.kind is Kind.COUNTER and not by:
        return
    field = f"{metric.name}:{label}" if label else metric.name
    try:
        if metric.kind is Kind.COUNTER:
            client.hincrbyfloat(KEY, field, by)
        else:
            client.hset(KEY, field, str(float(by)))
    except redis.RedisError as error:  # such as an ACL of an earlier version
        log.warning("not counted", metric=metric.name, by=by, reason=error)


def record(client: redis.Redis, result: object) -> None:
    """Add every number of a step's result that is annotated with its metric."""
    for name, hint in get_type_hints(type(result), include_extras=True).items():
        if get_origin(hint) is Annotated:
            value = getattr(result, name)
            labelled: Mapping[str, float] = value if isinstance(value, dict) else {"": value}
            for metric in (note for note in get_args(hint) if isinstance(note, Metric)):
                for label, number in labelled.items():
                    add(client, metric, number * metric.factor, label)


def counts(client: redis.Redis) -> dict[str, dict[tuple[str, ...], float]]:
    """Every count, by the metric's name and the value of its label.

    Raises:
        redis.RedisError: Redis does not answer, or refuses.
    """
    found: dict[str, dict[tuple[str, ...], float]] = defaultdict(dict)
    for field, value in cast(dict[bytes, bytes], cast(Any, client.hgetall(KEY))).items():
        name, _, label = field.decode(errors="replace").partition(":")
        try:
            found[name][(label,) if label else ()] = float(value)
        except ValueError:
            log.warning("not a number, so it is left out", key=KEY, field=name)
    return found
