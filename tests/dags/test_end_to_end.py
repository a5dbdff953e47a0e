"""Both DAGs under `airflow dags test`: real Redis, ingester, simulator and engine; then cleared and run again."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec
import pytest

from devstack.embedded import clickhouse as endpoint
from devstack.embedded.ingester import ingester_process
from devstack.embedded.redis import RedisServer, free_port
from firehose import schema
from firehose.backup.coverage import coverage
from firehose.batch.interval import Batch
from firehose.batch.manifest import folder_of
from firehose.lake.ledger import entry_path, read_entry
from firehose.lake.verify import verify
from firehose.settings import Settings
from firehose.warehouse.client import connect
from ingester.contract import wire
from ingester.contract.gap import Gap, Reason
from jetstream_simulator import process as simulator
from tests.support.pipeline import taken
from tests.support.waiting import until
from tests.support.warm import Warm

EVENTS = 2000
GENERATED = ([f"--events={EVENTS}", "--rate=0", "--malformed=0.02", "--seed=7"], EVENTS)
# Recorded traffic is not part of the project: it lies beside it on the developers' machines.
TAPES = sorted((Path(__file__).parents[3] / "shared" / "events").glob("*.jsonl"))
LINES = {line for tape in TAPES for line in tape.read_bytes().splitlines() if line.strip()}
RECORDED = ([*(f"--replay={tape}" for tape in TAPES), "--once"], sum(1 for tape in TAPES for _ in tape.open("rb")))
MINUTE_MS = 60_000


@pytest.fixture
def settings(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """A pipeline whose services run, and which has taken in all events of a finite source."""
    arguments, events = getattr(request, "param", GENERATED)
    with RedisServer(tmp_path) as server, simulator.start(arguments) as source:
        ready = Settings(
            home=str(tmp_path),
            lake=str(tmp_path / "lake"),
            redis_url=server.url,
            jetstream_url=source.url,
            start_cursor=1,
            rewind_ms=0,
            batch_minutes=1,
            start_date="2026-01-01T00:00:00Z",
            clickhouse_url=f"http://127.0.0.1:{free_port()}",
            clickhouse_loader_password=secrets.token_urlsafe(),
            clickhouse_analyst_password=secrets.token_urlsafe(),
        )
        with server.client() as client, ingester_process(ready):
            until(lambda: taken(client) >= events, what=f"the ingester has {events} events")
        with endpoint.start(ready):
            yield ready


@pytest.fixture
def batch(settings: Settings) -> Batch:
    """A whole minute of the past, into which every entry is moved, so that no test has to wait for one to end."""
    with RedisServer(settings.home_path, urlsplit(settings.redis_url).port or 0).client() as client:
        now_ms = cast(tuple[int, int], client.time())[0] * 1000
        start_ms = (now_ms // MINUTE_MS - 2) * MINUTE_MS
        for queue in wire.QUEUES:
            key = wire.stream_key(queue)
            entries = cast(list[tuple[bytes, dict[bytes, bytes]]], client.xrange(key))
            client.delete(key)
            for number, (_, fields) in enumerate(entries, 1):
                client.xadd(key, cast(Any, fields), id=f"{start_ms + number}-0")
    start = datetime.fromtimestamp(start_ms / 1000, UTC)
    return Batch.of(start, start + timedelta(minutes=1))


def test_the_dags_bring_every_event_to_clickhouse_and_a_rerun_changes_nothing(
    warm_airflow: Warm, settings: Settings, batch: Batch
) -> None:
    note_gap(settings, batch)
    log = run_dag(warm_airflow, settings, "firehose_batch", batch.end)
    assert re.search(r"gap in coverage.*wss://one \(v1\): late", log)
    run_dag(warm_airflow, settings, "firehose_summaries", batch.end)
    with closing(connect(settings, "analyst")) as client:
        assert client.command("SELECT count() FROM ops.gaps WHERE filled = ''") == 1
    entry = read_entry(entry_path(settings.lake_path, batch))
    assert entry is not None
    counts = entry.counts.values()
    assert sum(count.received for count in counts) == EVENTS
    assert sum(count.good + count.quarantined + count.duplicates for count in counts) == EVENTS
    assert sum(count.quarantined for count in counts) > 0, "the simulator was asked for odd events"
    report = verify(settings.lake_path)
    assert report.ok and sum(counts.verified for counts in report.types.values()) > 900, report.problems
    first = everything(settings)
    assert sum(first[name][0] for name in schema.TYPES) == sum(count.stored for count in counts)
    with RedisServer(settings.home_path, urlsplit(settings.redis_url).port or 0).client() as client:
        assert not any(client.xlen(wire.stream_key(queue)) for queue in wire.QUEUES)

    kept = msgspec.structs.replace(settings, backup=str(settings.home_path / "kept"))
    run_dag(warm_airflow, kept, "firehose_backup", batch.end)
    held = coverage(kept)
    manifest = folder_of(settings.lake_path, batch) / "manifest.json"
    assert held is not None and held.holds_batch(batch.id, manifest.sha256())

    # Airflow clears a run that exists before it tests it again.
    run_dag(warm_airflow, settings, "firehose_batch", batch.end)
    run_dag(warm_airflow, settings, "firehose_summaries", batch.end)
    assert everything(settings) == first


@pytest.mark.skipif(not TAPES, reason="the recorded events are not here")
@pytest.mark.parametrize("settings", [RECORDED], indirect=True)
def test_recorded_events_pass_the_dags_and_match_their_cids(
    warm_airflow: Warm, settings: Settings, batch: Batch
) -> None:
    run_dag(warm_airflow, settings, "firehose_batch", batch.end)
    run_dag(warm_airflow, settings, "firehose_summaries", batch.end)
    entry = read_entry(entry_path(settings.lake_path, batch))
    assert entry is not None
    counts = entry.counts.values()
    assert sum(count.received for count in counts) == RECORDED[1]
    assert sum(count.stored + count.quarantined for count in counts) <= len(LINES)
    assert sum(count.quarantined for count in counts) == 0
    report = verify(settings.lake_path)
    assert report.ok, report.problems
    assert sum(counts.verified for counts in report.types.values()) > 900
    assert sum(counts.mismatched + counts.unverifiable for counts in report.types.values()) == 0
    with closing(connect(settings, "analyst")) as client:
        loaded = client.command("SELECT sum(events) FROM firehose.events_by_minute")
    assert loaded == sum(count.stored for count in counts)


def note_gap(settings: Settings, batch: Batch) -> None:
    """A record of the coverage stream in the batch's interval."""
    gap = Gap(id="g", reason=Reason.LATE, from_us=1, to_us=2, noted_us=3, host="wss://one", protocol="v1")
    fields: Any = {wire.FIELD_GAP: msgspec.json.encode(gap)}
    with RedisServer(settings.home_path, urlsplit(settings.redis_url).port or 0).client() as client:
        client.delete(wire.COVERAGE_KEY)
        client.xadd(wire.COVERAGE_KEY, fields, id=f"{batch.start_ms}-1")


