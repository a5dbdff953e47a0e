"""Redis and mail through the providers' hooks, with connections that the settings make."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.support.sinks import Mailbox, certificate, mail_server

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "s3cret-pass"
USER = f"ops:{PASSWORD}@"
#: Addresses that are not connected to: each place, login and option that a URL may have.
URLS = [
    "redis://redis.example",
    "redis://redis.example:7000/3",
    "redis://someone:p%40ss@redis.example/0?socket_timeout=7&health_check_interval=30",
    "redis://:only-a-password@redis.example",
    "redis://only-a-name@redis.example",
    "redis://redis.example?username=someone&password=none&db=2",
    "rediss://redis.example/1?ssl_cert_reqs=none&ssl_check_hostname=false&socket_connect_timeout=2",
    "unix:///run/redis%20one.sock?db=4",
]

# All in one process, since importing Airflow costs seconds.
_PREPARE = """
import json, logging, os, sys
from pathlib import Path
sys.path.insert(0, "plugins")
import firehose_hooks as hooks
from firehose.settings import load
given = json.loads(sys.argv[1])
"""
_REDIS = (
    _PREPARE
    + """
from redis.credentials import UsernamePasswordCredentialProvider
from firehose.batch import buffer

def parts(client):
    made = client.connection_pool.make_connection()
    provider = made.credential_provider
    login = (provider or UsernamePasswordCredentialProvider(made.username, made.password)).get_credentials()
    known = {name: value for name, value in vars(made).items() if isinstance(value, int | float | str | None)}
    for name in ("pid", "username", "password", "credential_provider"):
        known.pop(name, None)
    retries = [made.retry.get_retries(), type(made.retry._backoff).__name__]
    return [type(made).__name__, sorted(known.items()), list(login), retries]

def at(url):
    os.environ["FIREHOSE_REDIS_URL"] = url
    return load()

def said(work):
    try:
        return work()
    except Exception as error:
        return f"{type(error).__name__}: {error}"

def ping():
    with buffer.connected(settings, lambda _: client) as connection:
        connection.connection_pool.disconnect()
        return connection.ping()

same = {url: [parts(hooks.redis_client(at(url))), parts(buffer.client(at(url)))] for url in given["urls"]}
settings = at(given["url"])
file = settings.redis_passwords_path / "pipeline"
right = file.read_text()
client = hooks.redis_client(settings)
steps = [said(ping)]
file.write_text("wrong")
steps.append(said(ping))
file.write_text(right)
steps.append(said(ping))
file.unlink()
file.mkdir()
steps.append(said(ping))
steps.append(said(lambda: hooks.redis_client(settings)))
json.dump({"same": same, "steps": steps}, sys.stdout)
"""
)
_NONE = (
    _PREPARE
    + """
try:
    hooks.redis_client(load())
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""
)
_CLICKHOUSE = (
    _PREPARE
    + """
from tests.dags.test_connections import parts
made = hooks.clickhouse_settings()
print(json.dumps([parts(made.clickhouse_url), made.clickhouse_loader, made.clickhouse_loader_password]))
"""
)
_OWN = (
    _PREPARE
    + """
from tests.dags.test_connections import parts
made = hooks.redis_client(load()).connection_pool.make_connection()
login = list(made.credential_provider.get_credentials())
house = hooks.clickhouse_settings()
of_house = [parts(house.clickhouse_url), house.clickhouse_loader, house.clickhouse_loader_password]
print(json.dumps([[made.host, made.port, made.db, login], of_house]))
"""
)
_MAIL = (
    _PREPARE
    + """
from firehose.alerts.alert import Notice, Severity
from firehose.alerts.sinks import deliver
logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.INFO, force=True)
for name, url in given.items():
    os.environ["FIREHOSE_SMTP_URL"] = url
    print(f"case {name}")
    notice = Notice("gap", Severity.WARNING, f"title of {name}", "text <b>", "docs/operations.md#x", {"a": "1"})
    deliver(load(), notice, hooks.send_mail, ["mail"])
"""
)


