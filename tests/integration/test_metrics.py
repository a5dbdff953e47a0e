"""The list of metrics is closed: nothing else is counted, and all of it is."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, cast, get_args, get_origin, get_type_hints

import msgspec
import redis

from firehose import metrics
from firehose.backfill.run import backfill
from firehose.backup.coverage import state
from firehose.backup.prune import prune
from firehose.backup.run import backup
from firehose.backup.verify import verify as verify_backup
from firehose.batch import manifest
from firehose.batch.drain import drain
from firehose.iceberg import share
from firehose.lake.check import check
from firehose.lake.ledger import read_entry
from firehose.lake.publish import publish
from firehose.maintenance.run import Maintenance
from firehose.observed import OBSERVED
from firehose.quality.validate import validate
from firehose.warehouse.summaries import refresh
from ingester.buffer.exchange import Flush
from ingester.buffer.sink import Sink
from ingester.contract import metrics as ingester_metrics
from ingester.contract import wire
from ingester.contract.frame import Frame
from ingester.contract.metrics import Metric
from ingester.contract.redis_access import RedisAccess
from scripts.pages import metrics as metrics_page

DOCS = Path(__file__).parents[2] / "docs"
#: Every step that returns or stores counts. Whatever number is in what they return is a metric, but for these.
STEPS = (
    *(drain, manifest.read, validate, publish, read_entry, refresh, check, backfill),
    *(Maintenance.close, Maintenance.check, Maintenance.expire, share.follow),
    *(backup, verify_backup, prune, state),
)
NOT_COUNTS = re.compile(r".*_(us|ms)|cursor|hour")


def numbers(hint: Any, seen: set[type]) -> Iterator[tuple[str, list[Metric]]]:
    """The numeric fields that a type holds, at any depth, each with the metrics that it is annotated with."""
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    for part in get_args(hint):
        yield from numbers(part, seen)
    record = inspect.isclass(hint) and (issubclass(hint, msgspec.Struct) or hasattr(hint, "_fields"))
    if not record or hint in seen:
        return
    seen.add(hint)
    for name, field in get_type_hints(hint, include_extras=True).items():
        notes = [note for note in get_args(field)[1:] if isinstance(note, Metric)]
        plain = get_args(field)[0] if get_origin(field) is Annotated else field
        if plain in (int, float, dict[str, int]) and not NOT_COUNTS.fullmatch(name):
            yield f"{hint.__name__}.{name}", notes
        yield from numbers(field, seen)


def test_every_number_of_a_step_is_a_metric_of_the_list_and_every_metric_is_counted() -> None:
    seen: set[type] = set()
    found = dict(
        pair for step in STEPS for pair in numbers(get_type_hints(step, include_extras=True)["return"], seen)
    )
    assert {name for name, notes in found.items() if len(notes) != 1} == set(), (
        "annotate them, see firehose/metrics.py"
    )
    counted = {note for notes in found.values() for note in notes}
    assert set(metrics.METRICS) == counted | set(ingester_metrics.METRICS) | set(OBSERVED), (
        "a metric is in the list exactly if it annotates a field that a step of STEPS returns"
    )
    names = {(name.rpartition(".")[2], note) for name, notes in found.items() for note in notes}
    assert {note.name for note in counted if (note.field, note) not in names} == set(), "no field has this name"


def lag(client: redis.Redis) -> int:
    """What the ingester has last stored as its lag, in µs."""
    return int(cast(bytes, client.hget(wire.METADATA_KEY, ingester_metrics.LAG.field)))


def test_the_ingester_writes_its_metrics_and_its_state_and_nothing_else(
    redis_client: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    access = RedisAccess(redis_url, password_file=tmp_path / "redis-access" / "ingester")
    sink = Sink(access, "metrics", "ws://127.0.0.1/subscribe")
    sink.claim(15_000)
    frames = [Frame(queue, 1, 1, 1, b"x") for queue in wire.QUEUES]
    sink.write(Flush(frames, 1, True, 15_000, history=b"{}", resyncs=b"{}"))
    lags = [lag(redis_client)]
    sink.write(Flush((), 1, True, 15_000))
    lags.append(lag(redis_client))
    sink.close()
    assert lags[0] < lags[1], "an empty flush counts how far behind the last event has fallen since"
    queue_fields = {ingester_metrics.EVENTS_OF_QUEUE.field + queue for queue in wire.QUEUES}
    listed = {metric.field for metric in ingester_metrics.OF_METADATA} - {ingester_metrics.EVENTS_OF_QUEUE.field}
    written = {name.decode() for name in cast(list[bytes], redis_client.hkeys(wire.METADATA_KEY))}
    assert written == listed | queue_fields | set(ingester_metrics.STATE)
    assert redis_client.hget(wire.METADATA_KEY, ingester_metrics.EVENTS.field) == b"%d" % len(wire.QUEUES)


def test_names_are_unique_and_say_their_kind() -> None:
    names = [metric.name for metric in metrics.METRICS]
    assert len(set(names)) == len(names)
    for metric in metrics.METRICS:
        assert re.fullmatch(r"(firehose|process)_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter"), metric.name
        assert metric.help
        assert metric.unit


def test_the_metrics_page_is_current() -> None:
    assert (DOCS / "metrics.md").read_text() == metrics_page.page(), "write the pages again: make docs"
