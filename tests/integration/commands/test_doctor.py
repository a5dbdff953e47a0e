"""`firehose doctor` against real services: what is right, and each thing that is broken on purpose."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from shutil import copy
from typing import Any

import msgspec
import pytest
import redis

import jetstream_simulator
from devstack.embedded.redis import RedisServer, free_port
from firehose.settings import Settings
from firehose.warehouse.client import connect
from firehose.warehouse.migrate import migrate
from firehose_cli.doctor import catalogue, lake, redis_users, sinks, versions
from firehose_cli.doctor import redis as redis_checks
from firehose_cli.doctor.check import Check, Finding, State, failure
from firehose_cli.doctor.running import run
from ingester.contract import wire
from ingester.contract.redis_access import INGESTER
from jetstream_simulator.process import SimulatorProcess
from tests.support.command import firehose
from tests.support.endpoint import endpoint_settings, running_endpoint
from tests.support.logins import copy_passwords
from tests.support.sinks import mail_server


@pytest.fixture(scope="module")
def source() -> Iterator[SimulatorProcess]:
    """A Jetstream host of both protocols."""
    with jetstream_simulator.start(["--rate", "200"]) as running:
        yield running


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of the test's own, whose home it has."""
    with RedisServer(tmp_path / "home") as running:
        yield running


def settings_of(server: RedisServer, **more: object) -> Settings:
    """Settings of the home of that Redis, whose administrator's password is there."""
    return Settings(home=str(server.folder.parent), redis_url=server.url, **more)  # type: ignore[arg-type]


def doctor(home: Path, *arguments: object, **settings: object) -> tuple[int, dict[str, dict[str, Any]], str]:
    """Exit status, the findings by check, and everything that was printed."""
    done = firehose("doctor", "--json", *arguments, home=home, **settings)
    assert "Traceback" not in done.stderr, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return done.returncode, {each["check"]: each for each in found}, done.stdout + done.stderr


def test_a_pipeline_that_is_well_has_no_failure(
    tmp_path: Path, server: RedisServer, source: SimulatorProcess
) -> None:
    home = server.folder.parent
    made = endpoint_settings(home, redis_url=server.url, jetstream_url=source.events_url)
    Path(made.lake).mkdir()
    with running_endpoint(made):
        with connect(made) as client:
            migrate(client, made)
        given = {name: getattr(made, name) for name in ("lake", "redis_url", "jetstream_url", "clickhouse_url")}
        passwords = {
            "clickhouse_loader_password": made.clickhouse_loader_password,
            "clickhouse_analyst_password": made.clickhouse_analyst_password,
        }
        code, found, said = doctor(home, zstd_dictionary="fetch", **given, **passwords)
    failed = {name: each for name, each in found.items() if each["state"] == State.FAILURE}
    assert (code, failed) == (0, {})
    assert list(found) == [check.name for check in catalogue.CHECKS]
    well = {name for name, each in found.items() if each["state"] == State.OK}
    assert well >= {
        *(
            "redis.reachable",
            "redis.strangers",
            "redis.policy",
            "redis.persistence",
            "redis.fsync",
            "redis.rights",
            "redis.reads-back",
        ),
        *("clickhouse.loader", "clickhouse.analyst", "clickhouse.rights", "clickhouse.migrations"),
        *("lake.writable", "lake.one-disk", "lake.room", "clock.redis", "jetstream.message", "files.passwords"),
    }
    assert not list(Path(made.lake).glob("_doctor*")), "the probe is still there"
    for secret in (*passwords.values(), *((server.access / name).read_text() for name in ("admin", "pipeline"))):
        assert secret.strip() not in said


def test_a_machine_with_an_ingester_alone_is_asked_what_belongs_to_it(
    tmp_path: Path, server: RedisServer, source: SimulatorProcess
) -> None:
    home = tmp_path / "ingester"
    passwords = home / "redis-access"
    passwords.mkdir(parents=True, mode=0o700)
    copy(server.access / INGESTER, passwords)
    where = {"redis_url": server.url, "jetstream_url": source.events_url}
    code, found, _ = doctor(home, **where)
    assert code == 0, found
    assert "an ingester alone" in found["machine.kind"]["said"]
    assert {name.partition(".")[0] for name in found} == {
        *("machine", "versions", "settings", "files", "redis", "ingester", "clock", "jetstream")
    }
    assert found["redis.reachable"]["state"] == found["clock.redis"]["state"] == State.OK
    assert found["ingester.flushes"]["state"] == State.WARNING, "it has not been started"
    unchecked = {name for name, each in found.items() if each["state"] == State.NOT_CHECKED}
    assert unchecked <= {"files.keys", "files.env", "redis.overcommit"}
    with server.client() as client:
        client.hset(wire.METADATA_KEY, wire.META_LAST_FLUSH_MS, 1)
    code, found, _ = doctor(home, "--only", "ingester", "--only", "lake.room", **where)
    assert (code, set(found)) == (1, {"ingester.flushes", "lake.room"}), "what is named is checked"
    assert found["ingester.flushes"]["state"] == State.FAILURE
    with server.client() as client:
        client.hset(wire.METADATA_KEY, wire.META_WAITING_MS, client.time()[0] * 1000)
    code, found, _ = doctor(home, "--only", "ingester", **where)
    assert (code, found["ingester.flushes"]["state"]) == (0, State.WARNING)
    assert "it waits for a connection" in found["ingester.flushes"]["said"]