def run(script: str, given: object, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script in an Airflow that was never initialised; asking for a connection needs no database."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("FIREHOSE_", "AIRFLOW"))}
    clean |= {
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__WORKERS__SECRETS_BACKEND": "firehose_connections.SettingsBackend",
        "FIREHOSE_HOME": str(home),
        "FIREHOSE_LAKE": str(home / "lake"),
    }
    command = [sys.executable, "-c", script, json.dumps(given)]
    done = subprocess.run(
        command, env=clean | variables, capture_output=True, text=True, timeout=200, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return done


def test_a_task_logs_in_to_redis_as_the_role_each_time_it_connects(redis_url: str, tmp_path: Path) -> None:
    done = run(_REDIS, {"urls": URLS, "url": redis_url}, tmp_path)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    for url, (through_the_hook, direct) in found["same"].items():
        assert through_the_hook == direct, url
    reached, refused, rotated, unreadable, not_begun = found["steps"]
    assert reached is rotated is True
    where = tmp_path / "redis-access" / "pipeline"
    assert refused.endswith(
        f"refuses the login of the user pipeline: {where} must hold the password that Redis has for this user"
    )
    assert unreadable.startswith(f"SettingsError: FIREHOSE_REDIS_PASSWORDS: {where} cannot be read")
    assert not_begun == unreadable


def test_an_airflow_without_the_connection_is_one_line(tmp_path: Path) -> None:
    done = run(_NONE, {}, tmp_path, AIRFLOW__WORKERS__SECRETS_BACKEND="")
    assert done.stdout.splitlines()[-1] == (
        "SettingsError: Airflow has no connection firehose_redis: make it, or set [workers] secrets_backend to "
        "firehose_connections.SettingsBackend in Airflow's configuration, which takes the FIREHOSE_ settings"
    )


@pytest.mark.parametrize(
    "url", ["http://house.example", "https://house.example:9443", "http://house.example:1?compress=0"]
)
def test_a_task_asks_clickhouse_by_the_connection_that_the_settings_make(url: str, tmp_path: Path) -> None:
    login = {"FIREHOSE_CLICKHOUSE_LOADER": "filler", "FIREHOSE_CLICKHOUSE_LOADER_PASSWORD": PASSWORD}
    done = run(_CLICKHOUSE, {}, tmp_path, FIREHOSE_CLICKHOUSE_URL=url, **login)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == [parts(url), "filler", PASSWORD]
    assert PASSWORD not in done.stderr


def test_connections_of_airflows_own_count_where_they_are_wanted(tmp_path: Path) -> None:
    # From Airflow's next backend, as they would come from any.
    own = {
        "AIRFLOW_CONN_FIREHOSE_REDIS": json.dumps(
            {"conn_type": "redis", "host": "redis.example", "port": 7000, "login": "me", "password": "mine"}
            | {"extra": {"db": 3}}
        ),
        "AIRFLOW_CONN_FIREHOSE_CLICKHOUSE": "clickhouse://me:mine@house.example:9443/?secure=true",
    }
    of_settings = {"FIREHOSE_REDIS_URL": "redis://a:b@other.example", "FIREHOSE_CLICKHOUSE_URL": "http://other"}
    done = run(_OWN, {}, tmp_path, FIREHOSE_AIRFLOW_CONNECTIONS="airflow", **own, **of_settings)
    redis_place, house = json.loads(done.stdout.splitlines()[-1])
    assert redis_place == ["redis.example", 7000, 3, ["me", "mine"]]
    assert house == [["https", "house.example", 9443, {}], "me", "mine"]
    done = run(_OWN, {}, tmp_path, **own, **of_settings)
    assert json.loads(done.stdout.splitlines()[-1])[0][0] == "other.example", "the settings come first otherwise"


def test_a_mail_goes_through_airflows_own_connection_where_that_is_wanted(tmp_path: Path) -> None:
    given = {"own": ""}  # no FIREHOSE_SMTP_URL
    wanted = {"FIREHOSE_AIRFLOW_CONNECTIONS": "airflow", "FIREHOSE_ALERT_EMAIL": "ops@example.org"}
    with mail_server(0) as box:
        connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": box.port, "extra": {"disable_ssl": True}}
        done = run(_MAIL, given, tmp_path, AIRFLOW_CONN_FIREHOSE_SMTP=json.dumps(connection), **wanted)
    (mail,) = box.received
    assert mail["To"] == "ops@example.org" and "title of own" in mail["Subject"]
    without = run(_MAIL, given, tmp_path, FIREHOSE_ALERT_EMAIL="ops@example.org")
    assert "FIREHOSE_SMTP_URL is not set, and Airflow has no connection firehose_smtp" in without.stdout
    assert "alert not sent" not in done.stdout


def parts(url: str) -> list[Any]:
    """An address in parts, its port always named."""
    found = urlsplit(url)
    port = found.port or (8443 if found.scheme == "https" else 8123)
    return [found.scheme, found.hostname, port, dict(parse_qsl(found.query))]


class Case(NamedTuple):
    """A mail server, how it is addressed, and the mail's way to it."""

    url: str  # {} stands for the login
    tls: str = ""  # "starttls": the server offers it, and takes a login only then; "smtps": from the first byte
    host: str = "127.0.0.1"
    login: str = ""
    says: str = ""  # the log's reason why nothing is sent


CASES = {
    "here": Case("smtp://{}127.0.0.1"),
    "here, with a login": Case("smtp://{}127.0.0.1", login=USER),
    "elsewhere": Case("smtp://{}127.0.0.2", host="127.0.0.2"),
    "elsewhere, with a login": Case(
        "smtp://{}127.0.0.2", host="127.0.0.2", login=USER, says="ValueError: the mail server offers no TLS"
    ),
    "starttls": Case("smtp://{}localhost", "starttls", login=USER),
    "smtps": Case("smtps://{}localhost", "smtps", login=USER),
    "another certificate": Case(
        "smtps://{}127.0.0.2", "smtps", host="127.0.0.2", login=USER, says="SSLCertVerificationError"
    ),
    "a wrong password": Case("smtp://{}127.0.0.1", login="ops:wr0ng-pass@", says="SMTPAuthenticationError: (535"),
    "away": Case("smtp://{}127.0.0.1", host="", login=USER, says="ConnectionRefusedError"),
}


@pytest.fixture(scope="module")
def mailed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Mailbox], dict[str, list[str]]]:
    """What each case's server has received, and what the log says of it."""
    folder = tmp_path_factory.mktemp("mail")
    context, authority = certificate(folder, "localhost")
    with ExitStack() as servers:
        boxes, urls = {}, {}
        for name, case in CASES.items():
            box, port = Mailbox(), 1
            if case.host:
                made = mail_server(0, case.host, tls=case.tls, context=context, login=("ops", PASSWORD))
                box = servers.enter_context(made)
                port = box.port
            boxes[name] = box
            urls[name] = f"{case.url.format(case.login)}:{port}"
        done = run(_MAIL, urls, folder, SSL_CERT_FILE=str(authority), FIREHOSE_ALERT_EMAIL="ops@example.org")
    said = {part.partition("\n")[0]: part.splitlines()[1:] for part in done.stdout.split("case ")[1:]}
    for secret in (PASSWORD, "wr0ng-pass"):
        assert secret not in done.stdout + done.stderr
    return boxes, said


@pytest.mark.parametrize("name", CASES)
def test_mail_goes_through_the_hook_and_no_password_in_the_clear(
    name: str, mailed: tuple[dict[str, Mailbox], dict[str, list[str]]]
) -> None:
    case, box, lines = CASES[name], mailed[0][name], mailed[1][name]
    (said,) = [line for line in lines if line.startswith('event="alert ')]
    if case.says:
        assert said.startswith('event="alert not sent" sink=mail ')
        assert case.says in said
        assert box.received == []
        assert set(box.logins) == ({("ops", "wr0ng-pass")} if "wr0ng" in case.login else set())
        return
    assert said.startswith('event="alert sent" sink=mail ')
    (mail,) = box.received
    assert mail["Subject"] == f"[firehose] title of {name}"
    assert (mail.get_content_type(), mail["To"]) == ("text/plain", "ops@example.org")
    text = mail.get_payload().splitlines()
    assert text[0] == "text <b>" and text[-2:] == ["a: 1", "runbook: docs/operations.md#x"]
    assert box.logins == ([("ops", PASSWORD)] if case.login else [])
    assert box.starttls == [case.tls == "starttls"]
