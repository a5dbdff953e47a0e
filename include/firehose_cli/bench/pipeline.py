"""Benchmarks of what writes: ingest, batches, the lake, its copies, and what is brought over."""

from __future__ import annotations

from typing import Annotated

import typer

from firehose_cli import logs
from firehose_cli.bench.report import Events, Json, printed


def ingest(
    events: Events = 400_000,
    runs: Annotated[int, typer.Option(min=1, help="How often to measure; medians are reported.")] = 3,
    as_json: Json = False,
) -> None:
    """Jetstream into Redis (fsync always), beside a bare websocket receive loop."""
    from devstack.bench.ingest import bench_ingest

    printed(bench_ingest(events, runs), as_json)


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
    printed(bench_into(events, into) if into else bench_batch(events), as_json)


def storage(
    events: Annotated[int, typer.Option(min=24_000, help="How many events the day has.")] = 1_000_000,
    hours: Annotated[int, typer.Option(min=1, max=24, help="How many of its hours to simulate.")] = 24,
    as_json: Json = False,
) -> None:
    """A simulated day once its hours are closed, beside its JSON. A million events take some minutes."""
    from devstack.bench.storage import bench_storage

    printed(bench_storage(events, hours), as_json)


def layout(
    events: Events = 2_000_000,
    share: Annotated[
        float, typer.Option(min=0.0001, max=0.5, help="The share of all likes that the large account has.")
    ] = 0.02,
    as_json: Json = False,
) -> None:
    """One account's likes of a day in hours with and without files by user. Takes about five minutes."""
    from devstack.bench.by_user import bench_layout

    printed(bench_layout(events, share), as_json)


def recovery(events: Events = 6_000_000, as_json: Json = False) -> None:
    """Kill everything, and measure until the backlog of an outage can be queried. Takes about ten minutes."""
    from devstack.bench.recovery import bench_recovery

    logs.progress()
    printed(bench_recovery(events), as_json)


def catchup(events: Events = 20_000_000, as_json: Json = False) -> None:
    """One large window through drain, validate and publish: rates and memory. Takes about twenty minutes."""
    from devstack.bench.catchup import bench_catchup

    logs.progress()
    printed(bench_catchup(events), as_json)


def legacy(
    records: Annotated[int, typer.Option(min=1, help="How many events the old store has.")] = 1_000_000,
    days: Annotated[int, typer.Option(min=1, help="Over how many days they are spread.")] = 10,
    as_json: Json = False,
) -> None:
    """A made store of the old system: import, import again, compare; beside reading its files plainly."""
    from devstack.bench.legacy import bench_legacy

    logs.progress()
    printed(bench_legacy(records, days), as_json)


def restore(events: Events = 1_000_000, as_json: Json = False) -> None:
    """Back up a day of events, lose everything, and restore it, killed at random moments and repeated."""
    from devstack.bench.restore import bench_restore

    logs.progress()
    printed(bench_restore(events), as_json)


def listing(
    store: Annotated[str, typer.Option(help="Address in a bucket, as of FIREHOSE_LAKE; nothing is left there.")],
    hours: Annotated[int, typer.Option(min=10, help="How many hour files.")] = 720,
    as_json: Json = False,
) -> None:
    """Small hour files of a month in a bucket, beside a folder: listing, a footer, one hour's query."""
    from devstack.bench.listing import bench_listing

    printed(bench_listing(store, hours), as_json)