def test_nothing_is_there_and_one_cause_is_one_failure(tmp_path: Path) -> None:
    port = free_port()
    code, found, said = doctor(
        tmp_path,
        redis_url=f"redis://someone:very-secret@127.0.0.1:{port}/0",
        clickhouse_url=f"http://127.0.0.1:{port}",
        jetstream_url=f"ws://127.0.0.1:{port}/subscribe",
        lake=tmp_path / "lake",
        smtp_url=f"smtp://someone:also-secret@127.0.0.1:{port}",
        alert_email="ops@example.org",
    )
    assert code == 1
    failed = {name for name, each in found.items() if each["state"] == State.FAILURE}
    assert failed >= {"redis.reachable", "clickhouse.loader", "lake.writable", "jetstream.message", "alerts.mail"}
    assert not failed & {"redis.policy", "redis.version", "clickhouse.migrations", "clickhouse.analyst"}
    assert all(each["remedy"] for each in found.values() if each["state"] in (State.FAILURE, State.WARNING))
    assert "secret" not in said


def test_an_unknown_setting_has_a_suggestion_and_the_other_checks_go_on(tmp_path: Path) -> None:
    code, found, _ = doctor(tmp_path, "--only", "settings", "--only", "versions.python", lakee="/x")
    assert code == 1
    assert "did you mean FIREHOSE_LAKE?" in found["settings.names"]["remedy"]
    assert found["versions.python"]["state"] == found["settings.values"]["state"] == State.OK
    code, found, _ = doctor(tmp_path, "--only", "settings", "--only", "redis.policy", batch_minutes="7")
    assert "FIREHOSE_BATCH_MINUTES" in found["settings.values"]["said"]
    assert found["redis.policy"]["state"] == State.NOT_CHECKED
    asked = firehose("doctor", "--only", "nonsense", home=tmp_path)
    assert (asked.returncode, asked.stdout) == (1, "")
    assert "there are machine, versions, settings" in asked.stderr


@pytest.mark.parametrize(
    ("option", "value", "check"),
    [
        ("maxmemory-policy", "allkeys-lru", redis_checks.policy),
        ("appendonly", "no", redis_checks.persistence),
        ("appendfsync", "everysec", redis_checks.fsync),
    ],
)
def test_a_redis_that_may_forget(server: RedisServer, option: str, value: str, check: Any) -> None:
    settings = settings_of(server)
    assert check(settings).state is State.OK
    with server.client() as admin:
        admin.config_set(option, value)
    assert check(settings).state is State.FAILURE
    assert option in check(settings).remedy


def test_a_role_that_lacks_a_right(server: RedisServer) -> None:
    settings = settings_of(server)
    with server.client() as admin:
        admin.execute_command("ACL", "SETUSER", "pipeline", "-xdel")
    finding = redis_users.rights(settings)
    assert (finding.state, finding.said) == (State.FAILURE, "pipeline lacks +xdel")


def test_a_redis_that_lets_everybody_in_and_one_without_administrator(server: RedisServer, tmp_path: Path) -> None:
    copy_passwords(server, tmp_path / "other")
    settings = Settings(home=str(tmp_path / "other"), redis_url=server.url)
    assert redis_checks.fsync(settings).state is State.NOT_CHECKED
    with server.client() as admin:
        admin.execute_command("ACL", "SETUSER", "default", "on", "nopass", "+@all", "~*")
        assert redis_users.strangers(settings).state is State.WARNING
        entries: Any = admin.acl_log()
        assert entries == [], "a check was refused something, which an operator would take for an attack"


def test_a_password_that_redis_does_not_have(server: RedisServer) -> None:
    (server.access / "monitoring").write_text("another one\n")
    finding = redis_users.reachable(settings_of(server))
    assert finding.state is State.FAILURE
    assert "monitoring" in finding.said
    assert "another one" not in str(finding)


