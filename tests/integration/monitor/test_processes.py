"""Several monitors at once, and one that is killed between sending and noting: as processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from typing import Any

import msgspec

from firehose.settings import Settings
from ingester.contract.settings import PREFIX
from tests.integration.monitor.world import World
from tests.support.waiting import until

_LOOK = """
import sys
from datetime import datetime
from firehose.alerts.smtp import mailer
from firehose.monitor.run import monitor
from firehose.settings import load
settings = load()
monitor(settings, mailer(settings), clock=lambda: datetime.fromisoformat(sys.argv[1]))
"""


def environment(settings: Settings) -> dict[str, str]:
    """These settings as variables."""
    defaults = Settings()
    changed = {
        name: value for name, value in msgspec.structs.asdict(settings).items() if value != getattr(defaults, name)
    }
    clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return clean | {PREFIX + name.upper(): str(value) for name, value in changed.items()}


def started(world: World, **options: Any) -> subprocess.Popen[str]:
    """A process that looks once, as of the world's clock."""
    command = [sys.executable, "-c", _LOOK, world.now.isoformat()]
    return subprocess.Popen(command, env=environment(world.settings), text=True, **options)


def test_four_monitors_see_an_outage_begin_and_one_of_them_tells_it(world: World) -> None:
    world.look(2)
    world.look(1, alive=False)
    world.now += timedelta(minutes=3)
    processes = [started(world) for _ in range(4)]
    assert [process.wait(120) for process in processes] == [0] * 4
    assert [body["key"] for body in world.webhook.bodies if body["state"] == "firing"] == ["ingester_down"]
    assert len(world.mailbox.received) == 1


def test_a_monitor_killed_between_sending_and_noting_sends_again(world: World) -> None:
    world.look(2)
    world.now += timedelta(minutes=3)
    victim: list[subprocess.Popen[str]] = []
    world.webhook.before = lambda: os.kill(until(lambda: victim[0] if victim else None).pid, signal.SIGKILL)
    victim.append(started(world))
    assert victim[0].wait(120) == -signal.SIGKILL
    assert [body["key"] for body in world.webhook.bodies] == ["ingester_down"], "sent, and not noted"
    world.webhook.before = lambda: None
    assert world.look(alive=False) == ["firing ingester_down"], "at least once"
    assert world.look(3, alive=False) == []
