"""The two connections of Airflow that tasks use, made from the project's settings each time that one asks.

Lives here: the secrets backend that ``[workers] secrets_backend`` names. Must not: connect, keep or log a
password, import what is heavy, since every Airflow process loads this file.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from airflow.sdk.bases.secrets_backend import BaseSecretsBackend

if TYPE_CHECKING:
    from firehose.settings import Settings

#: Redis at ``FIREHOSE_REDIS_URL``, with the login of the role ``pipeline``.
REDIS: Final = "firehose_redis"
#: The mail server at ``FIREHOSE_SMTP_URL``.
SMTP: Final = "firehose_smtp"
_MAIL_TIMEOUT_S: Final = 10


class SettingsBackend(BaseSecretsBackend):
    """Answers for :data:`REDIS` and :data:`SMTP`; every other connection is left to the next backend.

    No copy of a secret is kept: a password that was rotated counts from the next connection on.
    """

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        """A connection as JSON; None: not one of ours, or the setting is empty.

        Raises:
            SettingsError: a wrong setting, or a password file that cannot be read.
        """
        from firehose.settings import load

        if conn_id not in (REDIS, SMTP):
            return None
        settings = load()
        found = redis_connection(settings) if conn_id == REDIS else smtp_connection(settings)
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
        },
    }
