"""`firehose demo` as a newcomer runs it: to results, interrupted, and again; and its refusals."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.embedded.redis import RedisServer, free_port
from firehose.lake.ledger import read_ledger
from firehose.lake.verify import verify
from firehose.store import LocalLake
from ingester.contract import wire
from tests.support.command import FIREHOSE
from tests.support.earlier_lakes import give_earlier_names

# Air for a busy machine; the demo itself needs about a minute and a half.
RESULTS_S = 280
# What ends or changes a value in the configuration of one of the services.
HOME, LAKE = "home %41 $x ;y #z 'q\" ü[b]=,:|>", "lake %41 $x ;y #z 'q' ü[b]=,:|>"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    ports = {name: str(free_port()) for name in ("AIRFLOW", "DOCS", "SIMULATOR")}
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "FIREHOSE_HOME": str(tmp_path / HOME),
        "FIREHOSE_LAKE": str(tmp_path / LAKE),
        "FIREHOSE_REDIS_URL": f"redis://localhost:{free_port()}/0",
        "FIREHOSE_CLICKHOUSE_URL": f"http://localhost:{free_port()}",
        "FIREHOSE_UI_LISTEN": f"127.0.0.1:{free_port()}",
        **{f"FIREHOSE_{name}_PORT": port for name, port in ports.items()},
    }


def demo(environ: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [FIREHOSE, "demo", "--simulate", *options],
        env=environ,
        capture_output=True,
        text=True,
        timeout=RESULTS_S,
        check=False,
    )


@pytest.mark.timeout(600)
def test_the_demo_ends_in_results_stops_cleanly_and_goes_on(environ: dict[str, str], tmp_path: Path) -> None:
    first = demo(environ, "--until-results")
    assert first.returncode == 0, first.stderr
    for said in (
        "events can be queried",
        "likes",
        "Airflow",
        "user admin, password",
        "Data Docs",
        "ClickHouse",
        "Page",
    ):
        assert said in first.stderr
    assert verify(LocalLake(tmp_path / LAKE)).ok
    batches = {entry.batch for entry in read_ledger(LocalLake(tmp_path / LAKE))}
    assert batches
    exposed = [
        path for name in (HOME, LAKE) for path in (tmp_path / name).rglob("*") if path.lstat().st_mode & 0o077
    ]
    assert [path for path in exposed if not path.is_symlink()] == [], "for its owner only"
    assert list((tmp_path / HOME / "airflow" / "logs").glob("dag_id=firehose_batch/*"))
    secrets = (tmp_path / HOME / "firehose.env").read_text()
    events = _events_written(tmp_path / HOME)
    give_earlier_names(tmp_path / LAKE)
    process = subprocess.Popen([FIREHOSE, "demo", "--simulate"], env=environ, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = "".join(_lines_until(process.stderr.readline, "Ctrl-C stops everything."))
    process.send_signal(signal.SIGINT)
    said += process.stderr.read()
    process.stderr.close()
    assert process.wait(120) == 0
    assert "Traceback" not in said
    assert "the lake was from an earlier version: raw/ is now _raw/, coverage/ is now" in said
    assert verify(LocalLake(tmp_path / LAKE)).ok
    assert "stopped" in said
    assert (tmp_path / HOME / "firehose.env").read_text() == secrets
    assert batches <= {entry.batch for entry in read_ledger(LocalLake(tmp_path / LAKE))}
    assert _events_written(tmp_path / HOME) > events
    for name in ("REDIS_URL", "CLICKHOUSE_URL"):
        port = int(environ[f"FIREHOSE_{name}"].rsplit(":", 1)[1].split("/")[0])
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, f"{name} still answers after the stop"


def _events_written(home: Path) -> int:
    """What the ingester has ever written: the demo's Redis keeps it over its stops."""
    with RedisServer(home) as server, server.client() as client:
        return int(client.hget(wire.METADATA_KEY, wire.META_EVENTS) or 0)


def _lines_until(readline: object, last: str) -> Iterator[str]:
    assert callable(readline)
    deadline = time.monotonic() + RESULTS_S
    while time.monotonic() < deadline:
        line = readline()
        assert line, "the demo ended by itself"
        yield line
        if last in line:
            return
    raise AssertionError(f"{last!r} was not said in time")


def test_a_taken_port_is_one_clear_line(environ: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = demo(environ | {"FIREHOSE_REDIS_URL": f"redis://localhost:{port}/0"})
    assert done.returncode == 1
    assert f"port {port} on 127.0.0.1 is taken, so redis cannot start" in done.stderr
    assert "FIREHOSE_REDIS_URL" in done.stderr
    assert "Traceback" not in done.stderr
