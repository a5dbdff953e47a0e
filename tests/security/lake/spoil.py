"""What is done to the lake's files behind the pipeline's back. Must not: say what follows."""

from __future__ import annotations

import shutil
from pathlib import Path

from firehose import schema
from firehose.lake import layout, recorded
from firehose.settings import Settings
from firehose.store import LocalLake
from tests.security.lake.lakes import EDGE_HOUR


def likes(settings: Settings) -> Path:
    return layout.hour_file(settings.local_lake, schema.LIKES, EDGE_HOUR)


def gone(path: Path) -> None:
    path.rename(path.parents[5] / "moved-away.parquet")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def another_hours(path: Path) -> None:
    shutil.copyfile(layout.hour_file(path.parents[4], schema.LIKES, EDGE_HOUR - 1), path)


def another_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def without_record(path: Path) -> None:
    recorded.record_path(LocalLake(path)).unlink()


def torn_record(path: Path) -> None:
    record = recorded.record_path(LocalLake(path))
    record.write_bytes(record.read_bytes()[:-30])


def both_gone(path: Path) -> None:
    without_record(path)
    gone(path)
