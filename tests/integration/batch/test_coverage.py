"""The coverage ledger: what the ingester learnt leaves Redis with its batch, durably, and nothing is forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from firehose.areas import Area
from firehose.batch import coverage
from firehose.batch import manifest as manifests
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.errors import CorruptBatch, CorruptLake, MissedInterval
from firehose.settings import Settings
from ingester.contract import wire
from ingester.contract.gap import Gap, Reason

NOTED = Gap(id="a", reason=Reason.LATE, from_us=10, to_us=20, noted_us=100, host="wss://one", protocol="v1")
FILLED = msgspec.structs.replace(NOTED, noted_us=200, filled="other host")
OTHER = Gap(id="b", reason=Reason.PARTIAL, from_us=5, to_us=9, noted_us=50, queue="likes")


def note(client: redis.Redis, batch: Batch, *gaps: Gap) -> None:
    """Entries of the coverage stream in a batch's interval."""
    for number, gap in enumerate(gaps):
        fields: Any = {wire.FIELD_GAP: msgspec.json.encode(gap)}
        client.xadd(wire.COVERAGE_KEY, fields, id=f"{batch.start_ms + number}-1")


def hear(client: redis.Redis, *batches: Batch) -> None:
    """A heartbeat of each interval."""
    client.zadd(wire.HEARTBEATS_KEY, {str(batch.start_ms): batch.start_ms for batch in batches})


def records(settings: Settings, batch: Batch) -> list[Gap]:
    """What a batch's file says."""
    return coverage.read_records(coverage.records_path(settings.local_lake, batch))


def test_each_batch_takes_its_own_and_a_later_record_fills_it(
    settings: Settings, batches: list[Batch], redis_client: redis.Redis
) -> None:
    hear(redis_client, *batches[:2])
    note(redis_client, batches[0], NOTED, OTHER)
    note(redis_client, batches[1], FILLED)
    drain(settings, batches[0])
    assert records(settings, batches[0]) == [OTHER, NOTED]
    assert redis_client.xlen(wire.COVERAGE_KEY) == 1
    assert coverage.read_gaps(settings.local_lake) == [OTHER, NOTED]
    drain(settings, batches[1])
    assert redis_client.xlen(wire.COVERAGE_KEY) == 0
    assert coverage.read_gaps(settings.local_lake) == [OTHER, FILLED]
    assert coverage.gaps_of(settings, batches[0]) == [OTHER]
    assert coverage.gaps_of(settings, batches[1]) == []


def test_a_batch_that_learnt_nothing_has_no_file(
    settings: Settings, batches: list[Batch], redis_client: redis.Redis
) -> None:
    hear(redis_client, batches[0])
    drain(settings, batches[0])
    assert not Area.COVERAGE.of(settings.local_lake).exists()


def test_older_records_come_along_whoever_was_to_come_for_them(
    settings: Settings, batches: list[Batch], redis_client: redis.Redis
) -> None:
    hear(redis_client, *batches[:2])
    note(redis_client, batches[0], NOTED)
    drain(settings, batches[1])
    assert records(settings, batches[1]) == [NOTED]
    drain(settings, batches[0])
    assert coverage.read_gaps(settings.local_lake) == [NOTED]


def test_a_missed_interval_keeps_what_was_learnt_in_it(
    settings: Settings, batches: list[Batch], redis_client: redis.Redis
) -> None:
    hear(redis_client, batches[1])
    note(redis_client, batches[0], NOTED)
    with pytest.raises(MissedInterval):
        drain(settings, batches[0])
    silence = records(settings, batches[0])[-1]
    assert records(settings, batches[0]) == [NOTED, silence]
    assert silence.reason is Reason.NOT_LISTENING
    assert redis_client.xlen(wire.COVERAGE_KEY) == 0


