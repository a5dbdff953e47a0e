"""Benchmarks of what answers: queries, the cookbook, search, many readers, attackers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from firehose_cli import logs
from firehose_cli.bench.report import Events, Json, Rounds, printed


def query(
    events: Annotated[int, typer.Option(min=24_000, help="How many events the day has.")] = 1_000_000,
    hours: Annotated[int, typer.Option(min=1, max=24, help="How many of its hours to simulate.")] = 24,
    json_table: Annotated[bool, typer.Option(help="Fill ClickHouse's JSON table beside.")] = True,
    as_json: Json = False,
) -> None:
    """Questions on the tables, the lake, ClickHouse's JSON table, and in DuckDB. 10 million take half an hour."""
    from devstack.bench.query import bench_query

    printed(bench_query(events, hours, with_json=json_table), as_json)


def cookbook(
    events: Annotated[int, typer.Option(min=24_000, help="How many events the day has.")] = 1_000_000,
    hours: Annotated[int, typer.Option(min=1, max=24, help="How many of its hours to simulate.")] = 24,
    rounds: Rounds = 3,
    recipe: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads it at run time
        typer.Option(help="Measure this recipe only, say 01_what_is_there; may be given again."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Each recipe of the cookbook on a simulated day, beside the lake. 10 million events take an hour.

    The JSON is what the cookbook's page takes its figures from (docs/cookbook.json).
    """
    from devstack.bench.cookbook import bench_cookbook

    printed(bench_cookbook(events, hours, rounds, recipe or ()), as_json)


def search(
    events: Events = 1_000_000,
    queries: Annotated[int, typer.Option(min=20, help="How many random queries.")] = 5_000,
    as_json: Json = False,
) -> None:
    """Random searches in many scripts over the posts of a simulated day, with the text index and without it.

    A million events take about fifteen minutes, most of them without the index. Exits with 1 if a query finds
    other posts without it.
    """
    from devstack.bench.search import bench_search
    from firehose.errors import FirehoseError

    report = bench_search(events, queries)
    printed(report, as_json)
    if report.differences:
        raise FirehoseError(f"{report.differences} queries found other posts without the index: report this")


def concurrency(
    events: Annotated[int, typer.Option(min=12_000, help="How many events the day has.")] = 600_000,
    analysts: Annotated[int, typer.Option(min=1, max=48, help="How many ask at a time.")] = 16,
    seconds: Annotated[int, typer.Option(min=1, help="How long they ask.")] = 60,
    rounds: Rounds = 10,
    as_json: Json = False,
) -> None:
    """Many analysts at the embedded endpoint while batches are loaded, beside one alone.

    Exits with 1 if a question failed, or an answer had a part of a batch.
    """
    from devstack.bench.concurrency import bench_concurrency
    from firehose.errors import FirehoseError

    logs.progress()
    report = bench_concurrency(events, analysts, seconds, rounds)
    printed(report, as_json)
    if report.errors or report.torn:
        raise FirehoseError(
            f"bench concurrency: {report.errors} questions failed, {report.torn} answers had a part of a batch:"
            f" {report.first_fault}"
        )


def page(
    events: Annotated[int, typer.Option(min=24_000, help="How many events the day has.")] = 1_000_000,
    readers: Annotated[int, typer.Option(min=1, max=48, help="How many open views at a time.")] = 25,
    seconds: Annotated[int, typer.Option(min=1, help="How long they do, without and with loads.")] = 60,
    rounds: Rounds = 20,
    pause: Annotated[float, typer.Option(min=0, help="Seconds that they look at a view, on average.")] = 2.0,
    day: Annotated[
        Path | None, typer.Option(help="A folder to make the day in, and to find it there the next time.")
    ] = None,
    as_json: Json = False,
) -> None:
    """The page for readers: each question of each view, a browser's first paint, readers beside loads.

    The baseline is the same readers with nothing loaded. 10 million events take half an hour to make. Exits with 1
    if a question failed, or the browser complained or asked another host.
    """
    from devstack.bench.page import bench_page
    from firehose.errors import FirehoseError

    logs.progress()
    report = bench_page(events, readers, seconds, rounds, pause, day)
    printed(report, as_json)
    if report.errors or report.complaints:
        raise FirehoseError(
            f"bench page: {report.errors} questions failed, {report.complaints} complaints of the browser:"
            f" {report.first_fault}"
        )


def hostile(
    seconds: Annotated[int, typer.Option(min=1, help="How long to attack.")] = 60,
    events: Events = 300_000,
    as_json: Json = False,
) -> None:
    """Attack the embedded ClickHouse endpoint during a load: answers to /ping, memory, disk, the load's time.

    Exits with 1 if the load fails, /ping takes a second, or memory exceeds the budget by 512 MiB.
    """
    from devstack.bench.hostile import Broken, bench_hostile

    logs.progress()
    try:
        printed(bench_hostile(seconds, events), as_json)
    except Broken as broken:
        printed(broken.report, as_json)
        raise
