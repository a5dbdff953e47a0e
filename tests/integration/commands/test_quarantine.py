"""`firehose quarantine`: what is there, and a replay by rules that have changed since, killed and repeated."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from devstack.embedded.redis import RedisServer
from firehose.batch import manifest as manifests
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.lake.ledger import entry_path, read_entry
from firehose.lake.verify import verify
from firehose.settings import Settings
from firehose_cli.app import app
from ingester.contract import crash
from jetstream_simulator import generate
from tests.support.command import FIREHOSE, firehose
from tests.support.frames import fill, minutes
from tests.support.logins import copy_passwords

ROOT = Path(__file__).parents[3]
EVENTS = [*generate.events(600, seed=8, start_us=1_780_002_000_000_000, rate=5, malformed=0.02)]
STRICTER = """
import sys
from firehose.batch.interval import Batch
from firehose.lake.publish import publish
from firehose.quality.validate import validate
from firehose.settings import load
batch = Batch.parse(sys.argv[1], 60)
validate(load(), batch)
publish(load(), batch)
"""


@pytest.fixture(scope="module")
def batch() -> Batch:
    return minutes(1)[0]


@pytest.fixture(scope="module")
def published(batch: Batch, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with a lake and a batch that a version published whose rules let no delete pass."""
    folder = tmp_path_factory.mktemp("published")
    home = folder / "home"
    settings = settings_in(home, redis_server.url)
    copy_passwords(redis_server, home)
    with redis_server.client() as client:
        client.flushall()
        fill(client, EVENTS, batch)
        drain(settings, batch)
        client.flushall()
    code = folder / "code"
    for package in ("include/firehose", "ingester"):
        shutil.copytree(ROOT / package, code / Path(package).name, ignore=shutil.ignore_patterns("__pycache__"))
    rules = code / "firehose/records/rules.py"
    was = rules.read_text()
    rules.write_text(was.replace('OPERATIONS: Final = (*WRITES, "delete")', "OPERATIONS: Final = WRITES"))
    assert rules.read_text() != was
    subprocess.run(
        [sys.executable, "-c", STRICTER, batch.id],
        env=environment(settings) | {"PYTHONPATH": str(code)},
        cwd=code,
        check=True,
        timeout=200,
    )
    yield home
    shutil.rmtree(folder)


@pytest.fixture
def ruled_strictly(published: Path, tmp_path: Path, redis_url: str) -> Settings:
    """Settings of a copy of it."""
    shutil.copytree(published, tmp_path / "home")
    return settings_in(tmp_path / "home", redis_url)


def settings_in(home: Path, redis_url: str) -> Settings:
    return Settings(
        home=str(home),
        lake=str(home / "lake"),
        redis_url=redis_url,
        max_quarantine_rate=1.0,
        start_date="",
    )


def environment(settings: Settings) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": settings.home,
        "FIREHOSE_HOME": settings.home,
        "FIREHOSE_LAKE": settings.lake,
        "FIREHOSE_MAX_QUARANTINE_RATE": "1.0",
    }


def quarantine(settings: Settings, *arguments: object) -> subprocess.CompletedProcess[str]:
    return firehose("quarantine", *arguments, home=settings.home, lake=settings.lake, max_quarantine_rate="1.0")


def quarantined(settings: Settings) -> list[dict[str, Any]]:
    """Read without the project's code."""
    paths = sorted(Path(settings.lake).glob("_quarantine/date=*/batch=*/quarantine.parquet"))
    return [row for path in paths for row in pq.read_table(path, partitioning=None).to_pylist()]


def counts(settings: Settings, batch: Batch) -> Counter[str]:
    """The ledger's figures of all types."""
    entry = read_entry(entry_path(settings.lake_path, batch))
    assert entry is not None
    total: Counter[str] = Counter()
    for count in entry.counts.values():
        figures = {
            name: getattr(count, name) for name in ("received", "good", "quarantined", "duplicates", "stored")
        }
        total.update(figures)
        assert count.received == count.good + count.quarantined + count.duplicates
    return total


def rows(settings: Settings) -> Counter[tuple[str, str]]:
    """What the lake's hour files hold, by type folder and operation, each identity counted once."""
    found: Counter[tuple[str, str]] = Counter()
    for path in Path(settings.lake).glob("[a-z]*/**/*.parquet"):
        table = pq.ParquetFile(path).read()
        if "operation" in table.schema.names:
            found.update(
                (path.relative_to(settings.lake).parts[0], each) for each in table["operation"].to_pylist()
            )
    return found


