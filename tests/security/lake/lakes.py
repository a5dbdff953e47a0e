"""A small real lake out of Redis, and what is in it. Lives here: set-up. Must not: say what is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.lake import layout
from firehose.lake.publish import publish
from firehose.quality.validate import validate
from firehose.settings import Settings
from jetstream_simulator import generate

#: Two hours meet in these events, 2.5 of them a second.
START_US: Final = 1_780_002_000_000_000 - 300 * 1_000_000
EDGE_HOUR: Final = START_US // layout.HOUR_US + 1
EVENTS: Final = list(generate.events(1500, seed=5, start_us=START_US, rate=2.5))
Rows = dict[str, list[dict[str, Any]]]


def run(settings: Settings, batch: Batch) -> None:
    """All steps of a batch."""
    drain(settings, batch)
    validate(settings, batch)
    publish(settings, batch)


def rows(lake: Path) -> Rows:
    """Every row of the lake, sorted, by hour and type."""
    return {
        str(path.relative_to(lake)): sorted(pq.ParquetFile(path).read().to_pylist(), key=str)
        for path in sorted(lake.glob("year=*/**/*.parquet"))
    }


def everything(lake: Path) -> dict[str, bytes]:
    """Every file of the lake with its bytes, but for locks and Data Docs."""
    paths = [path for path in lake.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(lake)): path.read_bytes()
        for path in paths
        if not {".locks", "docs"} & set(path.relative_to(lake).parts)
    }