def test_files_that_others_can_read(server: RedisServer) -> None:
    (server.access / "pipeline").chmod(0o640)
    (server.folder.parent / "firehose.env").write_text("")
    (server.folder.parent / "firehose.env").chmod(0o644)
    _, found, _ = doctor(server.folder.parent, "--only", "files")
    assert found["files.passwords"]["state"] == found["files.env"]["state"] == State.FAILURE
    assert "chmod 600" in found["files.passwords"]["remedy"]


def test_without_chdb_a_server_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As in a container, which has no embedded services."""

    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    settings = Settings(home=str(tmp_path))
    assert versions.engine(settings).state is State.WARNING
    elsewhere = msgspec.structs.replace(settings, clickhouse_url="http://clickhouse:8123")
    assert versions.engine(elsewhere).state is State.OK


def test_a_lake_of_two_owners_and_a_full_one(tmp_path: Path) -> None:
    settings = Settings(home=str(tmp_path), lake=str(tmp_path / "lake"))
    (tmp_path / "lake" / "_raw").mkdir(parents=True)
    assert lake.owner(settings).state is State.OK
    if os.getuid() == 0:
        os.chown(tmp_path / "lake" / "_raw", 12345, -1)
        assert lake.owner(settings).state is State.FAILURE
    full = msgspec.structs.replace(settings, disk_reserve_mib=2**24)
    (result,) = run_with(full, Check("lake.room", lake.room))
    assert result.state is State.FAILURE
    assert "FIREHOSE_DISK_RESERVE_MIB" in result.said


def run_with(settings: Settings, check: Check) -> list[Finding]:
    """What the runner makes of one check with these settings."""
    bound = check._replace(run=lambda _: check.run(settings), needs_settings=False)
    return [result.finding for result in run([bound])]


def test_a_check_that_hangs_or_breaks_is_a_failure_of_its_own(server: RedisServer) -> None:
    def broken(_: Settings) -> Finding:
        raise KeyError("surprise")

    def hangs(_: Settings) -> Finding:
        with server.client() as client:
            client.blpop(["nothing"], timeout=60)
        return failure("never", "never")

    checks = [Check("a.hangs", hangs, timeout_s=0.3), Check("a.broken", broken, needs_settings=False)]
    first, second = run(checks)
    assert "no answer within 0.3 s" in first.finding.said
    assert "the check itself failed (KeyError: 'surprise')" in second.finding.said


def test_what_a_check_says_has_no_secret_in_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secrets = {
        "CLICKHOUSE_LOADER_PASSWORD": "load%er-pass",
        "ARCHIVE_KEY": "key-of-archive",
        "SMTP_URL": "smtp://me:mail%40pass@mail.example:25",
        "ALERT_WEBHOOK_URL": "https://hooks.example/very/private",
    }
    monkeypatch.setenv("FIREHOSE_HOME", str(tmp_path))
    for name, value in secrets.items():
        monkeypatch.setenv(f"FIREHOSE_{name}", value)

    def talks(settings: Settings) -> Finding:
        said = f"{settings.clickhouse_loader_password} {settings.archive_key} {settings.alert_webhook_url}"
        return failure(f"{said} mail@pass {settings.smtp_url}", f"use {settings.archive_key}")

    (result,) = run([Check("a.talks", talks)])
    assert result.finding.said == "*** *** *** *** smtp://***@mail.example:25"
    assert result.finding.remedy == "use ***"


def test_mail_that_is_refused_and_mail_that_is_taken() -> None:
    with mail_server(0, login=("me", "right-word")) as box:
        right = sinks.mail(Settings(smtp_url=f"smtp://127.0.0.1:{box.port}"))
        assert right.state is State.OK
        assert box.received == []
    assert sinks.mail(Settings(smtp_url=f"smtp://127.0.0.1:{box.port}")).state is State.FAILURE


def test_every_check_has_a_name_of_its_own_and_says_what_it_looks_at() -> None:
    names = [check.name for check in catalogue.CHECKS]
    assert len(set(names)) == len(names)
    for check in catalogue.CHECKS:
        assert check.name.count(".") == 1
        assert len((check.run.__doc__ or "").splitlines()[0]) > 15, check.name
        assert not check.after or names.index(check.after) < names.index(check.name)


def test_redis_is_not_changed(server: RedisServer) -> None:
    with server.client() as admin:
        doctor(server.folder.parent, "--only", "redis", "--only", "clock", redis_url=server.url)
        assert admin.dbsize() == 0
        client: redis.Redis = admin
        assert client.acl_log() == []
