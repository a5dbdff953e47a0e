"""``firehose bench``: runs a benchmark and prints its figures."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from firehose_cli import logs

if TYPE_CHECKING:
    from devstack.bench.concurrency import ConcurrencyReport
    from devstack.bench.cookbook import CookbookReport
    from devstack.bench.page import PageReport
    from devstack.bench.query import QueryReport
    from devstack.bench.report import BenchReport
    from devstack.bench.search import SearchReport
    from devstack.bench.storage import StorageReport

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _stop_what_was_started() -> None:
    """Measure the pipeline on this machine, beside a baseline in the same run."""
    # SIGTERM ends a benchmark as Ctrl-C does: what it has started is stopped, and its folder removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


Events = Annotated[int, typer.Option(min=1000, help="How many events to measure with.")]
Rounds = Annotated[int, typer.Option(min=1, help="How often each question is asked, after a first time.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def ingest(
    events: Events = 400_000,
    runs: Annotated[int, typer.Option(min=1, help="How often to measure; medians are reported.")] = 3,
    as_json: Json = False,
) -> None:
    """Jetstream into Redis (fsync always), beside a bare websocket receive loop."""
    from devstack.bench.ingest import bench_ingest

    _print(bench_ingest(events, runs), as_json)


@app.command()
def batch(
    events: Events = 500_000,
    into: Annotated[
        int, typer.Option(min=0, help="Measure it into an hour that holds so many events, beside an empty one.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """One run of the batch DAG in a real Airflow, beside a study script's conversion, or an empty hour (--into).

    With --into the ratio is of the times. 5,500,000 events take about ten minutes.
    """
    from devstack.bench.batch import bench_batch
    from devstack.bench.into import bench_into

    if into:
        logs.progress()
    _print(bench_into(events, into) if into else bench_batch(events), as_json)


@app.command()
def storage(
    events: Annotated[int, typer.Option(min=24_000, help="How many events the day has.")] = 1_000_000,
    hours: Annotated[int, typer.Option(min=1, max=24, help="How many of its hours to simulate.")] = 24,
    as_json: Json = False,
) -> None:
    """A simulated day once its hours are closed, beside its JSON. A million events take some minutes."""
    from devstack.bench.storage import bench_storage

    _print(bench_storage(events, hours), as_json)


@app.command()
def query(
    events: Annotated[int, typer.Option(min=24_000, help="How many events the day has.")] = 1_000_000,
    hours: Annotated[int, typer.Option(min=1, max=24, help="How many of its hours to simulate.")] = 24,
    json_table: Annotated[bool, typer.Option(help="Fill ClickHouse's JSON table beside.")] = True,
    as_json: Json = False,
) -> None:
    """Questions on the tables, the lake, ClickHouse's JSON table, and in DuckDB. 10 million take half an hour."""
    from devstack.bench.query import bench_query

    _print(bench_query(events, hours, with_json=json_table), as_json)


@app.command()
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

    _print(bench_cookbook(events, hours, rounds, recipe or ()), as_json)


@app.command()
def layout(
    events: Events = 2_000_000,
    share: Annotated[
        float, typer.Option(min=0.0001, max=0.5, help="The share of all likes that the large account has.")
    ] = 0.02,
    as_json: Json = False,
) -> None:
    """One account's likes of a day in hours with and without files by user. Takes about five minutes."""
    from devstack.bench.by_user import bench_layout

    _print(bench_layout(events, share), as_json)


@app.command()
def recovery(events: Events = 6_000_000, as_json: Json = False) -> None:
    """Kill everything, and measure until the backlog of an outage can be queried. Takes about ten minutes."""
    from devstack.bench.recovery import bench_recovery

    logs.progress()
    _print(bench_recovery(events), as_json)


@app.command()
def catchup(events: Events = 20_000_000, as_json: Json = False) -> None:
    """One large window through drain, validate and publish: rates and memory. Takes about twenty minutes."""
    from devstack.bench.catchup import bench_catchup

    logs.progress()
    _print(bench_catchup(events), as_json)


@app.command()
def legacy(
    records: Annotated[int, typer.Option(min=1, help="How many events the old store has.")] = 1_000_000,
    days: Annotated[int, typer.Option(min=1, help="Over how many days they are spread.")] = 10,
    as_json: Json = False,
) -> None:
    """A made store of the old system: import, import again, compare; beside reading its files plainly."""
    from devstack.bench.legacy import bench_legacy

    logs.progress()
    _print(bench_legacy(records, days), as_json)


@app.command()
def restore(events: Events = 1_000_000, as_json: Json = False) -> None:
    """Back up a day of events, lose everything, and restore it, killed at random moments and repeated."""
    from devstack.bench.restore import bench_restore

    logs.progress()
    _print(bench_restore(events), as_json)


@app.command()
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
    _print(report, as_json)
    if report.differences:
        raise FirehoseError(f"{report.differences} queries found other posts without the index: report this")


@app.command()
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
    _print(report, as_json)
    if report.errors or report.torn:
        raise FirehoseError(
            f"bench concurrency: {report.errors} questions failed, {report.torn} answers had a part of a batch:"
            f" {report.first_fault}"
        )


@app.command()
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
    _print(report, as_json)
    if report.errors or report.complaints:
        raise FirehoseError(
            f"bench page: {report.errors} questions failed, {report.complaints} complaints of the browser:"
            f" {report.first_fault}"
        )


@app.command()
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
        _print(bench_hostile(seconds, events), as_json)
    except Broken as broken:
        _print(broken.report, as_json)
        raise


@app.command()
def listing(
    store: Annotated[str, typer.Option(help="Address in a bucket, as of FIREHOSE_LAKE; nothing is left there.")],
    hours: Annotated[int, typer.Option(min=10, help="How many hour files.")] = 720,
    as_json: Json = False,
) -> None:
    """Small hour files of a month in a bucket, beside a folder: listing, a footer, one hour's query."""
    from devstack.bench.listing import bench_listing

    _print(bench_listing(store, hours), as_json)


def _print(
    report: BenchReport
    | ConcurrencyReport
    | CookbookReport
    | PageReport
    | QueryReport
    | SearchReport
    | StorageReport,
    as_json: bool,
) -> None:
    import msgspec
    from rich.table import Table

    from firehose_cli.console import stdout

    if as_json:
        typer.echo(msgspec.json.encode(report))
        return
    table = Table("figure", "value", title=f"bench {report.name}")
    for key, value in msgspec.structs.asdict(report).items():
        rows = value.items() if isinstance(value, dict) else [("", value)]
        for part, figure in rows:
            table.add_row(
                f"{key} {part}".strip(), f"{figure:,}" if isinstance(figure, int | float) else str(figure)
            )
    stdout().print(table)
