"""A real Redis filled as the ingester fills it, and a lake to drain it into."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import pytest
import redis

from firehose.batch.interval import Batch
from firehose.settings import Settings
from tests.support import frames
from tests.support.frames import minutes

Fill = Callable[[Iterable[bytes], Batch], None]


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    return Settings(home=str(tmp_path), lake=str(tmp_path / "lake"), redis_url=redis_url)


@pytest.fixture
def batches() -> list[Batch]:
    """Five minutes that are over, in order."""
    return minutes(5)


@pytest.fixture
def fill(redis_client: redis.Redis) -> Fill:
    """Write events as frames whose entry ids lie in a batch's interval. Batches are to be filled in order."""
    return partial(frames.fill, redis_client)
