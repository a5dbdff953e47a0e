"""Each benchmark runs, at its smallest size, and reports the figures that it promises, whatever they are."""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psutil
import pyarrow.parquet as pq
import pytest

from devstack.bench import batch, into, recovery
from devstack.bench.analysts import CHECKS, Sample
from devstack.bench.attacks import THREADS
from devstack.bench.concurrency import ConcurrencyReport, parts_of_batches
from devstack.bench.cookbook import ON_THE_LAKE, CookbookReport, chosen
from devstack.bench.hostile import Broken, Scale, bench_hostile
from devstack.bench.ingest import write_recording
from devstack.bench.pipeline import Pipeline
from devstack.bench.query import QueryReport
from devstack.bench.questions import JSONBENCH
from devstack.bench.report import BenchReport, PeakRss
from devstack.bench.search import SearchReport
from devstack.bench.storage import StorageReport
from devstack.bench.watch import Watch
from devstack.embedded.redis import RedisServer, free_port
from firehose.lake import layout
from firehose.warehouse.cookbook import recipes
from ingester.contract import wire
from jetstream_simulator import process as simulator
from tests.support.command import FIREHOSE, firehose
from tests.support.object_store import ObjectStore
from tests.support.processes import runs
from tests.support.waiting import until

EVENTS = 1000
#: One attacker of each kind, but none whose queries take all processors for as long as they are allowed to.
ATTACKERS = {name: 1 for name in THREADS if name not in ("greedy queries", "held results")}
#: With pauses, since attackers without any take all processors from the load, which is then what takes long.
SMALL = Scale(bomb_mib=1, patience_s=1.0, pause_s=2.0, timeout_s=1.0, loads_alone=1, threads=ATTACKERS)


def reported(name: str, events: int, *arguments: str) -> BenchReport:
    """What ``firehose bench NAME`` reports as JSON."""
    return msgspec.json.decode(printed(name, events, *arguments), type=BenchReport)


