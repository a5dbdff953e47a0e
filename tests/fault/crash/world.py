"""One recorded stream of events, a home with Redis, lake and ClickHouse, and that home at each stage.

Lives here: what the crash tests run and look at. Must not: say what is right (the tests do).
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import msgspec
import redis
from clickhouse_connect.driver.client import Client

from firehose import schema
from firehose.batch.coverage import read_gaps
from firehose.batch.drain import redis_ms
from firehose.batch.interval import Batch
from firehose.settings import Settings
from firehose.store import LocalLake
from firehose.warehouse import event_tables
from firehose.warehouse.plan import SUMMARIES
from ingester.contract import crash, wire
from jetstream_simulator.process import SimulatorProcess
from tests.support.ingester import IngesterProcess, cursor, stored
from tests.support.lake_view import LakeView, original
from tests.support.waiting import until

Step = tuple[str, Batch]

STEPS: Final = ("drain", "validate", "publish", "refresh")
_NOTES: Final = ("closed.json", "told.json")
# When a file was written.
_MOMENTS: Final = ("created_at", "published_at", "recorded_at", "since", "verified_at", "expired", "at", "audit")
#: What the first batch is, the second one being validated; then what that one is.
STAGES: Final = ("ingested", "drained", "validated", "published", "published twice")


class Died(NamedTuple):
    """How an armed process ended, and what its proof says: the point, or nothing."""

    code: int
    proof: str


class Contents(NamedTuple):
    """What must be the same with and without a crash: rows as sorted text without their batch, and summaries.

    Bad events that came again are in quarantine again, so they form a set.
    """

    rows: dict[str, list[str]]
    quarantined: set[tuple[str, bytes, str]]
    summaries: dict[str, bytes]


class World(LakeView):
    """The home that all tests use in turn. ``sent`` are the stream's messages, each once, in order."""

    def __init__(
        self, settings: Settings, client: redis.Redis, source: SimulatorProcess, clickhouse: Client
    ) -> None:
        super().__init__(settings.local_lake, client)
        self.settings, self.source, self.clickhouse = settings, source, clickhouse
        self.home = settings.home_path
        self.batches: list[Batch] = []
        #: What the lake is after a step without a death, by name.
        self.ends: dict[str, dict[str, object]] = {}
        self._redis: dict[str, dict[bytes, bytes]] = {"": {}}
        self._has_loaded = False
        self._driver = subprocess.Popen(
            [sys.executable, "-m", "tests.fault.crash.driver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[3],
        )

    def close(self) -> None:
        """End the driver."""
        self._driver.communicate()

    # Steps, in forked processes, and the ingester.

    def run(self, *steps: Step) -> None:
        """Run steps to their end."""
        assert self._ask(steps, {}) == 0, "a step failed; its traceback is above"

    def die(self, at: str, *steps: Step) -> Died:
        """Run steps in a process that is told to die."""
        proof = self.home / "proof"
        proof.unlink(missing_ok=True)
        code = self._ask(steps, {crash.AT: at, crash.PROOF: str(proof)})
        return Died(code, proof.read_text() if proof.exists() else "")

    def _ask(self, steps: Sequence[Step], environ: Mapping[str, str]) -> int:
        assert self._driver.stdin is not None
        assert self._driver.stdout is not None
        self._has_loaded |= any(name == "refresh" for name, _ in steps)
        # Not the driver's own type: importing it would import Great Expectations here as well.
        request = {"settings": self.settings, "steps": steps, "environ": environ}
        self._driver.stdin.write(msgspec.json.encode(request) + b"\n")
        self._driver.stdin.flush()
        return int(self._driver.stdout.readline())

    @contextmanager
    def ingester(self, **environ: str) -> Iterator[IngesterProcess]:
        """An ingester that begins at the oldest event, or goes on from its cursor, rewound by 100 ms."""
        process = IngesterProcess(
            self.home, self.settings.redis_url, self.source.url, start_cursor=1, rewind_ms=100
        )
        with process.start(**environ):
            yield process

    def ingest(self) -> None:
        """Take in all that is missing, and stop in order."""
        with self.ingester() as process:
            until(lambda: process.said("event=connected") and self.complete())
            assert process.stop() == 0

    def ingest_and_die(self, at: str, *, stopping: bool = False) -> Died:
        """As :meth:`ingest`, in a process that is told to die; with ``stopping`` it must live until the end."""
        proof = self.home / "proof"
        proof.unlink(missing_ok=True)
        with self.ingester(**{crash.AT: at, crash.PROOF: str(proof)}) as process:
            if stopping:
                until(self.complete)
                assert process.process is not None
                process.process.send_signal(signal.SIGTERM)
            code = process.ended()
        return Died(code, proof.read_text() if proof.exists() else "")

    def complete(self) -> bool:
        """Whether Redis holds every message of the stream."""
        if int(self.client.hget(wire.METADATA_KEY, wire.META_EVENTS) or 0) < len(self.sent):
            return False  # spares counting them one by one at each look
        return self.source.health()["done"] and set(self.sent) <= set(map(original, stored(self.client)))

    def uncovered(self) -> set[bytes]:
        """Messages up to the cursor that Redis does not hold: there must never be one."""
        at = cursor(self.client)
        upto = max((i for i, line in enumerate(self.sent) if b'"time_us":%d' % at in line), default=-1) + 1
        return set(self.sent[:upto]) - set(map(original, stored(self.client)))

    def second(self, ahead: int = 0) -> datetime:
        """The second of Redis' clock, or one of those that follow."""
        return datetime.fromtimestamp(redis_ms(self.client) // 1000 + ahead, UTC)

    # Stages.

    def save(self, stage: str) -> None:
        """Keep Redis and the lake as they are."""
        keys = cast(list[bytes], self.client.keys())
        self._redis[stage] = {key: cast(bytes, self.client.dump(key)) for key in keys}
        if self.lake.exists():
            ignored = shutil.ignore_patterns("docs")  # many small files, and only to be looked at
            shutil.copytree(self.lake, self.home / "stages" / stage, ignore=ignored)

    def go_back(self, stage: str) -> None:
        """Make Redis and the lake what they were, and forget what ClickHouse has loaded."""
        self.client.flushall()
        for key, value in self._redis[stage].items():
            self.client.restore(key, 0, value)
        # Not the lake's folder itself: the endpoint's sandbox knows it by its inode.
        for below in self.lake.iterdir():
            shutil.rmtree(below) if below.is_dir() else below.unlink()
        if stage and (kept := self.home / "stages" / stage).exists():
            shutil.copytree(kept, self.lake, dirs_exist_ok=True)
        if self._has_loaded:
            summaries = (*(summary.table for summary in SUMMARIES), *event_tables.TABLES)
            for table in (*summaries, "ops.batches", "ops.gaps", "ops.hours", "ops.adding"):
                self.clickhouse.command(f"TRUNCATE TABLE {table}")
            self._has_loaded = False

    def steps_from(self, stage: str) -> list[Step]:
        """Every step that leads from a stage to the end."""
        one, two = self.batches
        todo = [("drain", one), ("validate", one), ("publish", one), ("publish", two), ("refresh", two)]
        return todo[STAGES.index(stage) :]

    def files(self, stage: str = "") -> dict[str, object]:
        """The lake's files, now or at a stage, by name: bytes, or what JSON says but for when it was written.

        Left out are notes of what need not be looked at again: a step that was repeated has looked at more.
        """
        root = self.home / "stages" / stage if stage else self.lake
        paths = [
            path for path in root.glob("**/*.*") if path.suffix in (".zst", ".parquet", ".json", ".gz", ".part")
        ]
        paths = [path for path in paths if path.name not in _NOTES]
        return {str(path.relative_to(root)): _content(path) for path in paths}

    # What is there.

    def contents(self) -> Contents:
        """Lake, quarantine and summaries."""
        readable = [summary.table for summary in SUMMARIES if not summary.table.startswith("ops.")]
        readable += ["firehose.active_accounts_by_hour", "firehose.active_accounts_by_day"]
        readable += ["ops.events", "ops.edges"]
        return Contents(
            {name: sorted(str(row | {"batch": None}) for row in self.rows(name)) for name in schema.TYPES},
            {(row["type"], row["raw"], row["reason"]) for row in self.quarantined()},
            {
                table: self.clickhouse.raw_query(f"SELECT * FROM {table} ORDER BY ALL", fmt="RowBinary")
                for table in readable
            },
        )

    def loaded(self) -> list[Sequence[Any]]:
        """What ClickHouse says of the batches, but for when they were published and loaded, and for stamps."""
        query = "SELECT * EXCEPT (published_at, loaded_at, stamp) FROM ops.batches FINAL ORDER BY ALL"
        return list(self.clickhouse.query(query).result_rows)

    def gaps(self) -> list[tuple[str, str]]:
        """The gaps that ClickHouse has: id, and by what each was filled."""
        query = "SELECT id, filled FROM ops.gaps ORDER BY id"
        return [(name, filled) for name, filled in self.clickhouse.query(query).result_rows]

    def recorded_gaps(self) -> list[tuple[str, str]]:
        """The same, as the lake has them."""
        return sorted((gap.id, gap.filled) for gap in read_gaps(LocalLake(self.lake)))


def _content(path: Path) -> object:
    if path.suffix != ".json":
        return path.read_bytes()
    content = msgspec.json.decode(path.read_bytes())
    if isinstance(content, dict):
        content = {name: value for name, value in content.items() if name not in _MOMENTS}
    return content
