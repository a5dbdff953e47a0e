"""The lake at rest: no step of a batch runs or begins while a backup takes its last look."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from firehose.batch.interval import Batch
from firehose.batch.lock import at_rest, exclusive_per_batch
from firehose.errors import LockTaken
from firehose.settings import Settings
from tests.support.frames import minutes
from tests.support.waiting import until


def test_steps_and_the_last_look_exclude_each_other(tmp_path: Path) -> None:
    settings = Settings(home=str(tmp_path), lake=str(tmp_path / "lake"))
    lake, (one, two) = settings.lake_path, minutes(2)
    begun, may_end = list[str](), threading.Event()

    @exclusive_per_batch
    def step(_: Settings, batch: Batch) -> None:
        begun.append(batch.id)
        assert may_end.wait(60)

    first = threading.Thread(target=step, args=(settings, one))
    first.start()
    until(lambda: begun == [one.id])
    with pytest.raises(LockTaken, match="still runs"), at_rest(lake, 0.2):
        pytest.fail("a step runs")

    may_end.set()
    second = threading.Thread(target=step, args=(settings, two))
    with at_rest(lake, 60):
        assert not first.is_alive() or begun == [one.id]
        second.start()
        path = lake / ".locks" / f"batch-{two.id}.lock"
        until(path.exists, what="the second step has looked")
        with pytest.raises(LockTaken), at_rest(lake, 0.1):
            pytest.fail("one backup at a time")
        assert begun == [one.id]
    second.join(60)
    first.join(60)
    assert begun == [one.id, two.id]
