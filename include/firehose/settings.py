"""Settings of the pipeline: the ingester's, and those of lake, ClickHouse, Airflow and embedded services."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from firehose import readers
from firehose.alert_settings import AlertSettings
from firehose.store import BadPlace, LakePath, LocalLake, ObjectLake, Place
from ingester.contract import checks
from ingester.contract.settings import (
    DEFAULT_HOME,
    SettingsError,
    checked,
    must,
    read_settings,
    redacted,
)

__all__ = ["DEFAULT_HOME", "Settings", "SettingsError", "checked", "load", "redacted"]


class Settings(AlertSettings, frozen=True, kw_only=True):
    """Every setting of the project. Each field is the variable ``FIREHOSE_<FIELD>``."""

    archive_url: Annotated[
        str,
        Meta(
            description="v2 host whose archive fills gaps; empty: the first one of FIREHOSE_JETSTREAM_URL",
            extra=must(checks.optional(checks.url("ws", "wss", "http", "https"))),
        ),
    ] = ""
    archive_key: Annotated[
        str, Meta(description="Key that the archive at FIREHOSE_ARCHIVE_URL asks for; sent to that host only")
    ] = ""
    archive_key_file: Annotated[
        str, Meta(description="File that holds that key instead", extra=must(checks.optional(checks.folder)))
    ] = ""
    archive_run_mib: Annotated[
        int, Meta(ge=0, le=2**24, description="Most MiB that one backfill downloads from an archive; 0: no limit")
    ] = 0
    archive_day_mib: Annotated[
        int, Meta(ge=0, le=2**24, description="Most MiB that all backfills of a UTC day download; 0: no limit")
    ] = 0
    batch_minutes: Annotated[
        int, Meta(ge=1, le=60, description="Length of a batch in minutes", extra=must(checks.divides_an_hour))
    ] = 5
    user_files_events: Annotated[
        int,
        Meta(
            ge=0,
            le=2**31,
            description="An account with this many posts, likes or reposts in an hour has a file of its own for "
            "that type in the next hour; 0: none has",
        ),
    ] = 0
    user_files_most: Annotated[
        int, Meta(ge=1, le=1000, description="Most accounts with a file of their own, of one type in one hour")
    ] = 16
    start_date: Annotated[
        str,
        Meta(
            description="First interval of the batch DAG, RFC 3339; the demo sets it at first start",
            extra=must(checks.optional(checks.instant)),
        ),
    ] = ""
    clickhouse_url: Annotated[
        str,
        Meta(description="ClickHouse over HTTP, embedded or a server", extra=must(checks.clickhouse_url)),
    ] = "http://localhost:8123"
    clickhouse_loader: Annotated[
        str, Meta(description="User that migrates and loads", extra=must(checks.name))
    ] = "loader"
    clickhouse_loader_password: Annotated[str, Meta(description="Its password; the demo makes one")] = ""
    clickhouse_analyst: Annotated[
        str, Meta(description="Read-only user of the analysts", extra=must(checks.name))
    ] = "analyst"
    clickhouse_analyst_password: Annotated[str, Meta(description="Its password; the demo makes one")] = ""
    clickhouse_lake: Annotated[
        str,
        Meta(
            description="The lake's root as ClickHouse sees it; empty: the same path as FIREHOSE_LAKE",
            extra=must(checks.optional(checks.lake_root)),
        ),
    ] = ""
    clickhouse_cluster: Annotated[
        str,
        Meta(
            description="Cluster of ClickHouse servers, as their configuration names it: each has all tables, and "
            "they divide the files of a lake in a bucket among them; empty: one server",
            extra=must(checks.optional(checks.identifier)),
        ),
    ] = ""
    readers: Annotated[
        str,
        Meta(
            description="Whose records the views of posts, likes, follows, reposts and blocks show: new (the "
            "firehose's), both (also what only the old system kept) or legacy (what the old system kept); by day "
            "and by share of the accounts as in legacy<2024-12-01,both:20%,new: the first that holds counts; "
            "`firehose migrate` makes the views follow",
            extra=must(readers.valid),
        ),
    ] = "new"
    airflow_port: Annotated[int, Meta(ge=1, le=65535, description="Port of the demo's Airflow")] = 8080
    airflow_connections: Annotated[
        str,
        Meta(
            description="Where tasks have the logins of Redis, ClickHouse and mail server from: these settings, "
            "or (airflow) Airflow's connections firehose_redis, firehose_clickhouse and firehose_smtp",
            extra=must(checks.one_of("settings", "airflow")),
        ),
    ] = "settings"
    airflow_user: Annotated[
        str, Meta(description="User of Airflow for `firehose batches rerun`", extra=must(checks.name))
    ] = "admin"
    airflow_password: Annotated[
        str, Meta(description="Its password; empty: that of the embedded Airflow in FIREHOSE_HOME")
    ] = ""
    exporter_listen: Annotated[
        str,
        Meta(
            description="Address HOST:PORT at which `firehose metrics serve` gives its metrics",
            extra=must(checks.address),
        ),
    ] = "127.0.0.1:9465"
    exporter_probe_s: Annotated[
        float,
        Meta(
            ge=0,
            le=86_400,
            description="Seconds between two rounds of the exporter's questions to ClickHouse; 0: it asks none",
        ),
    ] = 60.0
    docs_port: Annotated[int, Meta(ge=1, le=65535, description="Port of the demo's Data Docs")] = 8081
    simulator_port: Annotated[int, Meta(ge=1, le=65535, description="Port of the demo's simulator")] = 6008
    max_error_rate: Annotated[
        float, Meta(ge=0, le=1, description="Share of quarantined events above which a batch alerts")
    ] = 0.01
    max_quarantine_rate: Annotated[
        float,
        Meta(gt=0, le=1, description="Share of quarantined events, of a type or all, above which a batch stops"),
    ] = 0.5

    @property
    def lake_path(self) -> LakePath:
        """The root of the lake, wherever it is stored."""
        if self.lake_is_remote:
            return ObjectLake(Place.of(self.lake), self.home_path / "spool")
        return self.local_lake

    @property
    def local_lake(self) -> LocalLake:
        """The root of the lake, for what needs a folder of a local disk: an absolute path.

        Raises:
            SettingsError: the lake is in an object store.
        """
        if self.lake_is_remote:
            raise SettingsError(
                "FIREHOSE_LAKE is in an object store, and this needs a lake in a folder of a local disk; "
                "see docs/operations.md, A lake in an object store"
            )
        return LocalLake(Path(self.lake).expanduser().absolute())

    @property
    def airflow_at(self) -> str:
        """Airflow's address."""
        return (self.airflow_url or f"http://localhost:{self.airflow_port}").rstrip("/")

    @property
    def home_path(self) -> Path:
        """``home`` as an absolute path."""
        return Path(self.home).expanduser().absolute()

    @property
    def clickhouse_lake_root(self) -> str:
        """The lake's root as ClickHouse sees it."""
        if self.lake_is_remote and not self.clickhouse_lake:
            return Place.of(self.lake).url
        return self.clickhouse_lake or str(self.local_lake)

    def contradiction(self) -> str:
        """As for the ingester; and the pipeline has a lake that ClickHouse can read, and two users."""
        if not self.lake:
            return "FIREHOSE_LAKE is empty: only an ingester can do without a lake; see docs/settings.md"
        if wrong := self._wrong_lake():
            return checks.complaint("lake", self.lake, wrong)
        if "" < self.legacy_until < self.legacy_from:
            return (
                f"FIREHOSE_LEGACY_UNTIL={self.legacy_until!r} is before FIREHOSE_LEGACY_FROM="
                f"{self.legacy_from!r}; swap them, or leave the first one empty"
            )
        if self.clickhouse_loader == self.clickhouse_analyst:
            return (
                f"FIREHOSE_CLICKHOUSE_LOADER and FIREHOSE_CLICKHOUSE_ANALYST are both {self.clickhouse_loader!r}; "
                "give them different names"
            )
        return ""

    def _wrong_lake(self) -> str:
        if self.lake_is_remote:
            try:
                Place.of(self.lake)
            except BadPlace as error:
                return str(error)
            return ""
        return "" if self.clickhouse_lake else checks.lake_root(str(self.local_lake))


def load(**overrides: object) -> Settings:
    """The settings of this process. ``overrides`` are options of a command, by field name.

    Raises:
        SettingsError: a wrong or unknown setting, with the variable's name.
    """
    return read_settings(Settings, closed=True, overrides=overrides)
