"""A home made by version 0.1, which was stopped in the middle of its work: this version reads and continues it.

The home is a fixture (tests/fixtures/README.md). Must not: use a name that 0.1 does not have, except for code.
"""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
import redis
import zstandard
from filelock import FileLock

from devstack.embedded import clickhouse as endpoint
from devstack.embedded.ingester import ingester_process
from devstack.embedded.redis import RedisServer, free_port
from firehose import schema
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.lake.publish import publish
from firehose.quality.validate import validate
from firehose.settings import Settings
from ingester.contract.settings import read_settings
from jetstream_simulator import process as simulator
from tests.support.command import firehose
from tests.support.ingester import cursor, stored
from tests.support.lake_view import LakeView
from tests.support.oracle import assert_every_event_is_accounted_for
from tests.support.pipeline import now_s, to_the_lake
from tests.support.waiting import until

ARCHIVE = Path(__file__).parents[2] / "fixtures" / "home-0.1.tar.zst"
# The lines of the env file that the user of 0.1 wrote, each with a value that is not the default.
CHOSEN = {"ws://127.0.0.1:26008/subscribe", 1, 1500, "https://archive.example", 64, 256, 2048, 0.05}


class Home(NamedTuple):
    """The unpacked home. ``sent`` is the stream in parts: 0.1 received four, and the fifth follows."""

    settings: Settings
    sent: list[list[bytes]]
    batches: list[Batch]
    stream_port: int
    folder: Path

    def answer(self, *arguments: str) -> str:
        """What a command prints that must succeed."""
        done = firehose(*arguments, home=self.settings.home)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def open_gaps(self) -> int:
        """How many gaps nothing has filled, as lake and Redis know."""
        return len(self.answer("coverage", "--json", "--open").splitlines())

    def finish(self, batch: Batch) -> None:
        """Take an interval from Redis, or from the raw files that a drain has left, to the lake."""
        drain(self.settings, batch)
        validate(self.settings, batch)
        publish(self.settings, batch)

    @contextmanager
    def stream(self, parts: slice) -> Iterator[None]:
        """The host that 0.1 listened to, with these parts of the stream."""
        tape = self.folder / "tape.jsonl"
        tape.write_bytes(b"".join(line + b"\n" for part in self.sent[parts] for line in part))
        with simulator.start([f"--replay={tape}", "--keep-invalid", "--port", str(self.stream_port)]):
            yield


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """The home, where its files say that it is, with free ports instead of those that it was made with."""
    packed = zstandard.ZstdDecompressor().decompress(ARCHIVE.read_bytes())
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(tmp_path)  # noqa: S202 - our own; Debian's Python 3.11.2 has no filters
    facts = json.loads((tmp_path / "facts.json").read_bytes())
    folder = tmp_path / "home"
    env_file = folder / "firehose.env"
    said = env_file.read_text().replace(facts["home"], str(folder))
    redis_port, clickhouse_port, stream_port = facts["ports"]
    for port in (redis_port, clickhouse_port):
        said = said.replace(f":{port}", f":{free_port()}")
    env_file.write_text(said)
    # The host's name holds its port: the ingester continues with the same host.
    with FileLock(Path(tempfile.gettempdir()) / f"firehose-tests-{stream_port}.lock", timeout=200):
        yield Home(
            read_settings(Settings, {"FIREHOSE_HOME": str(folder)}, closed=True),
            [path.read_bytes().splitlines() for path in sorted((tmp_path / "sent").iterdir())],
            [Batch.parse(batch, seconds) for batch, seconds in facts["batches"]],
            stream_port,
            tmp_path,
        )


@pytest.fixture
def client(home: Home) -> Iterator[redis.Redis]:
    """Redis, started from the files that 0.1 left."""
    port = int(home.settings.redis_url.rpartition(":")[2].partition("/")[0])
    with RedisServer(home.settings.home_path, port) as server, server.client() as client:
        yield client


def test_its_settings_are_read(home: Home) -> None:
    values = {value for value in msgspec.structs.asdict(home.settings).values() if not isinstance(value, list)}
    assert values >= CHOSEN
    assert home.settings.local_lake == home.folder / "home" / "lake"
    assert home.settings.clickhouse_loader_password and home.settings.clickhouse_analyst_password


def rows(lake: LakeView) -> int:
    """Rows in the hour files."""
    return sum(len(lake.rows(record_type, ["time_us"])) for record_type in schema.TYPES)


def test_its_work_is_continued_and_nothing_is_lost_or_doubled(home: Home, client: redis.Redis) -> None:
    *received, new = home.sent
    lake = LakeView(home.settings.local_lake, client, [line for part in received for line in part])
    published = rows(lake)
    assert published and lake.quarantined() and stored(client), "the fixture is in the middle of its work"
    home.answer("verify")
    assert home.open_gaps() == 2, "one is recorded in the lake, one in Redis"

    drained, buffered = home.batches[2:]
    home.finish(drained)
    assert rows(lake) > published
    home.finish(buffered)
    assert_every_event_is_accounted_for(lake)
    assert home.open_gaps() == 2

    since_s = now_s(client)
    with home.stream(slice(3, None)), ingester_process(home.settings):
        until(lambda: cursor(client) >= json.loads(new[-1])["time_us"])
    taken = to_the_lake(home.settings, client, since_s)
    assert sum(counts.received for counts in taken.counts.values()) > len(new), (
        "the ingester stepped back a little"
    )
    lake.sent += new
    assert_every_event_is_accounted_for(lake)
    assert home.open_gaps() == 2, "the ingester went on where it was"
    home.answer("verify")


def test_its_clickhouse_is_migrated_and_queried(home: Home, client: redis.Redis) -> None:
    lake = LakeView(home.settings.local_lake, client)
    for batch in home.batches[2:]:
        home.finish(batch)
    expected = {f"firehose.{name}": len(lake.rows(name, ["time_us"])) for name in schema.TYPES}
    with endpoint.start(home.settings):
        assert ask(home, "uniqExact(batch) FROM ops.batches") == [2], "what 0.1 has loaded"
        home.answer("migrate")
        home.answer("summaries")
        questions = {
            **{f"count() FROM {view}": rows for view, rows in expected.items()},
            "sum(events) FROM firehose.events_by_minute": sum(expected.values()),
            "count() FROM firehose.quarantine": len(lake.quarantined()),
            "uniqExact(batch) FROM ops.batches": len(home.batches),
            # By the names that users of 0.1 know.
            "count() FROM ops.gaps": 4,
            "countIf(healed = '') FROM ops.gaps": 2,
            "max(seconds_missing) > 500 FROM ops.coverage WHERE type = 'likes'": 1,
        }
        assert dict(zip(questions, ask(home, *questions), strict=True)) == questions


def ask(home: Home, *questions: str) -> list[int]:
    """The numbers that the analyst gets, in one query."""
    query = "SELECT " + ", ".join(f"(SELECT {question})" for question in questions)
    return [int(value) for value in home.answer("query", query, "--format", "TSV").split()]
