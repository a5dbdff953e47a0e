"""The sandbox by itself: what the engine cannot reach even where every right is given (here: as the loader)."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec
import pytest

from clickhouse_http.sandbox import landlock
from firehose.settings import Settings
from tests.support.endpoint import LOADER, endpoint_settings
from tests.support.waiting import until

from .canaries import MARK, Tree
from .conftest import Box

ROOT = Path(__file__).resolve().parents[3]
PLACES = ["outside", "cwd", "tmp", "home"]
START_S = 60.0


def _landlock() -> int:
    try:
        return landlock.landlock_version()
    except landlock.SandboxUnavailable:
        return 0


pytestmark = pytest.mark.skipif(_landlock() == 0, reason="this kernel has no Landlock")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM file('{place}/canary.csv')",
        "SELECT * FROM file('{place}/canary', 'LineAsString')",
        "SELECT * FROM file('{place}/*', 'LineAsString', 'line String')",
        "INSERT INTO FUNCTION file('{place}/made.csv') SELECT 1",
        "INSERT INTO FUNCTION file('{place}/canary.csv', 'CSV', 'a String') SELECT 'x'",
        "SELECT * FROM sqlite('{place}/made', 't')",
        "BACKUP TABLE firehose.events TO File('{place}/made')",
        "CREATE TABLE firehose.made (a String) ENGINE = File(CSV, '{place}/canary.csv')",
        "CREATE DATABASE made ENGINE = SQLite('{place}/made')",
        "SELECT * FROM filesystem('{place}')",
    ],
)
def test_no_file_outside_is_read_or_written(box: Box, statement: str, place: str) -> None:
    response = box.loader.post("/", content=statement.replace("{place}", str(getattr(box.tree, place))))
    if response.status_code == 200:  # a table that can never be read, or a folder that looks empty
        response = box.loader.post("/", content="SELECT * FROM firehose.made")
        box.loader.post("/", content="DROP TABLE IF EXISTS firehose.made")
        box.loader.post("/", content="DROP DATABASE IF EXISTS made")
    assert MARK not in response.text


@pytest.mark.parametrize("path", ["/proc/self/environ", "/proc/1/environ", "/etc/shadow", "/etc/passwd"])
def test_no_password_and_no_file_of_the_system_is_read(box: Box, path: str) -> None:
    response = box.loader.post("/", content=f"SELECT * FROM file('{path}', 'LineAsString')")
    assert response.status_code >= 400
    assert LOADER[1] not in response.text


@pytest.mark.usefixtures("unchanged")
def test_the_lake_is_read_and_never_written(box: Box) -> None:
    assert box.loader.post("/", content="SELECT count() FROM firehose.likes").text == "2\n"
    lake = box.tree.lake
    for statement in (
        f"INSERT INTO FUNCTION file('{lake}/made.csv') SELECT 1",
        f"INSERT INTO FUNCTION file('{lake}/canary.csv', 'CSV', 'a String') SELECT 'x'",
        f"SELECT * FROM sqlite('{lake}/made', 't')",
    ):
        assert box.loader.post("/", content=statement).status_code >= 400


@pytest.mark.skipif(_landlock() < 4, reason="this kernel's Landlock does not know TCP")
def test_no_server_is_reached(box: Box) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        for source in (
            f"url('http://127.0.0.1:{port}/', 'LineAsString')",
            f"remote('127.0.0.1:{port}', system.one)",
            f"s3('http://127.0.0.1:{port}/bucket/key', 'CSV', 'a String')",
        ):
            settings = "SETTINGS http_max_tries = 1, s3_retry_attempts = 1, max_execution_time = 5"
            assert box.loader.post("/", content=f"SELECT * FROM {source} {settings}").status_code >= 400
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_the_engine_works_inside(box: Box) -> None:
    """Parts, merges, spilling to disk and an INSERT that is spooled."""
    rows = b"".join(b"%d\t%s\n" % (number, b"x" * 90) for number in range(150_000))  # more than stays in memory
    spilling = (
        "SELECT count() FROM (SELECT number FROM numbers(3000000) GROUP BY number) "
        "SETTINGS max_bytes_before_external_group_by = 1000000"
    )
    for statement, body in (
        ("CREATE TABLE ops.filled (id UInt64, text String) ENGINE = MergeTree ORDER BY id", b""),
        ("INSERT INTO ops.filled FORMAT TSV", rows),
        ("OPTIMIZE TABLE ops.filled FINAL", b""),
        ("ALTER TABLE ops.filled DELETE WHERE id = 1 SETTINGS mutations_sync = 1", b""),
        ("RENAME TABLE ops.filled TO firehose.filled", b""),
        (spilling, b""),
        ("DROP TABLE firehose.filled SYNC", b""),
    ):
        response = box.loader.post("/", params={"query": statement}, content=body)
        assert response.status_code == 200, response.text


def test_the_start_says_in_one_line_what_holds(box: Box) -> None:
    (line,) = [line for line in box.running.log.read_text().splitlines() if "sandbox" in line]
    assert f"reads its own code and {box.tree.lake}, writes {box.tree.home / 'clickhouse'}" in line
    assert "starts no programs" in line


@contextmanager
def _without_landlock(settings: Settings, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FIREHOSE_")}
    environment |= {f"FIREHOSE_{k.upper()}": str(v) for k, v in msgspec.structs.asdict(settings).items()}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("without_landlock.py"))],
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_kernel_without_landlock_is_said_at_the_start(tmp_path: Path) -> None:
    settings = endpoint_settings(tmp_path / "home")
    with _without_landlock(settings, tmp_path / "log") as process:
        log = tmp_path / "log"
        until(lambda: b"listening on" in log.read_bytes() or process.poll() is not None, START_S)
        assert process.poll() is None, log.read_text()
        assert httpx.get(settings.clickhouse_url, params={"query": "SELECT 1"}, auth=LOADER).text == "1\n"
    (line,) = [line for line in (tmp_path / "log").read_text().splitlines() if "sandbox" in line]
    assert "WARNING" in line
    assert "no sandbox: the kernel has no Landlock" in line
    assert "FIREHOSE_CLICKHOUSE_SANDBOX=require" in line


def test_a_kernel_without_landlock_is_an_error_where_the_sandbox_is_required(tmp_path: Path) -> None:
    settings = endpoint_settings(tmp_path / "home", clickhouse_sandbox="require")
    with _without_landlock(settings, tmp_path / "log") as process:
        assert process.wait(START_S) == 1
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert line.startswith("firehose: the sandbox that FIREHOSE_CLICKHOUSE_SANDBOX=require asks for")


#: What the sandbox lets a process do in a folder of its own, and refuses outside, as exit codes.
_INSIDE = """
import os, pathlib, socket, subprocess, sys, threading
from clickhouse_http.sandbox import landlock
from pathlib import Path
own, outside, version, tcp = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "tcp"
version = min(version, landlock.landlock_version())
landlock.landlock_version = lambda: version
held = landlock.enter([outside / "readable"], [own], tcp=tcp)
def refused(call):
    try:
        call()
    except PermissionError:
        return True
    return False
