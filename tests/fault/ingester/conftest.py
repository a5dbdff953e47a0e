"""What every fault test of the ingester starts with: an ingester to be started on the test's Redis."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.support.ingester import Ingest, IngesterProcess


@pytest.fixture
def ingest(tmp_path: Path, redis_url: str) -> Ingest:
    """``ingest(source.url, flush_ms=10)`` is an ingester that ``with`` starts and, at the end, kills."""
    return partial(IngesterProcess, tmp_path, redis_url)
