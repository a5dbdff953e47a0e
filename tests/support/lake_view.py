"""What a lake holds, as the oracle asks for it: rows, quarantine, raw messages and the ledger's counts.

Lives here: readings only. Must not: run anything, say what is right.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import redis

from firehose.batch.raw import read_chunks
from firehose.lake import layout
from firehose.lake.ledger import LedgerCounts, read_ledger
from firehose.store import LocalLake
from ingester.contract import wire

Row = dict[str, Any]


class LakeView:
    """A lake and the Redis before it. ``sent`` are the stream's messages, each once, in order."""

    def __init__(self, lake: Path, client: redis.Redis, sent: list[bytes] | None = None) -> None:
        self.lake, self.client, self.sent = lake, client, sent or []

    def rows(self, record_type: str, columns: list[str] | None = None) -> list[Row]:
        """Every row of a type; of ``columns`` those that the type has."""
        paths = layout.hour_files(LocalLake(self.lake), record_type)
        return [row for path in paths for row in pq.ParquetFile(path).read(columns).to_pylist()]

    def quarantined(self) -> list[Row]:
        """Every row of the quarantine."""
        paths = self.lake.glob("_quarantine/**/*.parquet")
        return [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]

    def delivered(self) -> list[bytes]:
        """Every message in the raw files, as often as it came."""
        paths = self.lake.glob("_raw/**/*.zst")
        return [
            original(line) for path in paths for lines in read_chunks(LocalLake(path), 1 << 20) for line in lines
        ]

    def ledger(self) -> dict[str, dict[str, LedgerCounts]]:
        """The counts of each batch and type."""
        return {entry.batch: entry.counts for entry in read_ledger(LocalLake(self.lake))}


def original(line: bytes) -> bytes:
    """The message as it came over the wire."""
    if wire.DEAD_LETTER_KIND.encode() not in line:
        return line
    return msgspec.convert(msgspec.json.decode(line)["bytes"], bytes)
