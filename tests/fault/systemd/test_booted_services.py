"""The services under a real systemd as PID 1: start, frozen, killed, replaced, upgraded, stopped, in this order.

One boot for all tests of this file, since each one goes on where the one before it ended.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from ingester.contract import wire
from tests.support.booted import Booted, booted
from tests.support.ingester import cursor, known, metadata, stored
from tests.support.waiting import until

INGESTER, SPARE = "bluesky-firehose-ingester.service", "bluesky-firehose-spare@west.service"
REDIS, CLICKHOUSE = "bluesky-firehose-redis.service", "bluesky-firehose-clickhouse.service"
TARGET = "bluesky-firehose.target"
SERVICES = (REDIS, CLICKHOUSE, INGESTER)
FIREHOSE, NEXT = (f"/opt/bluesky-firehose{name}/.venv/bin/firehose" for name in ("", "-next"))
RECORD = "/var/lib/simulator/events"
# What systemd logs of a unit (systemd.journal-fields(7)): a start that began, one that ended, a stop that ended.
STARTING, STARTED = "7d4958e842da4a758f6c1cdc7b36dcc5", "39f53479d3a045ac8e11786248231fbf"
STOPPED = "9d1aaa27d60140bd96365438aad20286"

# A source on this machine; and a watchdog that a test can wait for.
PREPARE = f"""
mkdir -p /etc/bluesky-firehose /etc/systemd/system/{INGESTER}.d
cat > /etc/bluesky-firehose/firehose.env << 'END'
FIREHOSE_JETSTREAM_URL=ws://127.0.0.1:6008/subscribe
FIREHOSE_LEASE_S=2
END
printf '[Service]\\nWatchdogSec=5\\n' > /etc/systemd/system/{INGESTER}.d/test.conf
cat > /etc/systemd/system/simulator.service << 'END'
[Service]
StateDirectory=simulator
ExecStart={FIREHOSE} simulate --port 6008 --record {RECORD}
Environment=HOME=/root
[Install]
WantedBy=multi-user.target
END
systemctl --root=/ --quiet enable simulator
{FIREHOSE} service install --root / --with redis,clickhouse
"""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """A machine that was installed as an image and has just been switched on."""
    with booted(tmp_path_factory.mktemp("booted"), PREPARE) as found:
        yield found


@pytest.fixture
def client(system: Booted) -> Iterator[redis.Redis]:
    """The administrator of the embedded Redis, at the socket that only root and Redis can reach."""
    password = system.path("/etc/bluesky-firehose/redis/admin").read_text().strip()
    socket = str(system.path("/run/bluesky-firehose-redis/admin.sock"))
    with redis.Redis(unix_socket_path=socket, username="admin", password=password) as found:
        yield found


def status(system: Booted, firehose: str = FIREHOSE) -> dict[str, Any]:
    """What `firehose service status` says, by unit; its exit code says the same as ``healthy``."""
    done = system.run(firehose, "service", "status", "--json", check=False)
    assert done.stdout, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if said["healthy"] else 1)
    return {unit["unit"]: unit for unit in said["units"]} | {"healthy": said["healthy"]}


def active(system: Booted, unit: str) -> bool:
    """True once systemd counts a unit as started: it is ready."""
    return system.show(unit, "ActiveState") == "active"


def when(system: Booted, message: str, unit: str) -> list[int]:
    """When systemd logged this of a unit: µs of the machine's clock, which never steps back."""
    found = system.journal("_PID=1", f"UNIT={unit}", f"MESSAGE_ID={message}")
    return [int(entry["__MONOTONIC_TIMESTAMP"]) for entry in found]


def time_us(line: bytes) -> int:
    """The time of an event, which is its cursor."""
    return int(json.loads(line)["time_us"])


def nothing_is_missing(system: Booted, client: redis.Redis) -> None:
    """Compare what is in Redis with the source's own record, from the first event that was stored to the last one.

    A resumed stream repeats events; none may be missing, and none may be recorded as missing.
    """
    until_us = cursor(client)  # the queues are read one after the other, while the ingester goes on
    here = {line for line in stored(client) if time_us(line) <= until_us}
    record = system.path(RECORD)
    until(lambda: here <= set(record.read_bytes().splitlines()), what="the source's record has what was stored")
    numbers = [number for number, line in enumerate(record.read_bytes().splitlines()) if line in here]
    assert len(numbers) > 100
    assert len(numbers) == numbers[-1] - numbers[0] + 1
    assert [gap for gap in known(client) if not gap.filled] == []


