"""Settings of the embedded ClickHouse endpoint: a part of :class:`firehose.settings.Settings`.

Must not: read them, or know what follows from them (:mod:`clickhouse_http` does).
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from firehose.retention import RetentionSettings
from ingester.contract import checks
from ingester.contract.settings import must


class EndpointSettings(RetentionSettings, frozen=True, kw_only=True):
    """What queries may take, and who may ask. Each field is the variable ``FIREHOSE_<FIELD>``."""

    clickhouse_monitoring_password: Annotated[
        str,
        Meta(
            description="Password of the user monitoring, who alone may read /metrics of the embedded endpoint; "
            "empty: that page answers 404"
        ),
    ] = ""
    query_max_memory_mib: Annotated[
        int, Meta(ge=64, le=2**24, description="Memory limit of one query on the embedded endpoint")
    ] = 4096
    query_max_seconds: Annotated[
        int, Meta(ge=1, le=86_400, description="Time limit of one query on the embedded endpoint")
    ] = 60
    clickhouse_sandbox: Annotated[
        str,
        Meta(
            description="Sandbox of the embedded endpoint; auto: where the kernel has Landlock; "
            "require: it does not start without",
            extra=must(checks.one_of("auto", "require")),
        ),
    ] = "auto"
    query_total_memory_mib: Annotated[
        int,
        Meta(
            ge=0,
            le=2**24,
            description="Memory of all queries together on the embedded endpoint, half of it each for loader and "
            "analyst; 0: half of the machine's memory",
        ),
    ] = 0
    http_max_body_mib: Annotated[
        int,
        Meta(ge=1, le=2**24, description="Largest body the embedded endpoint takes from the loader, decompressed"),
    ] = 2048
    http_spool_mib: Annotated[
        int,
        Meta(
            ge=64,
            le=2**24,
            description="Disk for bodies and held results on the embedded endpoint, half of it each for loader "
            "and analyst",
        ),
    ] = 8192
    http_disk_reserve_mib: Annotated[
        int, Meta(ge=0, le=2**24, description="Disk space that bodies and held results leave free")
    ] = 1024
    http_timeout_s: Annotated[
        float,
        Meta(
            gt=0,
            le=86_400,
            description="The embedded endpoint cuts off a client that neither sends nor reads for this long",
        ),
    ] = 30.0
    http_allowed_hosts: Annotated[
        str,
        Meta(
            description="Host names, comma-separated, under which the embedded endpoint and Data Docs may be "
            "called, besides localhost",
            extra=must(checks.optional(checks.host_names)),
        ),
    ] = ""
    http_allowed_origins: Annotated[
        str,
        Meta(
            description="Origins of web pages that may call the embedded endpoint, comma-separated: https://host",
            extra=must(checks.optional(checks.origins)),
        ),
    ] = ""
