"""What a look of the monitor reads of a month of batches: a day of it, however long the ledger is."""

from __future__ import annotations

from datetime import timedelta

from tests.integration.monitor.world import World
from tests.support import month


def test_a_look_at_a_month_of_batches_reads_a_day_of_it(world: World) -> None:
    world.change(batch_minutes=5)
    until = world.now.replace(minute=0, second=0)
    month.published(world.settings, until - timedelta(days=30), until)
    world.look()
    with month.watched(world.settings.local_lake) as looks:
        world.look()
    # A day and the hour before it, each entry once; those about to expire are of the same day.
    assert 288 <= looks.opened["_ledger"] <= 320, looks.opened
    assert looks.listed["_ledger"] <= 3, looks.listed
    # The states, the counted answers and their locks.
    assert sum(number for area, number in looks.opened.items() if area not in ("_ledger", "_hours")) <= 30, (
        looks.opened
    )
