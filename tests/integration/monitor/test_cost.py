"""What a look of the monitor reads of a month of batches: what is new, and a day where nothing is known."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.monitor.world import World
from tests.support import month
from tests.support.month import Looks


def _looks(world: World) -> Looks:
    """What a look opens and lists in the lake. Each is a monitor of its own, as each run of the DAG is."""
    with month.watched(world.settings.local_lake) as looks:
        world.look()
    return looks


def test_a_look_at_a_month_of_batches_reads_what_is_new(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.change(batch_minutes=5)
    until = world.now.replace(minute=0, second=0)
    world.now = until + timedelta(minutes=7)  # no look of this test is one of those that look at days
    month.published(world.settings, until - timedelta(days=30), until)
    world.look()
    kept = world.settings.home_path / "monitor" / "ledger.msgpack"
    for known in (b"", b"not what was kept"):
        kept.write_bytes(known) if known else kept.unlink()
        looks = _looks(world)
        # A day and the hour before it, each entry once; those about to expire are of the same day.
        assert 288 <= looks.opened["_ledger"] <= 320, looks.opened
        assert looks.listed["_ledger"] <= 3, looks.listed
        # The states, the counted answers and their locks.
        others = {area: opened for area, opened in looks.opened.items() if area not in ("_ledger", "_hours")}
        assert sum(others.values()) <= 30, others
    assert "kept entries unreadable" in caplog.text
    assert _looks(world).opened.get("_ledger", 0) == 0
    month.published(world.settings, until, until + month.LENGTH)
    assert _looks(world).opened["_ledger"] == 1
    assert _looks(world).opened.get("_ledger", 0) == 0


def test_a_home_that_a_look_makes_is_for_its_owner(world: World, tmp_path: Path) -> None:
    home = tmp_path / "none" / "yet"
    passwords = world.settings.home_path / world.settings.redis_passwords
    world.change(home=str(home), redis_passwords=str(passwords))
    month.published(world.settings, world.now - timedelta(days=1), world.now)
    world.look()
    assert (home / "monitor" / "ledger.msgpack").exists()
    assert home.stat().st_mode & 0o777 == 0o700
