"""Start, stop, crash: one clear line where it cannot start, exit 0 where it stops, nothing lost where it dies."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import msgspec
import pytest

from clickhouse_http import EndpointError
from devstack.embedded import clickhouse
from firehose.settings import Settings
from tests.support.endpoint import LOADER
from tests.support.waiting import until

from .conftest import MakeSettings

STOP_S = 4


def ask(url: str, query: str, **parameters: str) -> str:
    response = httpx.post(url, content=query, params=parameters, auth=LOADER, timeout=30)
    assert response.status_code == 200, response.text
    return response.text


def run(settings: Settings) -> subprocess.CompletedProcess[str]:
    """The command itself, to its end."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FIREHOSE_")}
    environment |= {f"FIREHOSE_{k.upper()}": str(v) for k, v in msgspec.structs.asdict(settings).items()}
    return subprocess.run(
        [Path(sys.executable).parent / "firehose", "clickhouse"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def refused(settings: Settings, *words: str) -> None:
    done = run(settings)
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    for word in words:
        assert word in lines[0]
    assert LOADER[1] not in done.stderr


def test_a_taken_port_is_one_line(make_settings: MakeSettings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused(
            make_settings(clickhouse_url=f"http://127.0.0.1:{port}"), f"port {port}", "FIREHOSE_CLICKHOUSE_URL"
        )


@pytest.mark.parametrize("url", ["http://0.0.0.0:8123", "http://example.org:8123", "https://127.0.0.1:8443"])
def test_only_loopback(make_settings: MakeSettings, url: str) -> None:
    refused(make_settings(clickhouse_url=url), "FIREHOSE_CLICKHOUSE_URL", "this machine only")


@pytest.mark.parametrize("missing", ["loader", "analyst"])
def test_a_missing_password_is_one_line(make_settings: MakeSettings, missing: str) -> None:
    refused(
        make_settings(**{f"clickhouse_{missing}_password": ""}), f"FIREHOSE_CLICKHOUSE_{missing.upper()}_PASSWORD"
    )


def test_a_data_folder_in_use_is_one_line(make_settings: MakeSettings) -> None:
    with clickhouse.start(make_settings()):
        refused(make_settings(), "is in use by `firehose clickhouse` since", "FIREHOSE_HOME")


def test_a_failed_start_says_why(make_settings: MakeSettings) -> None:
    starting = clickhouse.start(make_settings(clickhouse_loader_password=""))
    said = "ended at once: firehose clickhouse: FIREHOSE_CLICKHOUSE_LOADER_PASSWORD is not set"
    with pytest.raises(EndpointError, match=said), starting:
        pytest.fail("it started")


def test_it_says_where_it_listens_and_stops_with_0(make_settings: MakeSettings) -> None:
    settings = make_settings(clickhouse_url=make_settings().clickhouse_url.replace("127.0.0.1", "localhost"))
    with clickhouse.start(settings) as running:
        assert f"listening on {running.url.replace('localhost', '127.0.0.1')}\n" in running.log.read_text()
        assert running.stop() == 0


@pytest.mark.parametrize(
    "query",
    ["SELECT sleepEachRow(1) FROM numbers(60) SETTINGS max_block_size = 1", "SELECT number FROM numbers(1e12)"],
)
def test_a_running_query_does_not_hold_up_the_stop(make_settings: MakeSettings, query: str) -> None:
    with clickhouse.start(make_settings(query_max_seconds=100)) as running:
        outcome: list[object] = []

        def slow() -> None:
            try:
                with httpx.stream("POST", running.url, content=query, auth=LOADER, timeout=30) as response:
                    outcome.append(response.status_code)
                    time.sleep(STOP_S)  # it does not read on, as a stuck client
            except httpx.HTTPError as error:
                outcome.append(error)

        thread = threading.Thread(target=slow)
        thread.start()
        until(lambda: ask(running.url, "SELECT count() FROM system.processes") == "2\n")
        # The query has a minute or more to go: the stop does not wait for it.
        assert running.stop(timeout_s=30) == 0
        thread.join()
        assert outcome
        assert "Traceback" not in running.log.read_text()


def test_ctrl_c_stops_it_as_well(make_settings: MakeSettings) -> None:
    with clickhouse.start(make_settings()) as running:
        os.kill(running.pid, signal.SIGINT)
        until(lambda: not Path(f"/proc/{running.pid}/exe").exists())
        assert running.stop() == 0


def test_what_was_acknowledged_survives_kill_9(make_settings: MakeSettings) -> None:
    settings = make_settings()
    acknowledged = 0
    with clickhouse.start(settings) as running:
        ask(running.url, "CREATE DATABASE firehose")
        ask(running.url, "CREATE TABLE firehose.t (id UInt64) ENGINE = MergeTree ORDER BY id")
        ask(running.url, "CREATE VIEW firehose.v AS SELECT max(id) AS id FROM firehose.t")
        for block in range(20):
            ask(running.url, f"INSERT INTO firehose.t SELECT number FROM numbers({block * 1000}, 1000)")
            acknowledged += 1000
        writer = threading.Thread(target=_write_until_it_dies, args=(running.url,))
        writer.start()
        time.sleep(0.2)
        running.kill()
        writer.join()
    with clickhouse.start(settings) as running:
        assert int(ask(running.url, f"SELECT count() FROM firehose.t WHERE id < {acknowledged}")) == acknowledged
        assert int(ask(running.url, "SELECT id FROM firehose.v")) >= acknowledged - 1


def _write_until_it_dies(url: str) -> None:
    try:
        while True:
            httpx.post(
                url, content="INSERT INTO firehose.t SELECT 1000000 + number FROM numbers(100000)", auth=LOADER
            )
    except httpx.HTTPError:
        return


def test_the_data_folders_files_hold_no_password(make_settings: MakeSettings, tmp_path: Path) -> None:
    with clickhouse.start(make_settings()) as running:
        ask(running.url, "SELECT 1", user="x", password="y")
        for file in (tmp_path / "clickhouse").rglob("*"):
            assert not file.is_file() or LOADER[1].encode() not in file.read_bytes()