def test_boot_starts_each_service_once_what_it_needs_answers(system: Booted) -> None:
    for unit in SERVICES:
        until(lambda unit=unit: active(system, unit), what=f"{unit} is ready")  # type: ignore[misc]
    assert when(system, STARTED, REDIS) < when(system, STARTING, INGESTER)
    said = status(system)
    assert said["healthy"], said
    assert said[INGESTER]["says"] == "connected to 127.0.0.1:6008"
    assert [said[unit]["restarts"] for unit in SERVICES] == [0, 0, 0]


def test_no_password_is_in_a_unit_or_in_the_environment_of_a_process(system: Booted) -> None:
    files = [
        *system.path("/etc/bluesky-firehose/redis").iterdir(),
        system.path("/etc/bluesky-firehose/clickhouse.env"),
    ]
    secrets = {
        word for file in files for word in re.findall(rb"[\w-]{20,}", file.read_bytes()) if b"FIREHOSE" not in word
    }
    assert len(secrets) >= 6
    pids = [system.show(unit, "MainPID") for unit in SERVICES]
    seen = [system.path(f"/proc/{pid}/{name}").read_bytes() for pid in pids for name in ("environ", "cmdline")]
    seen += [file.read_bytes() for file in system.path("/etc/systemd/system").rglob("bluesky*") if file.is_file()]
    seen.append(system.path("/etc/bluesky-firehose/installed.json").read_bytes())
    assert not [secret for secret in secrets for text in seen if secret in text]


def test_clickhouse_does_its_work_in_the_sandbox(system: Booted) -> None:
    """What is asked a third time is compiled, which MemoryDenyWriteExecute= would forbid."""
    password = (
        system.path("/etc/bluesky-firehose/clickhouse.env").read_text().split("LOADER_PASSWORD=")[1].split()[0]
    )
    question = "SELECT sum(number * number + number % 7) FROM numbers(1000) WHERE (number * 3 + 5) % 11 = 4"
    expected = sum(n * n + n % 7 for n in range(1000) if (n * 3 + 5) % 11 == 4)
    ask = ["curl", "--silent", "--user", f"loader:{password}", "--data", question, "http://127.0.0.1:8123/"]
    assert [system.run(*ask).stdout.strip() for _ in range(6)] == [str(expected)] * 6


def test_a_frozen_ingester_is_restarted_by_the_watchdog(system: Booted, client: redis.Redis) -> None:
    until(lambda: cursor(client))
    frozen = system.show(INGESTER, "MainPID")
    system.run("kill", "-STOP", frozen)
    until(lambda: system.show(INGESTER, "NRestarts") == "1" and active(system, INGESTER), what="it was restarted")
    assert system.show(INGESTER, "MainPID") != frozen
    (ended,) = [entry for entry in system.journal("_PID=1", f"UNIT={INGESTER}") if "EXIT_CODE" in entry]
    assert ended["EXIT_STATUS"] in ("6", "9"), "ended by a signal of systemd"
    said = status(system)
    assert said["healthy"] and said[INGESTER]["restarts"] == 1
    assert said[INGESTER]["last_exit"] == f"{ended['EXIT_CODE']} {ended['EXIT_STATUS']}"


def test_a_killed_ingester_and_a_killed_redis_lose_nothing(system: Booted, client: redis.Redis) -> None:
    before = cursor(client)
    system.run("systemctl", "kill", "--signal=KILL", INGESTER)
    until(lambda: system.show(INGESTER, "NRestarts") == "2" and active(system, INGESTER), what="it was restarted")
    claimed = [
        e["MESSAGE"] for e in system.journal(f"_SYSTEMD_UNIT={INGESTER}") if "event=claimed" in e["MESSAGE"]
    ][-1]
    assert int(re.findall(r"cursor=(\d+)", claimed)[0]) >= before > 0
    system.run("systemctl", "kill", "--signal=KILL", REDIS)
    until(lambda: system.show(REDIS, "NRestarts") == "1" and active(system, REDIS), what="Redis was restarted")
    loaded = cursor(client)
    until(lambda: cursor(client) > loaded, what="the ingester writes again")
    nothing_is_missing(system, client)


def test_a_spare_waits_and_takes_over_from_an_ingester_that_is_stopped(
    system: Booted, client: redis.Redis
) -> None:
    system.run("systemctl", "start", "--no-block", SPARE)
    until(lambda: system.show(SPARE, "SubState") == "start")
    said = status(system)
    assert said["healthy"] and said[SPARE]["state"] == "activating (start)", "one writes, one waits"
    system.run("systemctl", "stop", INGESTER)
    until(lambda: active(system, SPARE), what="the spare writes")
    until(lambda: metadata(client)[wire.META_WRITER].startswith("west/"))
    assert not status(system)["healthy"], "the ingester was stopped"
    system.run("systemctl", "start", "--no-block", INGESTER)
    until(lambda: system.show(INGESTER, "SubState") == "start")
    assert status(system)["healthy"], "again one writes, and one waits"
    system.run("systemctl", "stop", SPARE)
    until(lambda: active(system, INGESTER), what="the ingester writes again")
    nothing_is_missing(system, client)


