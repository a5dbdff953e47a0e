"""The project's connections in Airflow's web interface, where they can be seen and tested.

Lives here: their rows in its list, which hold no secret, and tests by the project's own hooks. Must not: keep a
password, import what is heavy at the top, since every Airflow process loads this file.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from firehose_connections import MADE, TLS, WHERE_OFFERED

if TYPE_CHECKING:
    from airflow.providers.redis.hooks.redis import RedisHook
    from airflow.providers.smtp.hooks.smtp import SmtpHook

_MADE: Final = (
    "Made from the FIREHOSE_ settings, where the password is. Press Test. To enter it here instead: "
    "FIREHOSE_AIRFLOW_CONNECTIONS=airflow"
)


def list_connections() -> None:
    """Bring the rows in Airflow's database up to the settings. A row that somebody has entered is left as it is.

    Raises:
        SettingsError: a wrong setting, or a password file that cannot be read.
    """
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import select

    from firehose.settings import load

    settings = load()
    with create_session() as session:
        for name, make in MADE.items():
            wanted = make(settings) if settings.airflow_connections == "settings" else None
            row = session.scalar(select(Connection).where(Connection.conn_id == name))
            if row is not None and row.description != _MADE:
                continue
            if wanted is None:
                if row is not None:
                    session.delete(row)
                continue
            if row is None:
                session.add(row := Connection(conn_id=name, description=_MADE))
            row.conn_type, row.host, row.port = wanted["conn_type"], wanted["host"], wanted["port"]
            row.login = wanted["login"]
            # The page has stars for it, and sends them with a test; Airflow puts the real one in their place.
            row.set_password("not here" if wanted["password"] else None)
            row.set_extra(json.dumps(wanted["extra"]))


def make_testable() -> None:
    """Give the providers' hooks what they lack: a test of Redis, and one of mail with TLS where it is offered.

    Airflow asks the provider's hook of a connection's type, whoever uses the connection.
    """
    from airflow.providers.redis.hooks.redis import RedisHook
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    of_provider = SmtpHook.test_connection

    def greet(hook: SmtpHook) -> tuple[bool, str]:
        extra = hook.get_connection(hook.smtp_conn_id).extra_dejson
        return _greet(hook) if extra.get(TLS) == WHERE_OFFERED else of_provider(hook)

    SmtpHook.test_connection = greet  # type: ignore[method-assign, assignment]  # it is typed with self
    if not hasattr(RedisHook, "test_connection"):
        RedisHook.test_connection = _ping  # type: ignore[attr-defined]


def _greet(hook: SmtpHook) -> tuple[bool, str]:
    """Whether the mail server takes the login, as for an alert."""
    from firehose_hooks import Mailer

    mailer = Mailer(smtp_conn_id=hook.smtp_conn_id)
    try:
        mailer.get_conn()
    except (OSError, ValueError) as error:  # smtplib's errors are OSErrors
        return False, f"{type(error).__name__}: {error}"
    finally:
        mailer.close()
    return True, "The mail server answers"


def _ping(hook: RedisHook) -> tuple[bool, str]:
    """Whether Redis answers, as the role that the tasks have: a command that it may send, and no greeting."""
    import redis

    from ingester.contract.redis_access import RedisAccess

    connection = hook.get_connection(hook.redis_conn_id)
    options: dict[str, Any] = {name: value for name, value in connection.extra_dejson.items() if value is not None}
    options |= RedisAccess("redis://").options()
    timeout = {"socket_timeout": 5, "socket_connect_timeout": 5}
    try:
        with redis.Redis(
            host=connection.host or "localhost",
            port=connection.port or 6379,
            username=connection.login or None,
            password=connection.password or None,
            **(timeout | options),
        ) as client:
            client.ping()
    except redis.RedisError as error:
        return False, str(error)
    return True, "Redis answers"
