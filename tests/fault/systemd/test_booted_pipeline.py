"""A whole pipeline under a real systemd: from the source to an answer, each service in its sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.support.booted import Booted, booted
from tests.support.waiting import until

FIREHOSE = "/opt/bluesky-firehose/.venv/bin/firehose"
SCHEDULER = "bluesky-firehose-airflow-scheduler.service"
LAKE = "/var/lib/bluesky-firehose/lake"
STARTED, STOPPED = "39f53479d3a045ac8e11786248231fbf", "9d1aaa27d60140bd96365438aad20286"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """A machine with everything, and a source on it."""
    start = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:00Z")
    prepare = f"""
mkdir -p /etc/bluesky-firehose
cat > /etc/bluesky-firehose/firehose.env << 'END'
FIREHOSE_JETSTREAM_URL=ws://127.0.0.1:6008/subscribe
FIREHOSE_BATCH_MINUTES=1
FIREHOSE_START_DATE={start}
END
cat > /etc/systemd/system/simulator.service << 'END'
[Service]
ExecStart={FIREHOSE} simulate --port 6008
Environment=HOME=/root
[Install]
WantedBy=multi-user.target
END
systemctl --root=/ --quiet enable simulator
{FIREHOSE} service install --root / --with redis,clickhouse,airflow
"""
    with booted(tmp_path_factory.mktemp("booted"), prepare) as found:
        yield found


def when(system: Booted, message: str, unit: str) -> int:
    """When systemd logged this of a unit for the last time, in µs of the machine's clock."""
    return int(system.journal("_PID=1", f"UNIT={unit}", f"MESSAGE_ID={message}")[-1]["__MONOTONIC_TIMESTAMP"])


def answer(system: Booted, question: str) -> str:
    """What an analyst is told, with the password of the services."""
    said = system.path("/etc/bluesky-firehose/clickhouse.env").read_text()
    password = said.split("ANALYST_PASSWORD=")[1].split()[0]
    ask = ["curl", "--silent", "--user", f"analyst:{password}", "--data", question, "http://127.0.0.1:8123/"]
    return system.run(*ask).stdout.strip()


def test_events_reach_an_answer_and_the_shutdown_is_in_order(system: Booted) -> None:
    until(lambda: system.show(SCHEDULER, "ActiveState") == "active", 240, what="all of it has started")
    counted = "SELECT sum(stored) FROM ops.batch_counts"
    until(
        lambda: answer(system, counted).isdigit() and int(answer(system, counted)) > 0,
        240,
        what="a batch is loaded",
    )
    published = int(answer(system, "SELECT countIf(text != '') FROM firehose.posts"))
    assert published > 0, "ClickHouse reads the lake, whose owner is another user"

    owner = system.run("stat", "--format=%U %a", LAKE, *map(str, _hour_files(system))).stdout.splitlines()
    assert owner[0] == "bluesky-firehose 750" and set(owner[1:]) == {"bluesky-firehose 640"}
    assert system.run(FIREHOSE, "service", "exec", "verify", "--quick").returncode == 0

    system.power_off()
    # Started in this order, and stopped in the reverse one: Redis once nobody writes and no task runs any more.
    redis, ingester = "bluesky-firehose-redis.service", "bluesky-firehose-ingester.service"
    api = "bluesky-firehose-airflow-api-server.service"
    assert when(system, STARTED, redis) < when(system, STARTED, api) < when(system, STARTED, SCHEDULER)
    assert when(system, STOPPED, SCHEDULER) < when(system, STOPPED, api) < when(system, STOPPED, redis)
    assert when(system, STOPPED, ingester) < when(system, STOPPED, redis)


def _hour_files(system: Booted) -> list[str]:
    found = system.run("find", LAKE, "-path", f"{LAKE}/year=*", "-name", "posts.parquet").stdout.split()
    assert found
    return found
