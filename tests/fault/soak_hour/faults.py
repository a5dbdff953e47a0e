"""The faults: what each does, which alerts it must fire, and which probe it takes the very thing away from.

Lives here: the closed list. A fault that has to be seen by an alert lasts until a sink was told. Must not:
choose when (schedule.py), judge.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from ingester.contract import wire
from tests.fault.soak_hour.paused import set_paused
from tests.fault.soak_hour.plant import Plant
from tests.fault.soak_hour.probes import ANSWERS, INGEST
from tests.support.waiting import until

#: An alert that does not come in this time (seconds) does not come; of a paused DAG it waits for ten minutes.
_PATIENCE_S: Final = 480.0
#: Longer than the source's connection, the data watchdog (30 s), the lease (15 s) and any batch of the demo.
_FROZEN_S: Final = 150.0
_SHORT_S: Final = 60.0
_MIB: Final = 1 << 20
#: What no Jetstream sends, in four ways; each message gets a number, so that no two are the same.
_RUBBISH: Final = (b'{"kind":"commit","did":', b"[1,2,%d]", b"\xff\xfe\x00 rubbish", b'{"time_us":"soon"}')
#: How the late consequences of an outage may be told: what piled up takes the machine a while.
_PILED_UP: Final = ("batch_slow", "summaries_behind", "lag", "batch_late", "freshness_burns", "batches_missing")
_LATE_MONITOR: Final = ("monitor_silent", "not_observable")

#: Waits until a sink was told of an alert; says how that went.
Until = Callable[[str], str]


class CannotBe(Exception):
    """The machine does not allow this fault: it is left out with a word."""


class Fault(NamedTuple):
    """``does`` injects it, waits until it is over, and says in a few words how it went.

    ``down``: probes whose very thing is away meanwhile. ``beside``: it disturbs no other one, and runs along.
    ``patience_s``: how long it waits for its alert.
    """

    name: str
    does: Callable[[Plant, Until], str]
    fires: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    down: tuple[str, ...] = ()
    beside: bool = False
    patience_s: float = _PATIENCE_S


def _killed(service: str) -> Callable[[Plant, Until], str]:
    def does(plant: Plant, told: Until) -> str:
        return f"another process after {plant.kill(service):.1f} s"

    return does


def _held(service: str, alert: str, least_s: float = 0.0) -> Callable[[Plant, Until], str]:
    def does(plant: Plant, told: Until) -> str:
        began = time.monotonic()
        plant.hold(service, True)
        try:
            said = told(alert)
            time.sleep(max(0.0, began + least_s - time.monotonic()))
        finally:
            plant.hold(service, False)
        return f"frozen for {time.monotonic() - began:.0f} s; {said}"

    return does


def _task_killed(plant: Plant, told: Until) -> str:
    task = until(plant.task, 180, what="a task works on a batch")
    command = " ".join(task.cmdline())[:60]
    task.kill()
    return f"process {task.pid}: {command}"


def _source_cut(plant: Plant, told: Until) -> str:
    for _ in range(3):
        plant.relay.cut()
        time.sleep(5)
    return "three connections were closed"


def _source_silent(plant: Plant, told: Until) -> str:
    plant.relay.silence(True)
    try:
        time.sleep(_SHORT_S)
    finally:
        plant.relay.silence(False)
    return f"connected, and nothing came for {_SHORT_S:.0f} s"


def _source_away(plant: Plant, told: Until) -> str:
    plant.relay.refuse(True)
    try:
        said = told("no_data")
    finally:
        plant.relay.refuse(False)
    return said


def _garbage(plant: Plant, told: Until) -> str:
    """Three in a hundred messages, until it is told that batches are bad."""
    share, began, known = 0.03, time.monotonic(), len(plant.relay.inserted)
    deadline = began + _PATIENCE_S
    while not any(message.alert == "bad_data" for message in plant.told()) and time.monotonic() < deadline:
        made = len(plant.relay.inserted)
        messages = [_RUBBISH[n % 4].replace(b"%d", b"%d" % n) + b" %d" % n for n in range(made, made + 100)]
        plant.relay.insert(messages)
        time.sleep(100 / share / plant.rate)
    told("bad_data")
    return f"{len(plant.relay.inserted) - known} messages of rubbish in {time.monotonic() - began:.0f} s"


def _redis_full(plant: Plant, told: Until) -> str:
    """Full also after a drain: batches of a minute free what a monitor would see that looks right after them."""
    with plant.redis() as client:
        before = client.config_get("maxmemory")["maxmemory"]
        waiting = sum(client.memory_usage(key, samples=0) or 0 for key in map(wire.stream_key, wire.QUEUES))
        client.config_set("maxmemory", int(client.info("memory")["used_memory"]) - waiting + 65_536)
    try:
        return told("buffer_fills_up")
    finally:
        _configure(plant, "maxmemory", before)


def _redis_read_only(plant: Plant, told: Until) -> str:
    """As a primary is that has lost its replicas: it answers, and takes no write."""
    _configure(plant, "min-replicas-to-write", "1")
    try:
        return told("ingester_down")
    finally:
        _configure(plant, "min-replicas-to-write", "0")


def _configure(plant: Plant, name: str, value: str) -> None:
    with plant.redis() as client:
        client.config_set(name, value)


def _endpoint_down(plant: Plant, told: Until) -> str:
    plant.run("clickhouse", False)
    try:
        return told("clickhouse_away")
    finally:
        plant.run("clickhouse", True)


def _disk_full(plant: Plant, told: Until) -> str:
    """No room for a drain: Redis keeps what comes, and runs that were refused are tried again."""
    if not plant.disk_is_small:
        raise CannotBe("only root may mount a small disk for the lake")
    ballast = plant.lake / ".ballast"
    with ballast.open("wb") as stream:
        room = shutil.disk_usage(plant.lake).free - plant.settings.disk_reserve_mib * _MIB // 2
        os.posix_fallocate(stream.fileno(), 0, room)
    try:
        return told("disk_fills_up")
    finally:
        ballast.unlink()


def _dag_paused(plant: Plant, told: Until) -> str:
    set_paused(plant, "firehose_lake", True)
    try:
        return told("dag_paused")
    finally:
        set_paused(plant, "firehose_lake", False)


FAULTS: Final = (
    Fault("source sends rubbish", _garbage, ("bad_data",), may=("foreign_data",)),
    Fault("DAG paused", _dag_paused, ("dag_paused",), beside=True, patience_s=2 * _PATIENCE_S),
    Fault("ingester killed", _killed("ingester")),
    Fault("Redis killed", _killed("redis"), may=("task_failed",)),
    Fault("endpoint killed", _killed("clickhouse"), may=("task_failed",)),
    Fault("scheduler killed", _killed("airflow-scheduler"), may=(*_PILED_UP, "task_failed")),
    Fault("running task killed", _task_killed, may=("task_failed", *_PILED_UP)),
    Fault("source cut", _source_cut),
    Fault("source silent", _source_silent, may=("no_data",), down=(INGEST,)),
    Fault("source away", _source_away, ("no_data",), may=("gap", *_PILED_UP), down=(INGEST,)),
    Fault(
        "ingester frozen",
        _held("ingester", "ingester_down", _FROZEN_S),
        ("ingester_down",),
        may=("gap", "batch_late", *_PILED_UP),
        down=(INGEST,),
    ),
    Fault("Redis full", _redis_full, ("buffer_fills_up",), may=("ingester_down", *_PILED_UP), down=(INGEST,)),
    Fault(
        "Redis read-only", _redis_read_only, ("ingester_down",), may=("task_failed", *_PILED_UP), down=(INGEST,)
    ),
    Fault(
        "Redis frozen",
        _held("redis", "redis_away"),
        ("redis_away",),
        may=("task_failed", *_LATE_MONITOR, *_PILED_UP),
        down=(INGEST,),
    ),
    Fault(
        "endpoint down",
        _endpoint_down,
        ("clickhouse_away",),
        may=("task_failed", *_PILED_UP),
        down=(ANSWERS,),
    ),
    Fault("disk full", _disk_full, ("disk_fills_up",), may=("task_failed", *_PILED_UP)),
    Fault(
        "scheduler frozen",
        _held("airflow-scheduler", "scheduler_down"),
        ("scheduler_down",),
        may=(*_LATE_MONITOR, *_PILED_UP, "task_failed"),
    ),
)