(own / "a").mkdir()
(own / "a" / "x").write_text("x")
os.rename(own / "a" / "x", own / "x")
assert (outside / "readable" / "file").read_text() == "kept"
for call in (
    lambda: (outside / "file").read_text(),
    lambda: (outside / "file").write_text(""),
    lambda: (outside / "readable" / "file").write_text(""),
    lambda: (outside / "made").mkdir(),
    lambda: (outside / "file").unlink(),
    lambda: os.rename(outside / "file", outside / "moved"),
    lambda: os.rename(outside / "file", own / "moved"),
    lambda: os.link(own / "x", outside / "linked"),
    lambda: os.listdir(outside),
    lambda: os.execv("/bin/true", ["true"]),
):
    assert refused(call)
if version >= 3:
    assert refused(lambda: os.truncate(outside / "file", 0))
probe = socket.socket()
try:
    probe.connect(("127.0.0.1", 1))
except PermissionError:
    assert held.tcp_closed
except ConnectionRefusedError:
    assert not held.tcp_closed
else:
    raise AssertionError
assert held.tcp_closed == (version >= 4 and not tcp)
"""


@pytest.mark.parametrize(("version", "tcp"), [(2, ""), (3, ""), (4, ""), (5, ""), (99, ""), (99, "tcp")])
def test_every_version_of_landlock_holds_what_it_can(tmp_path: Path, version: int, tcp: str) -> None:
    """Debian 12's kernel has version 2. The kernel here takes the rules of an older one."""
    own, outside = tmp_path / "own", tmp_path / "outside"
    own.mkdir()
    (outside / "readable").mkdir(parents=True)
    (outside / "file").write_text("kept")
    (outside / "readable" / "file").write_text("kept")
    result = subprocess.run(
        [sys.executable, "-c", _INSIDE, str(own), str(outside), str(version), tcp],
        env={**os.environ, "PYTHONPATH": f"{ROOT}/include:{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert (outside / "file").read_text() == "kept"
    assert sorted(path.name for path in outside.iterdir()) == ["file", "readable"]


def test_a_thread_that_would_stay_outside_is_an_error(tmp_path: Path) -> None:
    code = (
        "import threading; from clickhouse_http.sandbox import landlock\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "try:\n    landlock.enter([], [])\nexcept RuntimeError as error:\n    print(error)\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}/include:{ROOT}"}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert result.stdout == "the sandbox comes too late: 2 threads are running\n", result.stderr


def test_the_tree_would_show_a_change(tmp_path: Path) -> None:
    tree = Tree.plant(tmp_path / "tree")
    before = tree.snapshot()
    (tree.lake / "canary.csv").rename(tree.lake / "moved.csv")
    assert tree.snapshot() != before