def test_what_would_not_work_is_refused_in_one_line_and_changes_nothing(system: Booted) -> None:
    """As a user meets it; each refusal by itself: tests/integration/service."""
    before = {path: path.read_bytes() for path in system.path("/etc").rglob("*bluesky*") if path.is_file()}

    def refused(*arguments: str, user: str = "root") -> str:
        done = system.run("setpriv", f"--reuid={user}", FIREHOSE, "service", "install", *arguments, check=False)
        assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1, done
        return done.stderr

    assert "only root may do that" in refused(user="nobody")
    system.run("chmod", "700", "/opt/bluesky-firehose")
    assert "/opt/bluesky-firehose is not open to others" in refused()
    system.run("chmod", "755", "/opt/bluesky-firehose")
    assert {path: path.read_bytes() for path in before} == before


def test_a_command_runs_with_the_settings_and_as_the_user_of_the_services(system: Booted) -> None:
    assert system.run(FIREHOSE, "service", "exec", "migrate").returncode == 0
    said = system.run(FIREHOSE, "service", "exec", "coverage", "--open", "--json")
    assert said.stdout == "" and "0 open" in said.stderr
    assert list(system.path("/run").glob("bluesky-firehose-*/*.env")) == []


def test_installing_again_changes_nothing(system: Booted) -> None:
    before = [system.show(unit, "InvocationID") for unit in SERVICES]
    said = system.run(FIREHOSE, "service", "install", "--now").stdout
    assert "\nkeep" in said and not re.search(r"^(write|make|remove)", said, re.MULTILINE)
    assert [system.show(unit, "InvocationID") for unit in SERVICES] == before


def test_an_upgrade_runs_the_new_version_and_a_rollback_the_old_one(system: Booted, client: redis.Redis) -> None:
    def all_run(folder: str) -> bool:
        if not all(active(system, unit) for unit in SERVICES):
            return False
        pids = [system.show(unit, "MainPID") for unit in (CLICKHOUSE, INGESTER)]
        seen = [system.run("cat", f"/proc/{pid}/cmdline", check=False).stdout for pid in pids]
        return all(line.startswith(f"{folder}/") for line in seen)

    dry = system.run(NEXT, "service", "install", "--now", "--dry-run").stdout
    assert f"write   /etc/systemd/system/{INGESTER}" in dry and f"systemctl restart {TARGET}" in dry
    assert all_run("/opt/bluesky-firehose"), "a dry run changes nothing"
    system.run(NEXT, "service", "install", "--now")
    until(lambda: all_run("/opt/bluesky-firehose-next"), what="the new version runs")
    system.run(NEXT, "service", "rollback")
    until(lambda: all_run("/opt/bluesky-firehose"), what="the old version runs")
    nothing_is_missing(system, client)


def test_uninstalling_leaves_what_a_later_installation_goes_on_with(system: Booted, client: redis.Redis) -> None:
    before = cursor(client)
    said = system.run(FIREHOSE, "service", "uninstall")
    assert "left as they are: /etc/bluesky-firehose" in said.stderr
    assert (
        system.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "bluesky*").stdout.strip() == ""
    )
    assert [p for p in system.path("/etc/systemd/system").rglob("*bluesky*") if p.name != f"{INGESTER}.d"] == []
    assert system.run(FIREHOSE, "service", "status", check=False).returncode == 1
    system.run(FIREHOSE, "service", "install", "--with", "redis,clickhouse", "--now")
    until(lambda: all(active(system, unit) for unit in SERVICES), what="all of it runs again")
    assert status(system)["healthy"]
    assert cursor(client) >= before > 0
    nothing_is_missing(system, client)


def test_shutdown_stops_the_ingester_first_and_redis_last(system: Booted) -> None:
    system.power_off()
    (ingester, redis_) = (when(system, STOPPED, unit)[-1] for unit in (INGESTER, REDIS))
    assert ingester < redis_
    said = [entry["MESSAGE"] for entry in system.journal(f"_SYSTEMD_UNIT={INGESTER}")][-1]
    assert "event=stopped" in said, "its last events are written"
    # Nothing had to be killed, and what the issue of a slow stop would be: ten seconds.
    ends = [
        e for e in system.journal("_PID=1", "MESSAGE_ID=98e322203f7a4ed290d09fe03c09fe15") if e["UNIT"] in SERVICES
    ]
    stop = when(system, "de5b426a63be47a7b6ac3eaac82e2f6f", INGESTER)[-1]
    assert [e for e in ends if int(e["__MONOTONIC_TIMESTAMP"]) > stop] == []
    assert redis_ - stop < 10_000_000
