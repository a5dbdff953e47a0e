"""A machine whose power may fail, and a Redis filled as the ingester fills it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from firehose.batch.interval import Batch
from tests.fault.power.machine import Machine
from tests.support.frames import minutes

NewMachine = Callable[[], Machine]


@pytest.fixture
def new_machine(tmp_path: Path, redis_client: redis.Redis, redis_url: str) -> NewMachine:
    """Each call is another machine, on an empty Redis."""
    numbers = itertools.count()

    def new() -> Machine:
        redis_client.flushall()
        return Machine(tmp_path / str(next(numbers)), redis_client, redis_url)

    return new


@pytest.fixture
def batches() -> list[Batch]:
    """Three minutes that are over, in order."""
    return minutes(3)
