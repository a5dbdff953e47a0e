"""Settings of what is kept for how long, and of the disk: a part of :class:`firehose.settings.Settings`.

Must not: read them, or know what follows from them (:mod:`firehose.maintenance` does).
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from ingester.contract.settings import IngesterSettings


class RetentionSettings(IngesterSettings, frozen=True, kw_only=True):
    """The settings of maintenance. Each field is the variable ``FIREHOSE_<FIELD>``."""

    close_after_hours: Annotated[
        int,
        Meta(
            ge=1,
            le=8760,
            description="Maintenance leaves an hour alone until it is over for this long: late batches may come",
        ),
    ] = 3
    maintenance_processes: Annotated[
        int,
        Meta(ge=1, le=256, description="Hour files closed or verified side by side, with up to 1.5 GiB each"),
    ] = 1
    keep_raw_hours: Annotated[
        int,
        Meta(
            ge=0,
            le=876_000,
            description="Raw files of a batch are removed after this many hours, if the lake provably holds all "
            "that is in them; where a backup is set, as soon as that holds them as well; 0: never",
        ),
    ] = 12
    keep_hours_days: Annotated[
        int,
        Meta(
            ge=0,
            le=36_500,
            description="Hour files are removed after this many days, if a verified backup holds them; 0: never",
        ),
    ] = 0
    keep_quarantine_days: Annotated[
        int, Meta(ge=0, le=36_500, description="Quarantined events are removed after this many days; 0: never")
    ] = 365
    keep_quality_days: Annotated[
        int,
        Meta(ge=0, le=36_500, description="Quality pages and results are removed after this many days; 0: never"),
    ] = 30
    keep_aside_days: Annotated[
        int,
        Meta(
            ge=0,
            le=36_500,
            description="Files that a rebuild set aside are removed after this many days; 0: never",
        ),
    ] = 30
    keep_tables_days: Annotated[
        int,
        Meta(
            ge=0,
            le=36_500,
            description="Days of ClickHouse's summary tables are removed after this many days; 0: never",
        ),
    ] = 0
    keep_logs_days: Annotated[
        int,
        Meta(
            ge=0,
            le=36_500,
            description="Log files of Airflow and of the embedded services to which nothing was written for this "
            "many days are removed; 0: never",
        ),
    ] = 30
    disk_warn_percent: Annotated[
        int, Meta(ge=1, le=100, description="An alert is sent when more of the lake's disk is used than this")
    ] = 90
    disk_reserve_mib: Annotated[
        int,
        Meta(
            ge=0,
            le=2**24,
            description="A drain takes nothing from Redis while less of the lake's disk is free than this",
        ),
    ] = 1024