def run_dag(warm_airflow: Warm, settings: Settings, dag_id: str, logical_date: datetime) -> str:
    """`airflow dags test`, which must end in success with no task skipped. Returns its log."""
    done = warm_airflow.airflow(
        "dags", "test", dag_id, f"{logical_date:%Y-%m-%dT%H:%M:%SZ}", **variables(settings)
    )
    assert done.returncode == 0, done.stdout[-8000:]
    assert re.search(r"DagRun Finished.*state=success", done.stdout), done.stdout[-3000:]
    assert "new_state=skipped" not in done.stdout
    return done.stdout


def variables(settings: Settings) -> dict[str, str]:
    """The settings as a process gets them."""
    return {f"FIREHOSE_{name.upper()}": str(value) for name, value in msgspec.structs.asdict(settings).items()}


def everything(settings: Settings) -> dict[str, tuple[int, bytes]]:
    """Rows and sorted content of every view and table that an analyst sees."""
    found: dict[str, tuple[int, bytes]] = {}
    with closing(connect(settings, "analyst")) as client:
        # Of a view with parameters the engine lists no columns.
        listed = "SELECT DISTINCT table FROM system.columns WHERE database = 'firehose' ORDER BY table"
        names = [row[0] for row in client.query(listed).result_rows]
        assert set(schema.TYPES) < set(names)
        for name in names:
            columns = client.query(f"DESCRIBE TABLE firehose.{name}").result_rows
            # A state's bytes depend on the order of its input; what a query makes of it does not.
            selected = ", ".join(
                f"finalizeAggregation({column})" if kind.startswith("AggregateFunction") else column
                for column, kind, *_ in columns
            )
            content = client.raw_query(f"SELECT {selected} FROM firehose.{name} ORDER BY ALL FORMAT TSV")
            found[name] = (content.count(b"\n"), content)
    return found
