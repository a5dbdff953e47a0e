"""``firehose metrics`` as a service and once, on a real Redis and lake."""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families as parsed

from firehose import exporter, metrics, observed
from firehose.batch import tally
from firehose.exporter.sums import SUMMED
from firehose.observe import PARTS
from firehose.settings import Settings
from firehose.warehouse.summaries import RefreshResult
from ingester.contract import metrics as of_ingester
from ingester.contract import wire
from ingester.contract.metrics import By
from tests.integration.monitoring.monitored import promtool
from tests.support.frames import add_frames, minutes
from tests.support.maintained import LIKES, published
from tests.support.waiting import until

Samples = dict[str, float]


@pytest.fixture
def settings(tmp_path: Path, redis_url: str, free_port: int) -> Settings:
    return Settings(
        home=str(tmp_path),
        lake=str(tmp_path / "lake"),
        redis_url=redis_url,
        batch_minutes=1,
        clickhouse_url="http://127.0.0.1:1",
        airflow_url="http://127.0.0.1:1",
        exporter_listen=f"127.0.0.1:{free_port}",
    )


def command(settings: Settings, *arguments: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FIREHOSE_")}
    given = ("home", "lake", "redis_url", "batch_minutes", "clickhouse_url", "airflow_url", "exporter_listen")
    environment |= {f"FIREHOSE_{name.upper()}": str(getattr(settings, name)) for name in given}
    run = [str(Path(sys.executable).with_name("firehose")), "metrics", *arguments]
    return subprocess.Popen(
        run, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )


def samples(text: str) -> Samples:
    """Every sample by its name and ``{value}`` of each label."""
    return {
        sample.name + "".join(f"{{{value}}}" for value in sample.labels.values()): sample.value
        for family in parsed(text)
        for sample in family.samples
    }


def shown(settings: Settings) -> Samples:
    out, said = (process := command(settings, "show")).communicate(timeout=120)
    assert process.returncode == 0, said
    return samples(out)


@contextmanager
def serving(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    process = command(settings, "serve")
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def scrape(settings: Settings) -> Samples:
    try:
        with urllib.request.urlopen(f"http://{settings.exporter_listen}/metrics", timeout=10) as answer:
            return samples(answer.read().decode())
    except OSError:
        return {}


def test_every_metric_of_the_list_has_a_place_that_gives_it() -> None:
    sources = [path.read_text() for path in Path(exporter.__path__[0]).glob("*.py")]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    used = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    modules = (metrics, observed, of_ingester)
    by_constant = {
        value: name for module in modules for name, value in vars(module).items() if value in metrics.METRICS
    }
    counted = {*metrics.OF_STEPS, *observed.OF_DRAINS, *SUMMED}
    expected = {metric for metric in metrics.METRICS if metric.by is By.EXPORTER}
    assert {metric.name for metric in expected - counted if by_constant[metric] not in used} == set()


def test_one_look_shows_redis_lake_and_machine_and_what_could_not_be_read(
    settings: Settings, redis_client: redis.Redis
) -> None:
    three = minutes(3)
    published(settings, redis_client, {three[0]: LIKES[:60], three[1]: LIKES[40:80]})
    add_frames(redis_client, wire.LIKES, LIKES[:200], three[2], events=100)
    found = shown(settings)
    assert found["firehose_received_events_total{likes}"] == 100
    # The later batch is published first, so the earlier one takes the copies from it.
    assert found["firehose_stored_events_total{likes}"] == 100
    assert found["firehose_displaced_events_total{likes}"] == 20
    assert found["firehose_published_batches_total"] == 2
    assert found["firehose_queue_frames{likes}"] == 2
    assert found["firehose_queue_bytes{likes}"] > 0
    assert found["firehose_newest_batch_end_timestamp_seconds"] == three[1].end.timestamp()
    assert found["firehose_host_memory_bytes{total}"] > found["firehose_host_memory_bytes{available}"] > 0
    assert found["firehose_service_processes{redis}"] >= 1
    unknown = {part for part in PARTS if not found[f"firehose_part_known{{{part}}}"]}
    assert unknown == {"summaries", "airflow"}
    assert "firehose_summaries_behind_batches" not in found, "what is not known has no value"
    assert found["firehose_probe_queries_total{failed}{lake}"] == 1


def test_what_steps_count_in_redis_is_shown(settings: Settings, redis_client: redis.Redis) -> None:
    for _ in range(2):
        tally.record(redis_client, RefreshResult((), (), hours=3, seconds=1.5, open_gaps=9))
    tally.add(redis_client, metrics.EXPIRED, 4, "raw")
    found = shown(settings)
    assert found["firehose_loaded_hours_total"] == 6
    assert found["firehose_refresh_seconds"] == 1.5
    assert found["firehose_expired_items_total{raw}"] == 4
    assert found["firehose_open_gaps"] == 0, "what the lake says goes before what a step said once"
    assert found["firehose_foreign_keys_total"] == 0, "there from the start"


def test_a_service_answers_while_it_looks_and_ends_when_it_is_told(
    settings: Settings, redis_client: redis.Redis
) -> None:
    with serving(settings) as process:
        until(lambda: "firehose_exporter_last_look_timestamp_seconds" in scrape(settings))
        assert "process_cpu_seconds_total" in scrape(settings)
        second = command(settings, "serve", "--listen", "127.0.0.1:0")
        _, said = second.communicate(timeout=60)
        assert (second.returncode, said.count("\n")) == (75, 1)
        assert "is in use by another `firehose metrics`" in said
        third = command(settings, "serve")
        _, said = third.communicate(timeout=60)
        assert (third.returncode, said.count("\n")) == (75, 1)
        assert "FIREHOSE_EXPORTER_LISTEN" in said
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_names_are_as_prometheus_wants_them(settings: Settings, redis_client: redis.Redis) -> None:
    """By its own checker: units, suffixes, help texts."""
    published(settings, redis_client, {minutes(1)[0]: LIKES[:60]})
    tally.record(redis_client, RefreshResult((), (), hours=3, seconds=1.5, open_gaps=9))
    page, _ = command(settings, "show").communicate(timeout=120)
    done = subprocess.run(
        [promtool(), "check", "metrics"], input=page, capture_output=True, text=True, timeout=60, check=False
    )
    # An hour is a thing of the lake there, not a unit.
    said = [
        line for line in (done.stdout + done.stderr).splitlines() if not re.search(r"_hours_total use base", line)
    ]
    assert said == []


def test_a_textfile_is_whole(settings: Settings, redis_client: redis.Redis, tmp_path: Path) -> None:
    target = tmp_path / "firehose.prom"
    process = command(settings, "show", "--textfile", str(target))
    out, said = process.communicate(timeout=120)
    assert (process.returncode, out) == (0, ""), said
    assert "firehose_redis_used_bytes" in samples(target.read_text())
    assert [path.name for path in tmp_path.glob("firehose.prom*")] == ["firehose.prom"]