def test_silence_that_is_filled_by_now_is_not_an_open_gap(
    settings: Settings, batches: list[Batch], redis_client: redis.Redis
) -> None:
    hear(redis_client, batches[2])
    with pytest.raises(MissedInterval):
        drain(settings, batches[0])
    assert len(coverage.gaps_of(settings, batches[0])) == 1
    # The ingester is back, but the interval in which it said so is not over yet.
    since, until = batches[0].start_ms * 1000 - 5, batches[1].end_ms * 1000
    outage = Gap(
        id="o", reason=Reason.OUTAGE, from_us=since, to_us=until, noted_us=until, host="wss://one", filled="replay"
    )
    note(redis_client, batches[2], outage)
    assert coverage.gaps_of(settings, batches[0]) == []
    assert redis_client.xlen(wire.COVERAGE_KEY) == 1


def test_what_an_attempt_without_a_manifest_had_copied_stays(
    settings: Settings, batches: list[Batch], redis_client: redis.Redis
) -> None:
    note(redis_client, batches[0], NOTED)
    coverage.take(redis_client, settings.local_lake, batches[0])
    redis_client.flushall()
    hear(redis_client, batches[0])
    note(redis_client, batches[0], OTHER)
    drain(settings, batches[0])
    assert records(settings, batches[0]) == [OTHER, NOTED]


def test_a_rerun_deletes_what_is_copied_and_takes_nothing_new(
    settings: Settings, batches: list[Batch], redis_client: redis.Redis
) -> None:
    hear(redis_client, *batches[:2])
    note(redis_client, batches[0], NOTED)
    result = drain(settings, batches[0])
    before = Path(result.manifest).read_bytes()
    redis_client.delete(wire.COVERAGE_KEY)  # restored from an older copy, with its clock back
    note(redis_client, batches[0], NOTED, OTHER)
    assert drain(settings, batches[0]) == result
    assert Path(result.manifest).read_bytes() == before
    assert records(settings, batches[0]) == [NOTED]
    assert redis_client.xlen(wire.COVERAGE_KEY) == 1
    drain(settings, batches[1])
    assert records(settings, batches[1]) == [OTHER]


@pytest.mark.parametrize("damage", ["[]", None])
def test_a_damaged_file_is_never_taken_for_whole(
    settings: Settings, batches: list[Batch], redis_client: redis.Redis, damage: str | None
) -> None:
    hear(redis_client, batches[0])
    note(redis_client, batches[0], NOTED)
    drain(settings, batches[0])
    path = coverage.records_path(settings.local_lake, batches[0])
    path.write_text(damage) if damage else path.unlink()
    with pytest.raises(CorruptBatch, match=r"_coverage/.*differs from"):
        drain(settings, batches[0])


def test_what_is_no_record_stops_no_batch_and_is_not_lost(
    settings: Settings, batches: list[Batch], redis_client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    hear(redis_client, batches[0])
    redis_client.xadd(wire.COVERAGE_KEY, {wire.FIELD_GAP: b"{"}, id=f"{batches[0].start_ms}-0")
    note(redis_client, batches[0], NOTED)
    drain(settings, batches[0])
    assert records(settings, batches[0]) == [NOTED]
    assert redis_client.xlen(wire.COVERAGE_KEY) == 0
    (kept,) = settings.local_lake.glob("_quarantine/redis/firehose-coverage-*.resp")
    assert b"$3\r\ngap\r\n$1\r\n{\r\n" in kept.read_bytes()
    assert str(kept) in caplog.text


def test_a_file_that_cannot_be_read_says_so(settings: Settings, batches: list[Batch]) -> None:
    path = coverage.records_path(settings.local_lake, batches[0])
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    with pytest.raises(CorruptLake, match="no list of gaps"):
        coverage.read_gaps(settings.local_lake)


def test_a_manifest_without_a_coverage_file_names_none(
    settings: Settings, batches: list[Batch], redis_client: redis.Redis
) -> None:
    hear(redis_client, batches[0])
    drain(settings, batches[0])
    manifest = manifests.read(manifests.folder_of(settings.local_lake, batches[0]))
    assert manifest is not None
    assert manifest.coverage_sha256 == ""
