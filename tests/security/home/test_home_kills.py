"""SIGKILL of the demo's parent or supervisor: its services end in order, and the next start finds the rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from devstack.embedded.leash import RUNNER, Leashed, command, holders, leashed
from devstack.embedded.left_behind import stop_left_behind
from devstack.embedded.redis import RedisServer
from ingester.contract import wire
from tests.security.home.conftest import LightDemo, end
from tests.support.processes import runs
from tests.support.waiting import until


@pytest.mark.parametrize("victims", [("parent",), (RUNNER,), ("parent", RUNNER)], ids="+".join)
def test_the_services_end_with_their_parent_and_the_ingester_flushes_first(
    demo: LightDemo, victims: tuple[str, ...]
) -> None:
    services = demo.wait_until_streaming()
    before = demo.events()
    processes = [psutil.Process(holder.pid) for holder in services.values()]
    for victim in victims:
        demo.kill(victim)
    until(lambda: not demo.held(), what="every service has ended")
    assert not any(map(runs, processes))
    if "parent" not in victims:
        assert demo.process.wait(60) != 0
        assert demo.process.stdout is not None
        assert "the process runner was killed, and its services have been stopped" in demo.process.stdout.read()
    # The ingester flushes every ten seconds only, so what came since is there if it could write while it stopped.
    with RedisServer(demo.home) as server, server.client() as client:
        assert int(client.hget(wire.METADATA_KEY, wire.META_EVENTS) or 0) > before


def test_what_a_killed_supervisor_left_behind_is_stopped_at_the_next_start(home: Path) -> None:
    demo = LightDemo(home, "stubborn")
    try:
        services = demo.wait_until_streaming()
        demo.kill("parent")
        demo.kill(RUNNER)
        until(lambda: set(demo.held()) == {"redis", "stubborn"}, what="Redis waits for the service that stays")
        assert demo.process.wait(10) == -signal.SIGKILL
        demo.process = demo.start()
        assert demo.process.stdout is not None
        assert demo.process.stdout.readline() == "left behind: stubborn redis\n"
        until(lambda: len(demo.held()) == 4, what="the demo runs again")
        assert demo.held()["redis"].pid != services["redis"].pid
    finally:
        end(demo)


def test_a_number_of_a_dead_process_or_a_reader_of_a_lock_is_a_stranger(tmp_path: Path) -> None:
    service = Leashed([sys.executable, "-c", "import time; time.sleep(600)"], str(tmp_path), 5, parent=os.getpid())
    for name in ("held", "stale"):
        leashed(tmp_path, name, service)
    ours = subprocess.Popen(command("held", str(tmp_path)), start_new_session=True)
    until(lambda: len(holders(tmp_path)) == 1, what="the lock is held")
    with (tmp_path / "held.lock").open("rb") as reading:
        stranger = subprocess.Popen(["sleep", "600"], stdin=reading, start_new_session=True)
        # As a service that was killed with its machine, and whose numbers are another's now.
        (tmp_path / "stale.lock").write_text(f"{stranger.pid} 50\n")
        try:
            assert stop_left_behind(tmp_path) == ["held"]
            assert ours.wait(10) == -signal.SIGTERM
            assert stranger.poll() is None
        finally:
            stranger.kill()
            stranger.wait()


def test_two_processes_of_one_service_never_run_in_a_home(tmp_path: Path) -> None:
    service = Leashed([sys.executable, "-c", "import time; time.sleep(600)"], str(tmp_path), 5, parent=os.getpid())
    leashed(tmp_path, "redis", service)
    first = subprocess.Popen(command("redis", str(tmp_path)))
    second = subprocess.Popen(command("redis", str(tmp_path)))
    try:
        until(lambda: bool(holders(tmp_path)), what="one of them holds the lock")
        holder, waiting = (first, second) if holders(tmp_path)[0].pid == first.pid else (second, first)
        assert waiting.poll() is None
        holder.kill()
        holder.wait()
        until(
            lambda: [held.pid for held in holders(tmp_path)] == [waiting.pid], what="the other one takes its place"
        )
    finally:
        for process in (first, second):
            process.kill()
            process.wait()
