"""Settings of alerts: where they go, when, from which values on: a part of :class:`firehose.settings.Settings`.

Must not: read them, or know what follows from them.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from firehose.ui_settings import UiSettings
from ingester.contract import checks
from ingester.contract.settings import must


class AlertSettings(UiSettings, frozen=True, kw_only=True):
    """Where alerts go and their thresholds. Each field is the variable ``FIREHOSE_<FIELD>``."""

    alert_webhook_url: Annotated[
        str,
        Meta(
            description="Alerts are posted here as JSON; empty: no webhook",
            extra=must(checks.optional(checks.url("http", "https"))),
        ),
    ] = ""
    alert_email: Annotated[
        str,
        Meta(description="Alerts are mailed here; empty: no mail", extra=must(checks.optional(checks.mail))),
    ] = ""
    smtp_url: Annotated[
        str,
        Meta(
            description="smtp://user:password@host:port, or smtps://…, for FIREHOSE_ALERT_EMAIL",
            extra=must(checks.optional(checks.url("smtp", "smtps"))),
        ),
    ] = ""
    alert_slack_url: Annotated[
        str,
        Meta(
            description="Slack's incoming webhook to which alerts are posted in Slack's form; empty: no Slack",
            extra=must(checks.optional(checks.url("http", "https"))),
        ),
    ] = ""
    alert_escalate_email: Annotated[
        str,
        Meta(
            description="Alerts that last are mailed here as well; empty: to FIREHOSE_ALERT_EMAIL only",
            extra=must(checks.optional(checks.mail)),
        ),
    ] = ""
    alert_escalate_minutes: Annotated[
        int,
        Meta(ge=0, le=100_000, description="An alert of severity error is sent once more after this; 0: never"),
    ] = 60
    alert_repeat_hours: Annotated[
        int, Meta(ge=0, le=8760, description="An alert that lasts is sent again this often; 0: never")
    ] = 24
    alert_monitor_minutes: Annotated[
        int,
        Meta(
            ge=2,
            le=1440,
            description="`firehose deadman` takes over once the monitor has not run for this many minutes",
        ),
    ] = 5
    alert_buffer_percent: Annotated[
        int, Meta(ge=1, le=100, description="Alert when Redis uses more than this of its maxmemory")
    ] = 80
    alert_batch_percent: Annotated[
        int,
        Meta(ge=1, le=10_000, description="Alert when a batch takes more than this of its own length"),
    ] = 200
    alert_fresh_minutes: Annotated[
        int,
        Meta(
            ge=1,
            le=10_000,
            description="Alert when the newest data of the lake is older than this, and than twice the length of "
            "a batch; the objective for freshness has the same limit",
        ),
    ] = 10
    alert_lag_minutes: Annotated[
        int, Meta(ge=1, le=10_000, description="Alert when the ingester is this far behind the source")
    ] = 10
    alert_no_data_minutes: Annotated[
        int, Meta(ge=1, le=10_000, description="Alert when nothing has come from the source for this long")
    ] = 3
    alert_gap_minutes: Annotated[
        int,
        Meta(ge=0, le=10_000, description="Alert on a gap that is open for this long; a replay may fill it"),
    ] = 15
    alert_summaries_minutes: Annotated[
        int,
        Meta(ge=1, le=10_000, description="Alert when a published batch is not in ClickHouse after this long"),
    ] = 15
    alert_certificate_days: Annotated[
        int, Meta(ge=1, le=365, description="Alert when a server's certificate ends within this many days")
    ] = 14
    alert_archive_percent: Annotated[
        int,
        Meta(ge=1, le=100, description="Alert when backfills have used this much of FIREHOSE_ARCHIVE_DAY_MIB"),
    ] = 90
    source_keeps_hours: Annotated[
        int,
        Meta(ge=1, le=8760, description="How long the hosts keep events: older gaps only an archive can fill"),
    ] = 24
    slo_percent: Annotated[
        float,
        Meta(
            gt=0,
            lt=100,
            description="Objectives: share of time that is covered, of fresh data, of answers in time",
        ),
    ] = 99.9
    alert_query_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=300,
            description="Objective: ClickHouse answers a question of a day within these seconds; 0: it is not "
            "asked",
        ),
    ] = 5
    airflow_url: Annotated[
        str,
        Meta(
            description="Airflow's address, whose health page is asked; empty: localhost at FIREHOSE_AIRFLOW_PORT",
            extra=must(checks.optional(checks.url("http", "https"))),
        ),
    ] = ""
