"""The ingester's own metrics: right while it works, and never in the stream's way."""

from __future__ import annotations

import socket
import urllib.request
from contextlib import closing

import redis
from prometheus_client.parser import text_string_to_metric_families as parsed

from ingester.contract import metrics
from ingester.contract.losses import LossPath
from tests.support.ingester import Ingest, Source, event, first_events, letters, until_stored
from tests.support.waiting import until

Samples = dict[tuple[str, str], float]


def scrape(port: int) -> Samples:
    """Every sample by its name and the value of its label."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        families = list(parsed(answer.read().decode()))
    return {
        (sample.name, "".join(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def test_what_it_counts_is_exported_and_every_series_is_there_from_the_start(
    ingest: Ingest, redis_client: redis.Redis, free_port: int
) -> None:
    messages = first_events(400)
    messages[100] = b"no event"
    messages[200] = b'{"kind":"#undecodable","time_us":%d}' % (1_700_000_000_000_000 + 200_000)
    with Source(messages) as source, ingest(source.url, ingester_metrics=f"127.0.0.1:{free_port}"):
        until_stored(redis_client, 399)
        until(lambda: scrape(free_port)[metrics.WAITING.name, ""] == 0)
        found = scrape(free_port)
    assert {name for name, _ in found} >= {metric.name for metric in metrics.OF_PROCESS}
    assert "process_cpu_seconds_total" in {name for name, _ in found}
    assert found[metrics.CONNECTED.name, ""] == found[metrics.WRITER.name, ""] == 1
    assert found[metrics.LOSSES.name, LossPath.DEAD_LETTER.code] == len(letters(redis_client)) == 2
    assert found[metrics.LOSSES.name, LossPath.FORGOTTEN.code] == 0
    assert found[metrics.FLUSHES.name, ""] > 0
    assert found[metrics.FLUSH_SECONDS.name, ""] > 0


def test_a_lost_connection_and_its_gap_are_counted(
    ingest: Ingest, redis_client: redis.Redis, free_port: int
) -> None:
    options = {"ingester_metrics": f"127.0.0.1:{free_port}", "data_timeout_s": 0.5}
    with Source(first_events(10)) as source, ingest(source.url, **options):
        until_stored(redis_client, 9)
        until(lambda: scrape(free_port)[metrics.DISCONNECTS.name, "silent"] >= 1)
        assert scrape(free_port)[metrics.GAPS_NOTED.name, "stall"] >= 1


def test_a_client_that_says_nothing_does_not_stop_the_stream(
    ingest: Ingest, redis_client: redis.Redis, free_port: int
) -> None:
    with Source(first_events(10)) as source, ingest(source.url, ingester_metrics=f"127.0.0.1:{free_port}"):
        until_stored(redis_client, 9)
        with closing(socket.create_connection(("127.0.0.1", free_port))):
            source.messages += [event(number) for number in range(10, 500)]
            until_stored(redis_client, 499)


def test_an_address_that_is_taken_is_one_line_in_the_log(ingest: Ingest, redis_client: redis.Redis) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken, Source(first_events(10)) as source:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with ingest(source.url, ingester_metrics=address) as process:
            until_stored(redis_client, 9)
        assert process.said(f"event=metrics_unavailable address={address}")
