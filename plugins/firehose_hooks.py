"""How a task reaches Redis, ClickHouse and the mail server: Airflow's connections, with our rules on top.

Lives here: the client, the settings and the mailer that tasks hand to ``firehose``. Must not: be imported when a
DAG file is parsed.
"""

from __future__ import annotations

from email.message import EmailMessage
from smtplib import SMTP as SmtpClient
from typing import Final, cast
from urllib.parse import urlencode

import msgspec
import redis
from airflow.providers.redis.hooks.redis import RedisHook
from airflow.providers.smtp.hooks.smtp import SmtpHook
from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from firehose_connections import CLICKHOUSE, REDIS, SMTP

from firehose.batch import tally
from firehose.settings import Settings, SettingsError, load
from ingester.contract.logs import get_logger
from ingester.contract.redis_access import PIPELINE, RedisAccess

log = get_logger(__name__)

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
#: What a connection says of the place; the hook's other options are redis-py's defaults for programs that retry.
_PLACE: Final = ("host", "port", "db")


def redis_client(settings: Settings) -> redis.Redis:
    """A client of the connection :data:`REDIS` that does all that ``firehose.batch.buffer.client`` does.

    Raises:
        SettingsError: a password file that cannot be read, or an Airflow that does not have the connection.
    """
    access = RedisAccess.of(settings, PIPELINE)  # Airflow would only say that there is no such connection
    hook = RedisHook(redis_conn_id=REDIS)
    try:
        made = hook.get_conn().connection_pool  # type: ignore[no-untyped-call]  # the provider gives no type
        extra = hook.get_connection(REDIS).extra_dejson
    except AirflowNotFoundException:
        raise _missing(REDIS) from None
    log.info("Redis through an Airflow connection", redis=access.where, connection=REDIS)
    options = {name: value for name, value in extra.items() if name != "ssl"}
    kind = made.connection_class
    if "path" in extra:  # the hook knows no sockets of files
        kind = redis.UnixDomainSocketConnection
    else:
        place = made.connection_kwargs.items()
        options |= {name: value for name, value in place if name in _PLACE or name.startswith("ssl_")}
    options |= access.options() | {"credential_provider": _Login(hook)}
    pool = redis.ConnectionPool(connection_class=kind, **options)
    return redis.Redis.from_pool(pool)


def clickhouse_settings() -> Settings:
    """The settings, with address and login of ClickHouse as the connection :data:`CLICKHOUSE` has them.

    Raises:
        SettingsError: a wrong setting, or an Airflow that does not have the connection.
    """
    try:
        connection: Connection = BaseHook.get_connection(CLICKHOUSE)
    except AirflowNotFoundException:
        raise _missing(CLICKHOUSE) from None
    options = connection.extra_dejson
    scheme = "https" if options.pop("secure", False) else "http"
    place = f"{scheme}://{connection.host}:{connection.port or (8443 if scheme == 'https' else 8123)}"
    log.info("ClickHouse through an Airflow connection", clickhouse=place, connection=CLICKHOUSE)
    return msgspec.structs.replace(
        load(),
        clickhouse_url=place + (f"?{urlencode(options)}" if options else ""),
        clickhouse_loader=connection.login or "",
        clickhouse_loader_password=connection.password or "",
    )


def _missing(name: str) -> SettingsError:
    return SettingsError(
        f"Airflow has no connection {name}: make it, or set [workers] secrets_backend to "
        "firehose_connections.SettingsBackend in Airflow's configuration, which takes the FIREHOSE_ settings"
    )


def count(settings: Settings, result: object) -> None:
    """Keep the numbers of a step's result for the exporter. Never fails the task, whose work is done."""
    try:
        with redis_client(settings) as client:
            tally.record(client, result)
    except (redis.RedisError, SettingsError) as error:
        log.warning("not counted", result=type(result).__name__, reason=error)


class _Login(redis.CredentialProvider):
    """Asks Airflow for each new connection to Redis: a password that was rotated counts within a task, too."""

    def __init__(self, hook: RedisHook) -> None:
        self._hook = hook

    def get_credentials(self) -> tuple[str, ...]:  # type: ignore[override]  # empty: no login is sent
        try:
            connection = self._hook.get_connection(REDIS)
        except AirflowNotFoundException as error:  # it was there before: the password file has become unreadable
            raise redis.AuthenticationError(f"the connection {REDIS} cannot be made") from error
        if connection.login:
            return connection.login, connection.password or ""
        return (connection.password,) if connection.password else ()


def send_mail(message: EmailMessage) -> None:
    """Send a mail through the connection :data:`SMTP`. Raises whatever the hook and the server give.

    Raises:
        ValueError: there is neither that connection nor the setting that makes it.
    """
    try:
        BaseHook.get_connection(SMTP)
    except AirflowNotFoundException:
        raise ValueError(
            f"FIREHOSE_SMTP_URL is not set, and Airflow has no connection {SMTP}: set one of them"
        ) from None
    hook = Mailer(smtp_conn_id=SMTP)
    try:
        hook.get_conn()
        hook.send(message)
    finally:
        hook.close()


class Mailer(SmtpHook):
    """The provider's hook, with TLS where the server offers it, and no password without."""

    @property
    def smtp_starttls(self) -> bool:
        """Asked once, when there is a connection and before the login.

        Raises:
            ValueError: the password would go to another machine in the clear.
        """
        if not super().smtp_starttls:
            return False
        self._client.ehlo_or_helo_if_needed()
        offered = self._client.has_extn("starttls")
        if not offered and self.smtp_user and self.host not in _LOOPBACK:
            raise ValueError("the mail server offers no TLS, so the password is not sent; use smtps:// or no user")
        return offered

    def send(self, message: EmailMessage) -> None:
        """Send plain text as it is: the hook's own method makes HTML of everything."""
        self._client.send_message(message)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._smtp_client is not None:
            self._client.close()

    @property
    def _client(self) -> SmtpClient:
        return cast(SmtpClient, self._smtp_client)
