"""The connections of Airflow that tasks use, made from the project's settings each time that one asks.

Lives here: the secrets backend that ``[workers] secrets_backend`` names, and ``[secrets] backend``, by which
Airflow's web interface can test them. Must not: connect, keep or log a password, import what is heavy, since every
Airflow process loads this file.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from airflow.sdk.bases.secrets_backend import BaseSecretsBackend

if TYPE_CHECKING:
    from firehose.settings import Settings

#: Redis at ``FIREHOSE_REDIS_URL``, with the login of the role ``pipeline``.
REDIS: Final = "firehose_redis"
#: ClickHouse at ``FIREHOSE_CLICKHOUSE_URL``, with the login of the loader.
CLICKHOUSE: Final = "firehose_clickhouse"
#: The mail server at ``FIREHOSE_SMTP_URL``.
SMTP: Final = "firehose_smtp"
_MAIL_TIMEOUT_S: Final = 10
#: In the mail server's ``extra``: how the project's own hook takes TLS, for which the provider has no option.
TLS: Final = "tls"
WHERE_OFFERED: Final = "where offered"


class SettingsBackend(BaseSecretsBackend):
    """Answers for :data:`REDIS`, :data:`CLICKHOUSE` and :data:`SMTP`; others are left to the next backend.

    No copy of a secret is kept: a password that was rotated counts from the next connection on. With
    ``FIREHOSE_AIRFLOW_CONNECTIONS=airflow`` it answers for none.
    """

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        """A connection as JSON; None: not one of ours, or the setting is empty.

        Raises:
            SettingsError: a wrong setting, or a password file that cannot be read.
        """
        from firehose.settings import load

        if conn_id not in MADE:
            return None
        settings = load()
        if settings.airflow_connections == "airflow":
            return None
        found = MADE[conn_id](settings)
        return json.dumps(found) if found else None

    def get_variable(self, key: str, team_name: str | None = None) -> str | None:
        """No variable comes from here."""
        return None


def redis_connection(settings: Settings) -> dict[str, Any]:
    """The fields of :data:`REDIS`. ``extra`` has ``db``, ``ssl``, and the options of the URL's query.

    Raises:
        SettingsError: the role's password file cannot be read.
    """
    from redis.connection import parse_url

    from ingester.contract.redis_access import PIPELINE, RedisAccess

    access = RedisAccess.of(settings, PIPELINE)
    options = parse_url(access.url)  # type: ignore[no-untyped-call]  # redis gives no type
    options.pop("connection_class", None)
    named = {name: options.pop(name, None) for name in ("host", "port", "username", "password")}
    login, password = access.login() or (named["username"], named["password"])
    return {
        "conn_type": "redis",
        "host": named["host"] or "localhost",
        "port": named["port"] or 6379,
        "login": login,
        "password": password,
        "extra": {"db": 0} | options | {"ssl": urlsplit(access.url).scheme == "rediss"},
    }


def clickhouse_connection(settings: Settings) -> dict[str, Any]:
    """The fields of :data:`CLICKHOUSE`. ``extra`` has ``secure``, and the options of the URL's query."""
    parts = urlsplit(settings.clickhouse_url)
    secure = parts.scheme == "https"
    return {
        "conn_type": "clickhouse",
        "host": parts.hostname,
        "port": parts.port or (8443 if secure else 8123),
        "login": settings.clickhouse_loader,
        "password": settings.clickhouse_loader_password,
        "extra": dict(parse_qsl(parts.query)) | {"secure": secure},
    }


def smtp_connection(settings: Settings) -> dict[str, Any] | None:
    """The fields of :data:`SMTP`; None: no mail server is set. One attempt: an alert must not hold up a task."""
    if not settings.smtp_url:
        return None
    parts = urlsplit(settings.smtp_url)
    over_tls = parts.scheme == "smtps"
    return {
        "conn_type": "smtp",
        "host": parts.hostname,
        "port": parts.port or (465 if over_tls else 587),
        "login": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "extra": {
            "timeout": _MAIL_TIMEOUT_S,
            "retry_limit": 0,
            "disable_ssl": not over_tls,
            "disable_tls": over_tls,
            TLS: WHERE_OFFERED,
        },
    }


#: How each of them is made; None: its setting is empty.
MADE: Final[dict[str, Callable[[Settings], dict[str, Any] | None]]] = {
    REDIS: redis_connection,
    CLICKHOUSE: clickhouse_connection,
    SMTP: smtp_connection,
}
