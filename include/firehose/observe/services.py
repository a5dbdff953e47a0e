"""What other services say: how far ClickHouse's tables are behind the ledger, and how Airflow is.

Lives here: the questions, each with a time limit of seconds. Must not: judge the answers.
"""

from __future__ import annotations

import contextlib
import json
import ssl
import urllib.error
import urllib.request
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from cryptography import x509

from firehose.errors import ServiceUnavailable
from firehose.observe.ledger import RecentLedger
from firehose.settings import Settings
from firehose.warehouse.client import clickhouse_errors, connect

#: A service that takes longer to answer is said to be away.
TIMEOUT_S: Final = 10
#: What is reached by TLS, and its usual port.
_TLS_PORTS: Final = {"rediss": 6379, "https": 443, "smtps": 465}


class SummaryState(msgspec.Struct, frozen=True, kw_only=True):
    """Batches of the span that the ledger has and ClickHouse has not loaded, or in another edition.

    ``behind_s``: how long ago the oldest of them was published. ``loaded_at``: the last load.
    """

    span_s: float
    behind: int
    behind_s: float
    oldest: str
    loaded: int
    loaded_at: datetime | None


class AirflowState(msgspec.Struct, frozen=True, kw_only=True):
    """Airflow's own word."""

    metadatabase: str
    scheduler: str
    scheduler_heartbeat: datetime | None
    scheduler_silent_s: float | None
    dag_processor: str


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """The certificate that a service of the settings shows. ``error``: why it could not be seen."""

    place: str
    until: datetime | None
    error: str = ""


def summaries(settings: Settings, ledger: RecentLedger, now: datetime, span: timedelta) -> SummaryState:
    """Compare the ledger's listing with what ClickHouse says that it has loaded. As the read-only analyst.

    Raises:
        ServiceUnavailable: ClickHouse does not answer.
        FirehoseError: it refuses the statement.
    """
    since = now - span
    listed = ledger.listed(since, now)
    with clickhouse_errors(), contextlib.closing(connect(settings, "analyst", timeout_s=TIMEOUT_S)) as client:
        query = "SELECT id, stamp, loaded_at FROM ops.batches FINAL WHERE batch >= {since:DateTime64(3, 'UTC')}"
        parameters = {"since": since - timedelta(days=1)}
        rows = client.query(query, parameters=parameters, tz_mode="aware").result_rows
    loaded = {name: stamp for name, stamp, _ in rows}
    behind = [name for name, each in listed.items() if loaded.get(name) != each.stamp]
    entries = {entry.batch: entry for entry in ledger.entries(since, now)}
    waiting = [entries[name] for name in behind if name in entries]
    oldest = min(waiting, key=lambda entry: entry.published_at, default=None)
    return SummaryState(
        span_s=span.total_seconds(),
        behind=len(behind),
        behind_s=max(0.0, (now - oldest.published_at).total_seconds()) if oldest else 0.0,
        oldest=oldest.batch if oldest else "",
        loaded=sum(1 for name in listed if name in loaded),
        loaded_at=max((at for _, _, at in rows), default=None),
    )


def certificates(settings: Settings) -> list[Certificate]:
    """Those of our own services that are reached by TLS. Whether one is trusted is for its clients to find out."""
    addresses = (settings.redis_url, settings.clickhouse_url, settings.airflow_url, settings.smtp_url)
    places = {_place(address) for address in addresses if urlsplit(address).scheme in _TLS_PORTS}
    return [_certificate(*place) for place in sorted(places)]


def _place(address: str) -> tuple[str, int]:
    parts = urlsplit(address)
    return parts.hostname or "localhost", parts.port or _TLS_PORTS[parts.scheme]


def _certificate(host: str, port: int) -> Certificate:
    place = f"{host}:{port}"
    try:
        shown = ssl.get_server_certificate((host, port), timeout=TIMEOUT_S)
        return Certificate(place=place, until=x509.load_pem_x509_certificate(shown.encode()).not_valid_after_utc)
    except (OSError, ValueError) as error:
        return Certificate(place=place, until=None, error=" ".join(str(error).split()))


def airflow(settings: Settings, now: datetime) -> AirflowState:
    """Airflow's health page, which needs no login.

    Raises:
        ServiceUnavailable: it does not answer, or not with its health.
    """
    address = f"{settings.airflow_at}/api/v2/monitor/health"
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_S) as answer:  # noqa: S310 - the setting is http(s)
            said: dict[str, Any] = json.load(answer)
        scheduler = said["scheduler"]
        beat = scheduler["latest_scheduler_heartbeat"]
        heard = datetime.fromisoformat(beat) if beat else None
        return AirflowState(
            metadatabase=str(said["metadatabase"]["status"]),
            scheduler=str(scheduler["status"]),
            scheduler_heartbeat=heard,
            scheduler_silent_s=max(0.0, (now - heard).total_seconds()) if heard else None,
            dag_processor=str(said.get("dag_processor", {}).get("status")),
        )
    except (OSError, urllib.error.URLError) as error:
        raise ServiceUnavailable(f"Airflow at {settings.airflow_at} does not answer ({error})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ServiceUnavailable(f"{address}: not Airflow's health ({type(error).__name__}: {error})") from error
