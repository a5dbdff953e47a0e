"""A Redis and a lake that the pipeline's own steps have filled."""

from __future__ import annotations

from pathlib import Path

import pytest

from firehose.batch.interval import Batch
from firehose.settings import Settings
from tests.support.frames import minutes


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    return Settings(
        home=str(tmp_path),
        lake=str(tmp_path / "lake"),
        redis_url=redis_url,
        batch_minutes=1,
        clickhouse_url="http://127.0.0.1:1",
        airflow_url="http://127.0.0.1:1",
    )


@pytest.fixture
def batches() -> list[Batch]:
    """Five minutes that are over, in order."""
    return minutes(5)
