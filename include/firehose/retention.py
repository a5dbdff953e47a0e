"""Settings of maintenance, checks, backups and the disk: a part of :class:`firehose.settings.Settings`.

Must not: read them, or know what follows from them.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from ingester.contract import checks
from ingester.contract.settings import IngesterSettings, must


class RetentionSettings(IngesterSettings, frozen=True, kw_only=True):
    """What is kept, for how long, and where once more. Each field is the variable ``FIREHOSE_<FIELD>``."""

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
    iceberg: Annotated[
        bool,
        Meta(
            description="1: maintenance keeps Iceberg tables over closed hours in the lake's `_iceberg/`, for "
            "other tools; 0: it does not"
        ),
    ] = False
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
            "many days are removed, and older runs from Airflow's database; 0: never",
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
    lake_check_days: Annotated[
        int,
        Meta(ge=1, le=366, description="The daily check reads every hour file in full once in this many days"),
    ] = 30
    legacy: Annotated[
        str,
        Meta(
            description="Folder of the old system's data, compared daily while both run; empty: there is none",
            extra=must(checks.optional(checks.folder)),
        ),
    ] = ""
    legacy_from: Annotated[
        str,
        Meta(
            description="First day of the old system's data that the backfill DAG brings over, such as "
            "2024-09-29, and then each day up to now; empty: it has no schedule",
            extra=must(checks.optional(checks.day)),
        ),
    ] = ""
    legacy_until: Annotated[
        str,
        Meta(
            description="Last day of it; empty: the backfill goes on day by day, while both systems run",
            extra=must(checks.optional(checks.day)),
        ),
    ] = ""
    backup: Annotated[
        str,
        Meta(
            description="Where backups are kept: a folder, or a URI such as s3://bucket/folder; empty: no backups",
            extra=must(checks.optional(checks.folder_or_store)),
        ),
    ] = ""
    backup_key: Annotated[
        str, Meta(description="Key or passphrase that backups are encrypted with; empty: they are not encrypted")
    ] = ""
    backup_key_file: Annotated[
        str, Meta(description="File that holds that key instead", extra=must(checks.optional(checks.folder)))
    ] = ""
    backup_keep_days: Annotated[
        int, Meta(ge=1, le=36_600, description="Of this many days with backups the last one of each is kept")
    ] = 7
    backup_keep_weeks: Annotated[
        int, Meta(ge=0, le=5_200, description="Of this many weeks with backups the last one of each is kept")
    ] = 8
    backup_alert_hours: Annotated[
        int, Meta(ge=1, le=87_600, description="Age of the last complete backup from which on it is an alert")
    ] = 36
    airflow_database_url: Annotated[
        str,
        Meta(
            description="Airflow's database, for backups: sqlite:///PATH or postgresql://…; empty: the demo's, "
            "if there is one",
            extra=must(checks.optional(checks.database_url)),
        ),
    ] = ""
