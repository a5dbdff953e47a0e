"""`firehose backfill` from an archive that requires a key, redirects and throttles; and within a budget."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import redis

from firehose.backfill import run
from firehose.batch.buffer import BACKFILL_BYTES_KEY
from firehose.jetstream import host_of
from firehose.settings import Settings
from jetstream_simulator import process
from tests.integration.backfill.world import LINES, firehose, gap, note, noted, queued, sent, serving

SECRET = "k3y-that-nobody-may-read"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[process.SimulatorProcess]:
    """An archive of LINES with a key, whose files lie on another host, and that gives 150 kB in two seconds."""
    tape = tmp_path_factory.mktemp("tape") / "tape.jsonl"
    tape.write_bytes(b"".join(line + b"\n" for line in LINES))
    gate = ["--archive-key", SECRET, "--archive-redirect", "--archive-quota=150000", "--archive-window=2"]
    with serving(tape, "--segment-events", "250", *gate) as running:
        yield running


def test_a_metered_archive_with_a_key_fills_a_gap(
    settings: Settings, guarded: process.SimulatorProcess, redis_client: redis.Redis, tmp_path: Path
) -> None:
    """The other host refuses requests that have the key: if the gap is filled, the key was not sent there."""
    settings = msgspec.structs.replace(settings, archive_url=guarded.events_url)
    note(redis_client, gap())
    without = firehose(settings, "backfill")
    assert without.returncode == 1 and "asks for a key: set FIREHOSE_ARCHIVE_KEY" in without.stderr
    wrong = firehose(msgspec.structs.replace(settings, archive_key="another"), "backfill")
    assert wrong.returncode == 1 and "does not know the key" in wrong.stderr and "another" not in wrong.stderr
    (tmp_path / "key").write_text(SECRET + "\n")
    done = firehose(msgspec.structs.replace(settings, archive_key_file=str(tmp_path / "key")), "backfill")
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("; filled") and " downloaded)" in done.stdout
    assert "at most " in done.stderr and SECRET not in done.stdout + done.stderr
    assert queued(redis_client) == sent()


def test_a_budget_of_bytes_stops_a_backfill_cleanly_and_the_next_one_goes_on(
    settings: Settings, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With limits in KiB in the place of MiB: 80 a run, and for the day what the gap takes."""
    monkeypatch.setattr(run, "MIB", 1024)
    host = host_of(settings.archive_url)
    small = msgspec.structs.replace(settings, archive_run_mib=80, archive_day_mib=150)
    note(redis_client, gap())
    spent, had = [], 0
    for limit in ("RUN", "DAY"):
        [report] = run.backfill(small, host, margin_us=0)
        assert f"FIREHOSE_ARCHIVE_{limit}_MIB=" in report.missing and "continues from here" in report.missing
        part = sum(map(len, queued(redis_client).values()))
        assert had < part, "what has come is kept"
        had = part
        spent.append(report.downloaded)
    assert 0 < spent[0] <= 80 * 1024
    [today] = redis_client.hvals(BACKFILL_BYTES_KEY)
    assert sum(spent) <= int(today) <= 150 * 1024, "lists count as well"
    [report] = run.backfill(small, host, margin_us=0)
    assert (report.downloaded, sum(map(len, queued(redis_client).values()))) == (0, had)
    assert [one.filled for one in noted(redis_client)] == [""]
    [report] = run.backfill(
        msgspec.structs.replace(small, archive_run_mib=0, archive_day_mib=0), host, margin_us=0
    )
    assert report.missing == "" and queued(redis_client) == sent()