def printed(name: str, events: int, *arguments: str) -> str:
    """The JSON that ``firehose bench NAME`` prints."""
    command = [FIREHOSE, "bench", name, f"--events={events}", "--json"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FIREHOSE_")}
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def assert_measured(report: BenchReport, name: str, events: int = EVENTS) -> None:
    """The figures that every report has."""
    assert (report.name, report.events) == (name, events)
    assert report.baseline
    for figure in (report.events_per_s, report.baseline_events_per_s, report.ratio, report.peak_rss_mib):
        assert math.isfinite(figure) and figure > 0, report


def test_storage_of_the_first_hour_of_a_day() -> None:
    report = msgspec.json.decode(printed("storage", 24_000, "--hours=1"), type=StorageReport)
    assert (report.events, report.hours) == (1_000, 1)
    assert report.notes["saved_open"] < report.saved < 1
    assert report.bytes_per_like == report.bytes_by_type["likes"] < 100
    assert 800 < report.records_verified < 1_000  # the others are deletes, identities and accounts
    assert report.seconds.keys() == report.mib.keys() == {"close", "DuckDB"}
    assert all(figure > 0 for figure in (*report.seconds.values(), *report.mib.values()))


def test_search() -> None:
    report = msgspec.json.decode(printed("search", EVENTS, "--queries=24"), type=SearchReport)
    assert (report.events, report.posts, report.queries, report.differences) == (EVENTS, 120, 24, 0)
    assert 0 < report.found < 24
    assert 0 < report.ms["p50"] <= report.ms["p95"] <= report.ms["max"]
    assert report.bytes_per_post["post_texts"] > report.bytes_per_post["index words"] > 0


def test_query_of_the_first_hour_of_a_day() -> None:
    report = msgspec.json.decode(printed("query", 240_000, "--hours=1"), type=QueryReport)
    assert (report.events, report.hours) == (10_000, 1)
    everywhere = {"table_s", "lake_s", "json_table_s", "json_table_map_s", "duckdb_s"}
    assert all(report.queries[name].keys() == everywhere for name in JSONBENCH)
    assert all(seconds > 0 for places in report.queries.values() for seconds in places.values())
    assert 0 < report.bytes_per_event["ops.events"] < report.bytes_per_event["tables of events"]


@pytest.mark.timeout(900)  # GX validates six batches, which is slow where the processors have other work
def test_concurrency() -> None:
    report = msgspec.json.decode(
        printed("concurrency", 12 * EVENTS, "--analysts=3", "--seconds=2", "--rounds=1"), type=ConcurrencyReport
    )
    assert (report.events, report.analysts, report.errors, report.torn) == (12 * EVENTS, 3, 0, 0)
    assert report.alone_ms.keys() >= {"all", "account", "join of the lake", *CHECKS}
    assert report.together_ms.keys() <= report.alone_ms.keys() and report.together_ms["all"]["p95"] > 0
    assert report.per_core.keys() == report.together_ms.keys() and report.peak_rss_mib > 0
    assert report.loads_beside >= 3 and report.load_s.keys() == {"alone", "beside"}


def test_an_answer_with_a_part_of_a_batch_is_torn() -> None:
    whole = {"check: events": {("posts", "10:00"): 9, ("likes", "10:00"): 20}}

    def torn(*rows: tuple[str, str, int]) -> bool:
        return bool(parts_of_batches(Sample("check: events", 0.1, "", list(rows)), whole))

    assert (
        not torn() and not torn(("posts", "10:00", 9), ("likes", "10:00", 20)) and not torn(("posts", "10:00", 0))
    )
    assert torn(("posts", "10:00", 8)) and torn(("posts", "10:00", 18)) and torn(("posts", "11:00", 9))


def test_cookbook() -> None:
    """Some of the recipes: all of them are asked by the tests of their answers."""
    asked = ["01_what_is_there", "02_events_by_minute"]  # the other one needs no baseline
    options = ["--hours=1", "--rounds=1", *(f"--recipe={name}" for name in asked)]
    report = msgspec.json.decode(printed("cookbook", 240_000, *options), type=CookbookReport)
    assert report.events == 10_000
    assert ([*report.recipes], [*report.on_the_lake]) == (asked, asked[:1])
    figures = [*report.recipes.values(), *report.on_the_lake.values()]
    assert not [each.error for each in figures if each.error]
    assert all(each.first_s > 0 and each.hot_s > 0 for each in figures)
    assert report.recipes["01_what_is_there"].rows < report.on_the_lake["01_what_is_there"].rows


def test_a_recipe_of_another_name_is_refused() -> None:
    done = firehose("bench", "cookbook", "--recipe=01_whatever", home="/nonexistent")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no recipe is named 01_whatever" in done.stderr and "Traceback" not in done.stderr


def test_without_names_all_recipes_are_measured() -> None:
    assert chosen(()) == recipes()


def test_each_baseline_is_that_of_a_recipe() -> None:
    assert {path.stem for path in ON_THE_LAKE.glob("*")} < {recipe.name for recipe in recipes()}


def test_layout() -> None:
    report = reported("layout", 24_000)
    assert 10_000 < report.events < 24_000
    compared = {
        name: report.notes[f"{name}, closed, large account: rows compared"] for name in ("flat", "by user")
    }
    assert compared == {"flat": report.events, "by user": 0}
    assert report.notes["flat, closed, small account: rows compared"] < report.events


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_benchmark_that_is_stopped_leaves_nothing_running(number: signal.Signals) -> None:
    command = [FIREHOSE, "bench", "catchup", "--events=2000000"]  # it starts its Redis first
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    process = psutil.Process(running.pid)
    until(lambda: any("redis-server" in child.name() for child in process.children()), what="it starts a Redis")
    end_and_await_children(running, number)


PIPELINE = """
import signal, sys
from pathlib import Path
from devstack.bench.pipeline import Pipeline
from devstack.bench.recovery import settings_of
from devstack.embedded.redis import free_port
port = free_port()
Pipeline(settings_of(Path(sys.argv[1]), free_port(), port), port, with_airflow=False).start()
print("started", flush=True)
signal.pause()
"""


def test_the_pipeline_of_a_benchmark_that_is_killed_ends_with_it(tmp_path: Path) -> None:
    running = subprocess.Popen([sys.executable, "-c", PIPELINE, tmp_path], stdout=subprocess.PIPE)
    assert running.stdout is not None
    with running.stdout as said:
        assert said.readline() == b"started\n"
    assert len(psutil.Process(running.pid).children()) == 3, "Redis, ClickHouse, ingester"
    end_and_await_children(running, signal.SIGKILL)


def end_and_await_children(running: subprocess.Popen[bytes], number: signal.Signals) -> None:
    children = psutil.Process(running.pid).children(recursive=True)
    running.send_signal(number)
    assert running.wait(60) != 0
    try:
        until(lambda: not any(map(runs, children)), what="its processes end")
    finally:
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()


def test_ingest() -> None:
    events = 20 * EVENTS  # fewer come in one write
    report = reported("ingest", events, "--runs=1")
    assert_measured(report, "ingest", events)
    assert report.notes["runs"] == 1
    assert 0 < report.notes["events_per_s_min"] <= report.events_per_s <= report.notes["events_per_s_max"]


def test_catchup() -> None:
    report = reported("catchup", EVENTS)
    assert_measured(report, "catchup")
    assert list(report.seconds) == ["drain", "validate", "publish"]
    for step, took in report.seconds.items():
        assert took >= 0 and report.notes[f"{step} events/s"] > 0 and report.notes[f"{step} MiB"] > 0
    assert report.notes["redis bytes per event"] > 0 and report.notes["limit MiB"] > 0


@pytest.mark.timeout(600)  # a load under attack is slow where the processors have other work
def test_hostile() -> None:
    try:
        report = bench_hostile(1, EVENTS, SMALL)
    except Broken as broken:  # this machine has other work, so an answer to /ping may be late
        assert "/ping p99" in str(broken) and ";" not in str(broken)
        report = broken.report
    assert_measured(report, "hostile")
    assert report.notes["loads"] > 0 and report.notes["pings"] > 1 and report.notes["budget MiB"] > 0
    assert set(report.seconds) == {"load", "load without attack", "ping p50", "ping p99", "ping max"}
    assert 0 < report.seconds["ping p50"] <= report.seconds["ping p99"] < math.inf
    for attack in ATTACKERS:
        assert report.notes[f"rounds of {attack}"] > 0, "every attack took place"


def test_a_ping_without_a_good_answer_counts_as_a_late_one() -> None:
    """Refused at once, or answered by something else."""
    with socket.create_server(("127.0.0.1", 0)) as taken, ThreadPoolExecutor(1) as pool:
        watch = Watch(os.getpid(), f"http://127.0.0.1:{taken.getsockname()[1]}")
        answered = pool.submit(_answer_once, taken)
        with watch.watching():
            answered.result()
            taken.close()
            until(lambda: len(watch.pings) >= 3)
    assert min(watch.pings) > 1, "beyond the bound of the bench"


def _answer_once(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")


def test_what_the_batch_bench_does_before_and_beside_airflow(tmp_path: Path) -> None:
    recording = tmp_path / "events.jsonl"
    write_recording(recording, EVENTS)
    assert batch.baseline(recording, tmp_path) > 0
    with RedisServer(tmp_path) as server:
        first = int(time.time()) + 5  # instead of the next whole minute: it may be most of a minute away
        begins = datetime.fromtimestamp(first, UTC).isoformat()
        settings = msgspec.structs.replace(batch.settings_of(tmp_path, server.url), start_date=begins)
        minute = batch.fill(settings, recording, EVENTS, ingest_s=20)
        assert recovery.events_in_redis(settings) == EVENTS
        with server.client() as client:
            started_ms = int(client.hget(wire.METADATA_KEY, wire.META_FIRST_START_MS) or 0)
        assert started_ms >= first * 1000, "the DAG has no run for what comes before its first interval"
        assert minute.timestamp() == started_ms // 60_000 * 60


def test_what_the_batch_bench_puts_into_an_hour_beforehand(tmp_path: Path) -> None:
    hour = datetime(2026, 11, 20, 10, tzinfo=UTC)
    with RedisServer(tmp_path) as server:
        settings = batch.settings_of(tmp_path, server.url)
        assert into.prefill(server, settings, hour, EVENTS, EVENTS) == 1
    files = list(settings.local_lake.glob("year=*/**/*.parquet"))
    assert {layout.hour_of_file(path) for path in files} == {int(hour.timestamp()) // 3600}
    assert sum(pq.read_metadata(path).num_rows for path in files) == EVENTS


def test_what_the_recovery_bench_starts_and_kills_beside_airflow(tmp_path: Path) -> None:
    recording, port, redis_port = tmp_path / "events.jsonl", free_port(), free_port()
    write_recording(recording, EVENTS)
    settings = recovery.settings_of(tmp_path, port, redis_port)
    with (
        simulator.start([f"--replay={recording}", "--once", f"--retention={EVENTS}", "--port", str(port)]),
        Pipeline(settings, redis_port, with_airflow=False) as pipeline,
    ):
        before = alive()
        last_us = recovery.last_us(recording)
        for _ in range(2):
            pipeline.start()
            recovery.await_reached(lambda: recovery.newest_us(settings) >= last_us, "the events")
            assert recovery.events_in_redis(settings) >= EVENTS
            pipeline.kill()
            assert alive() == before
            assert pipeline.peak_mib > 0


def test_a_short_measurement_has_a_peak_as_well() -> None:
    with PeakRss(os.getpid()) as peak:
        pass
    assert peak.mib > 0


def alive() -> set[int]:
    """The processes that this one has started, directly or not, and that still run."""
    children = psutil.Process().children(recursive=True)
    return {child.pid for child in children if runs(child)}


def test_listing_is_measured_in_a_bucket_beside_a_folder(bucket_store: ObjectStore) -> None:
    command = [FIREHOSE, "bench", "listing", "--hours=10", f"--store={bucket_store.uri('bench')}", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = msgspec.json.decode(done.stdout, type=BenchReport)
    assert_measured(report, "listing", 1000)
    assert {"bucket, list", "folder, list", "bucket, query of one hour"} < {*report.seconds}
    assert bucket_store.requests()
    assert bucket_store.lake(Path("/bench")).find("*/*/*/*/*/*") == [], "nothing is left"
