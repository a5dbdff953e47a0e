"""A home has one owner: whoever comes second is told who that is, and changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clickhouse_http import own
from devstack.embedded.ownership import own_home
from devstack.embedded.redis import free_port
from tests.security.home.conftest import LightDemo
from tests.support.command import FIREHOSE


def firehose(home: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command on ``home`` with ports of its own."""
    ports = {f"FIREHOSE_{name}_PORT": str(free_port()) for name in ("AIRFLOW", "DOCS", "SIMULATOR")}
    urls = {
        "FIREHOSE_REDIS_URL": f"redis://localhost:{free_port()}/0",
        "FIREHOSE_CLICKHOUSE_URL": f"http://localhost:{free_port()}",
        "FIREHOSE_UI_LISTEN": f"127.0.0.1:{free_port()}",
    }
    given = {"PATH": os.environ["PATH"], "HOME": str(home.parent), "FIREHOSE_HOME": str(home)}
    return subprocess.run(
        [FIREHOSE, *arguments],
        env=given | {"FIREHOSE_LAKE": str(home.parent / "lake")} | ports | urls | environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def content(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file with its time of change and bytes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


@pytest.mark.parametrize("command", ["demo", "once"])
def test_a_second_command_on_a_home_says_who_runs_and_changes_nothing(tmp_path: Path, command: str) -> None:
    home = tmp_path / "home"
    recording = tmp_path / "recording.jsonl"
    recording.write_text('{"did":"did:plc:a","time_us":1,"kind":"identity"}\n')
    (tmp_path / "elsewhere").mkdir()
    options = ["--simulate"] if command == "demo" else ["--replay", str(recording), "--home", str(home)]
    with own_home(home, "firehose demo") as ownership:
        ownership.serves([6379, 8080])
        before = content(tmp_path)
        done = firehose(home, command, *options, TMPDIR=str(tmp_path / "elsewhere"))
        assert content(tmp_path) == before
    assert done.returncode == 75
    assert done.stderr.startswith(f"firehose: the home {home} is in use by `firehose demo` since 20")
    assert f"(process {os.getpid()}, ports 6379, 8080): stop that first" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (home / "firehose.env").exists()


def test_a_second_parent_leaves_a_running_demo_alone(demo: LightDemo, tmp_path: Path) -> None:
    before = demo.wait_until_streaming()
    second = demo.start(TMPDIR=str(tmp_path))
    said, _ = second.communicate(timeout=60)
    assert second.returncode != 0
    assert f"(process {demo.process.pid})" in said
    assert demo.held() == before


def test_supervisorctl_speaks_with_the_demos_supervisor(demo: LightDemo) -> None:
    demo.wait_until_streaming()
    command = [str(Path(FIREHOSE).parent / "supervisorctl"), "-c", "supervisord.conf", "status"]
    done = subprocess.run(command, cwd=demo.run, capture_output=True, text=True, timeout=60, check=False)
    states = dict(line.split()[:2] for line in done.stdout.splitlines())
    assert set(states) == {"redis", "simulator", "ingester"}, done.stdout + done.stderr
    assert set(states.values()) <= {"STARTING", "RUNNING"}


def test_once_leaves_the_home_of_a_demo_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "airflow").mkdir(parents=True)
    (home / "redis").mkdir()
    (home / "redis" / "appendonly.aof").write_bytes(b"the buffer")
    recording = tmp_path / "recording.jsonl"
    recording.write_text('{"did":"did:plc:a","time_us":1,"kind":"identity"}\n')
    done = firehose(home, "once", "--replay", str(recording), "--home", str(home))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "is the home of a `firehose demo`" in done.stderr
    assert (home / "redis" / "appendonly.aof").read_bytes() == b"the buffer"


def test_data_that_an_endpoint_serves_are_not_the_demos(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "clickhouse").mkdir(parents=True)
    with own(home / "clickhouse" / "lock", "firehose clickhouse"):
        done = firehose(home, "demo", "--simulate")
    assert done.returncode == 1
    assert "is in use by `firehose clickhouse` since" in done.stderr
    assert not (home / "airflow").exists()


def test_the_lock_ends_with_its_process_and_not_with_a_file(tmp_path: Path) -> None:
    code = "import sys, os, pathlib; from devstack.embedded.ownership import own_home\n"
    code += "held = own_home(pathlib.Path(sys.argv[1]), 'a demo'); os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "home")]).returncode == -9
    assert (tmp_path / "home" / "run" / "home.lock").stat().st_size > 0
    own_home(tmp_path / "home", "the next one").close()
