"""A parent of a light demo: Redis, simulator and ingester under the demo's own supervisor. Run by the tests here.

``python -m tests.security.home.driver HOME REDIS_PORT SIMULATOR_PORT [stubborn]`` is `firehose demo` less Airflow.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from devstack.demo.home import environment
from devstack.demo.services import Service
from devstack.demo.supervisor import Supervisor
from devstack.embedded.left_behind import stop_left_behind
from devstack.embedded.ownership import RUN, own_home
from devstack.embedded.redis import RedisServer
from firehose.settings import Settings

PYTHON = [sys.executable, "-m"]
# Needs to be told twice.
STUBBORN = """
import signal, sys, time
told = []
signal.signal(signal.SIGTERM, lambda *_: sys.exit() if told else told.append(1))
while True: time.sleep(600)
"""


def services(home: Path, redis_port: int, simulator_port: int) -> list[Service]:
    """Three of the demo's services, with the demo's priorities, and one that does not end when its runner does."""
    redis = RedisServer(home, redis_port)
    simulator = [*PYTHON, "jetstream_simulator", "--port", str(simulator_port)]
    return [
        Service(name="redis", command=redis.prepare(), priority=10, last=True),
        Service(name="simulator", command=simulator, priority=40),
        Service(name="ingester", command=[*PYTHON, "ingester"], priority=50),
        Service(name="stubborn", command=[sys.executable, "-c", STUBBORN], priority=60),
    ]


def main(home: Path, redis_port: int, simulator_port: int, *, stubborn: bool) -> None:
    """Run until the supervisor ends."""
    os.umask(0o077)
    settings = Settings(
        home=str(home),
        lake=str(home / "lake"),
        redis_url=f"redis://127.0.0.1:{redis_port}/0",
        jetstream_url=f"ws://127.0.0.1:{simulator_port}/subscribe",
        # Flushes so rare that a stop always finds events that are not written yet.
        flush_ms=10_000,
        flush_events=1_000_000,
    )
    with own_home(home, "the test's demo"):
        print("left behind:", *stop_left_behind(home / RUN), flush=True)
        wanted = services(home, redis_port, simulator_port)[: 4 if stubborn else 3]
        supervisor = Supervisor(home, wanted, environment(settings))
        supervisor.start()
        while not (failed := supervisor.failed()):
            time.sleep(0.1)
        raise SystemExit(failed)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), stubborn=sys.argv[4:] == ["stubborn"])