def test_what_passes_now_is_published_once_and_the_rest_stays(ruled_strictly: Settings, batch: Batch) -> None:
    settings, before = ruled_strictly, quarantined(ruled_strictly)
    deletes = sum(b'"operation":"delete"' in row["raw"] for row in before)
    assert 0 < deletes < len(before)
    was = counts(settings, batch)
    assert not any(operation == "delete" for _, operation in rows(settings))

    plan = quarantine(settings, "replay", "--json")
    assert (plan.returncode, quarantined(settings)) == (0, before), "without --do nothing is changed"
    (said,) = [json.loads(line) for line in plan.stdout.splitlines()]
    assert (said["replayed"], said["refused"]) == (False, "")
    passes = sum(said["passes"].values())
    assert passes + said["stays"] == len(before)

    done = quarantine(settings, "replay", "--do")
    assert done.returncode == 0, done.stderr
    now = counts(settings, batch)
    assert now["received"] == was["received"] == len(EVENTS)
    assert was["quarantined"] - now["quarantined"] == passes
    assert now["stored"] + now["duplicates"] - was["stored"] - was["duplicates"] == passes
    assert len(quarantined(settings)) == said["stays"] == now["quarantined"]
    report = verify(settings.lake_path)
    assert report.ok, report.problems
    assert sum(count for (_, operation), count in rows(settings).items() if operation == "delete") > 0

    lake_is = rows(settings)
    again = quarantine(settings, "replay", "--do", "--json")
    assert json.loads(again.stdout)["passes"] == {}
    assert (rows(settings), counts(settings, batch)) == (lake_is, now)


@pytest.mark.parametrize(
    "point", [crash.Point.SLICE_RENAMED, crash.Point.QUARANTINE_RENAMED, crash.Point.HOURS_DONE]
)
def test_a_replay_that_was_killed_is_repeated(
    ruled_strictly: Settings, batch: Batch, point: crash.Point, tmp_path: Path
) -> None:
    settings, was = ruled_strictly, counts(ruled_strictly, batch)
    killed = subprocess.run(
        [FIREHOSE, "quarantine", "replay", "--do"],
        env=environment(settings) | {crash.AT: f"{point}:1", crash.PROOF: str(tmp_path / "proof")},
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    again = CliRunner().invoke(app, ["quarantine", "replay", "--do", "--json"], env=environment(settings))
    assert json.loads(again.stdout)["replayed"], "the quarantine file may be the new one already"
    now = counts(settings, batch)
    assert now["quarantined"] < was["quarantined"]
    assert now["received"] == len(EVENTS)
    assert len(quarantined(settings)) == now["quarantined"]
    report = verify(settings.lake_path)
    assert report.ok, report.problems


def test_expired_and_unpublished_batches_are_refused_in_a_line(ruled_strictly: Settings, batch: Batch) -> None:
    settings = ruled_strictly
    folder = manifests.folder_of(settings.lake_path, batch)
    manifest = manifests.read(folder)
    assert manifest is not None
    gone = manifests.Expired(at=batch.end, by="a test", audit="none", manifest_sha256="")
    manifests.expire(folder, manifest, gone)
    before = quarantined(settings)
    done = quarantine(settings, "replay", "--do")
    assert (done.returncode, done.stdout) == (1, "")
    assert "its raw files expired on" in done.stderr.splitlines()[0]
    assert quarantined(settings) == before
    entry_path(settings.lake_path, batch).remove()
    assert "it is not published yet" in quarantine(settings, "replay", "--do").stderr


def test_list_and_show_say_what_is_there(ruled_strictly: Settings, batch: Batch) -> None:
    settings, there = ruled_strictly, quarantined(ruled_strictly)
    expected = Counter((row["type"], row["reason"]) for row in there)
    listed = [json.loads(line) for line in quarantine(settings, "list", "--json").stdout.splitlines()]
    assert Counter({(row["type"], row["reason"]): row["events"] for row in listed}) == expected
    assert [row["events"] for row in listed] == sorted(expected.values(), reverse=True)
    (most, count), *_ = expected.most_common()
    told = quarantine(settings, "list", "--type", most[0], "--reason", most[1])
    assert f"{count:,}" in told.stdout

    shown = quarantine(settings, "show", "--json", "--limit", 0, "--batch", batch.id)
    found = [json.loads(line) for line in shown.stdout.splitlines()]
    assert len(found) == len(there)
    assert sorted(row["raw"] for row in found if row["raw"]) == sorted(
        row["raw"].decode() for row in there if row["raw"].isascii() or decodes(row["raw"])
    )
    assert quarantine(settings, "show", "--to", "2020-01-01T00:00:00Z").stdout == ""
    assert quarantine(settings, "show", "--batch", "yesterday").returncode == 1
    readable = quarantine(settings, "show", "--limit", 2).stdout
    assert len(readable.splitlines()) == 4
    assert readable.isprintable() or "\x1b" not in readable


def decodes(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
