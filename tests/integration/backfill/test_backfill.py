"""`firehose backfill` from an archive into Redis: each event of a gap once, whatever archive or Redis do."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
from pathlib import Path

import msgspec
import pytest
import redis

from firehose.backfill.client import ArchiveClient
from firehose.backfill.one_gap import BackfillReport
from firehose.backfill.run import backfill
from firehose.batch.buffer import BACKFILL_KEY
from firehose.batch.gaps import instant
from firehose.errors import CorruptArchive, FirehoseError
from firehose.jetstream import host_of
from firehose.settings import Settings
from ingester.contract import wire
from ingester.contract.gap import Reason
from jetstream_simulator import process
from tests.integration.backfill.world import (
    FIRST,
    LAST,
    LINES,
    NOTED_US,
    SEALED,
    TIMES,
    Proxy,
    command,
    firehose,
    gap,
    note,
    noted,
    queued,
    sent,
    serving,
)
from tests.support.waiting import until


def test_the_events_of_a_gap_come_as_the_stream_had_them(settings: Settings, redis_client: redis.Redis) -> None:
    note(redis_client, gap())
    planned = firehose(settings, "backfill", "--dry-run")
    assert (planned.returncode, "32 segments; still open: only planned" in planned.stdout) == (0, True), planned
    assert queued(redis_client) == {}

    done = firehose(settings, "backfill")
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("; filled")
    assert queued(redis_client) == sent()
    first, last = noted(redis_client)
    assert last == msgspec.structs.replace(first, noted_us=last.noted_us, filled="archive")
    assert last.noted_us > NOTED_US
    assert not redis_client.exists(BACKFILL_KEY)

    again = firehose(settings, "backfill")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "no gap is open\n")
    assert queued(redis_client) == sent()


def test_a_backfill_killed_again_and_again_goes_on_where_it_was(
    settings: Settings, redis_client: redis.Redis
) -> None:
    note(redis_client, gap())
    line, environment = command(settings, "backfill")
    had = 0
    for _ in range(4):
        before = redis_client.hget(BACKFILL_KEY, gap().id)
        running = subprocess.Popen(line, env=environment)
        until(lambda before=before: redis_client.hget(BACKFILL_KEY, gap().id) != before, pause_s=0.001)  # type: ignore[misc]
        running.send_signal(signal.SIGKILL)
        assert running.wait(10) == -signal.SIGKILL
        part = count(queued(redis_client))
        assert had < part < count(sent()), "it was killed before or after its work, not during it"
        assert [one.filled for one in noted(redis_client)] == [""]
        had = part

    assert firehose(settings, "backfill").returncode == 0
    assert queued(redis_client) == sent()
    assert [one.filled for one in noted(redis_client)] == ["", "archive"]


def test_a_backfill_that_redis_forgets_starts_again(settings: Settings, redis_client: redis.Redis) -> None:
    def wipe(path: str, body: bytes) -> bytes:
        if "seg_0000000014" in path and redis_client.exists(BACKFILL_KEY):
            redis_client.flushall()
            note(redis_client, gap())
        return body

    note(redis_client, gap())
    with Proxy(settings.archive_url.replace("ws", "http", 1).partition("/xrpc")[0], wipe) as proxy:
        lost = firehose(settings, "backfill", "--archive", proxy.url)
    assert lost.returncode == 75
    assert "lost what this backfill wrote" in lost.stderr
    assert [one.filled for one in noted(redis_client)] == [""]
    assert firehose(settings, "backfill").returncode == 0
    assert queued(redis_client) == sent()


@pytest.mark.parametrize(
    ("queue", "call"),
    [(wire.LIKES, "getSegment"), (wire.BLOCKS, "getBlock"), (wire.IDENTITIES, "getBlock"), (wire.OTHER, "")],
)
def test_a_queues_gap_fetches_that_queue_only(
    settings: Settings, redis_client: redis.Redis, archive: process.SimulatorProcess, queue: str, call: str
) -> None:
    note(redis_client, gap(queue=queue, reason=Reason.PARTIAL))
    with Proxy(archive.http_url, lambda _, body: body) as proxy:
        done = firehose(settings, "backfill", "--archive", proxy.url)
    assert done.returncode == 0, done.stderr
    assert queued(redis_client) == {queue: sent()[queue]}
    assert any(call in path for path in proxy.paths)


def test_only_collections_that_are_listened_to_are_filled(settings: Settings, redis_client: redis.Redis) -> None:
    note(redis_client, gap())
    wanted = msgspec.structs.replace(settings, wanted_collections="app.bsky.graph.*, app.bsky.feed.repost")
    assert firehose(wanted, "backfill").returncode == 0
    kept = (wire.FOLLOWS, wire.BLOCKS, wire.REPOSTS, wire.IDENTITIES, wire.ACCOUNTS)
    found, expected = queued(redis_client), sent()
    assert {queue: found.get(queue) for queue in kept} == {queue: expected.get(queue) for queue in kept}
    others = [event for queue, events in found.items() if queue not in kept for event in events]
    assert all(event["commit"]["collection"].startswith("app.bsky.graph.") for event in others)


def test_a_gap_that_grows_meanwhile_stays_open(
    settings: Settings, redis_client: redis.Redis, archive: process.SimulatorProcess
) -> None:
    grown = msgspec.structs.replace(gap(), to_us=TIMES[LAST + 5], noted_us=NOTED_US + 1)

    def grow(path: str, body: bytes) -> bytes:
        if "seg_0000000014" in path and len(noted(redis_client)) == 1:
            note(redis_client, grown)
        return body

    note(redis_client, gap())
    with Proxy(archive.http_url, grow) as proxy:
        done = firehose(settings, "backfill", "--archive", proxy.url)
    assert (done.returncode, "still open: its record changed meanwhile" in done.stdout) == (0, True), done
    assert noted(redis_client) == [gap(), grown]
    redis_client.delete(*map(wire.stream_key, wire.QUEUES))
    assert firehose(settings, "backfill").returncode == 0
    assert queued(redis_client) == sent(FIRST, LAST + 5)
    assert [one.filled for one in noted(redis_client)] == ["", "", "archive"]


def test_several_gaps_are_filled_in_one_go(settings: Settings, redis_client: redis.Redis) -> None:
    for first in (100, 300):
        note(redis_client, gap(first, first + 10))
    assert [line.rpartition("; ")[2] for line in firehose(settings, "backfill").stdout.splitlines()] == [
        "filled"
    ] * 2
    redis_client.xadd(wire.COVERAGE_KEY, {"something": "else"})
    again = firehose(settings, "backfill")
    assert (again.returncode, again.stdout) == (0, "")
    assert "no gap is open" in again.stderr


def test_a_gap_of_all_queues_asks_for_no_plan_that_could_leave_something_out(
    settings: Settings, redis_client: redis.Redis, archive: process.SimulatorProcess
) -> None:
    note(redis_client, gap())
    with Proxy(archive.http_url, lambda path, body: b"{}" if "planSnapshot" in path else body) as proxy:
        assert firehose(settings, "backfill", "--archive", proxy.url).returncode == 0
    assert queued(redis_client) == sent()


def test_a_page_of_a_plan_that_ends_amid_a_segment_loses_nothing_of_it(
    settings: Settings, redis_client: redis.Redis, tmp_path: Path
) -> None:
    (tmp_path / "tape").write_bytes(b"".join(line + b"\n" for line in LINES))
    pages: list[str] = []

    def break_every_other_page(path: str, body: bytes) -> bytes:
        if "planSnapshot" in path:
            pages.append(path)
        return b"broken" if "planSnapshot" in path and len(pages) % 2 == 0 else body

    note(redis_client, gap(queue=wire.BLOCKS))
    sizes = ["--segment-events", "600", "--block-events", "16", "--plan-entries", "1"]
    with (
        serving(tmp_path / "tape", *sizes) as archive,
        Proxy(archive.http_url, break_every_other_page) as proxy,
    ):
        broken = 0
        while True:
            try:
                reports = run(settings, proxy.url)
                break
            except CorruptArchive:
                broken += 1
    assert broken > 3
    assert [one.missing for one in reports] == [""]
    assert queued(redis_client) == {wire.BLOCKS: sent()[wire.BLOCKS]}


def test_what_the_hosts_stamp_on_either_side_of_an_edge_is_filled_as_well(
    settings: Settings, redis_client: redis.Redis
) -> None:
    """The gap as another host, whose clock is 0.1 s ahead or behind, would have recorded it."""
    note(redis_client, gap())
    assert [one.missing for one in run(settings, settings.archive_url, margin_us=100_000)] == [""]
    low, high = TIMES[FIRST] - 100_000, TIMES[LAST] + 100_000
    wide = [number for number, time_us in enumerate(TIMES) if low <= time_us < high]
    assert wide[0] < FIRST and wide[-1] > LAST
    assert queued(redis_client) == sent(wide[0], wide[-1] + 1)


def test_a_gap_of_the_archives_own_host_needs_a_second_at_most(
    settings: Settings, redis_client: redis.Redis
) -> None:
    """Its stamps are the same, but not unique: an event of the gap may have that of the first one after it."""
    note(redis_client, gap(1500, 1510, host=host_of(settings.archive_url).name))
    assert [one.missing for one in run(settings, settings.archive_url, margin_us=60_000_000)] == [""]
    low, high = TIMES[1500] - 1_000_000, TIMES[1510] + 1_000_000
    wide = [number for number, time_us in enumerate(TIMES) if low <= time_us < high]
    assert queued(redis_client) == sent(wide[0], wide[-1] + 1)


def test_a_gap_is_open_until_the_margin_after_it_is_sealed_too(
    settings: Settings, redis_client: redis.Redis
) -> None:
    note(redis_client, gap(SEALED - 100, SEALED - 50))
    [report] = run(settings, settings.archive_url, margin_us=60_000_000)
    assert "is sealed only up to" in report.missing
    [report] = run(settings, settings.archive_url, margin_us=0)
    assert report.missing == ""


def test_an_archive_that_was_rebuilt_is_read_from_the_beginning(
    settings: Settings, redis_client: redis.Redis, archive: process.SimulatorProcess
) -> None:
    """The progress of a backfill is a number of the archive that was there before, under the same name."""
    before, broken = True, 0

    def other_numbers(path: str, body: bytes) -> bytes:
        nonlocal broken
        if before and "listSegments" in path:
            listing = msgspec.json.decode(body)
            for one in listing["segments"]:
                one["minSeq"] -= one["index"] == FIRST // 50
            return msgspec.json.encode(listing)
        broken += before and "getSegment" in path
        return b"broken" if broken > 20 and before and "getSegment" in path else body

    note(redis_client, gap())
    with Proxy(archive.http_url, other_numbers) as proxy:
        with pytest.raises(CorruptArchive):
            run(settings, proxy.url)
        assert redis_client.exists(BACKFILL_KEY)
        redis_client.delete(*map(wire.stream_key, wire.QUEUES))
        before = False
        assert [one.missing for one in run(settings, proxy.url)] == [""]
    assert queued(redis_client) == sent()


def test_numbers_without_an_event_are_counted(
    settings: Settings, redis_client: redis.Redis, archive: process.SimulatorProcess
) -> None:
    def compacted(path: str, body: bytes) -> bytes:
        if "listSegments" not in path:
            return body
        listing = msgspec.json.decode(body)
        for one in listing["segments"]:
            one["eventCount"] -= 2
        return msgspec.json.encode(listing)

    note(redis_client, gap(FIRST, FIRST + 60))
    with Proxy(archive.http_url, compacted) as proxy:
        done = firehose(settings, "backfill", "--archive", proxy.url)
    assert "downloaded), in which 4 numbers have no event" in done.stdout and "from 2 segments" in done.stdout
    assert done.stdout.rstrip().endswith("; filled")


def test_an_interval_without_heartbeat_is_filled_with_the_outage_that_spans_it(
    settings: Settings, redis_client: redis.Redis
) -> None:
    note(redis_client, gap(reason=Reason.OUTAGE))
    note(redis_client, gap(FIRST + 10, LAST - 10, reason=Reason.NOT_LISTENING))
    done = firehose(settings, "backfill")
    assert [line.rpartition("; ")[2] for line in done.stdout.splitlines()] == ["filled", "filled"]
    assert queued(redis_client) == sent()
    assert firehose(settings, "backfill").stderr == "no gap is open\n"


def test_what_is_not_sealed_yet_stays_open(settings: Settings, redis_client: redis.Redis) -> None:
    note(redis_client, gap(SEALED - 100, SEALED + 20))
    done = firehose(settings, "backfill")
    assert done.returncode == 0
    assert f"still open: the archive is sealed only up to {instant(TIMES[SEALED - 1])}" in done.stdout
    assert queued(redis_client) == sent(SEALED - 100, SEALED)
    assert [one.filled for one in noted(redis_client)] == [""]
    assert "no events from 0 segments; still open" in firehose(settings, "backfill").stdout
    assert queued(redis_client) == sent(SEALED - 100, SEALED)


def test_a_gap_from_before_the_archive_stays_open(settings: Settings, redis_client: redis.Redis) -> None:
    before = msgspec.structs.replace(gap(0, 100), from_us=TIMES[0] - 1)
    note(redis_client, before)
    assert f"still open: the archive begins at {instant(TIMES[0])}" in firehose(settings, "backfill").stdout
    assert queued(redis_client) == sent(0, 100)


def test_one_gap_may_be_chosen(settings: Settings, redis_client: redis.Redis) -> None:
    for first in (100, 300, 500):
        note(redis_client, gap(first, first + 10))
    assert firehose(settings, "backfill", "--gap", "late/300").returncode == 0
    assert queued(redis_client) == sent(300, 310)
    unknown = firehose(settings, "backfill", "--gap", "late/300")
    assert unknown.returncode == 1
    assert one_line(unknown.stderr).startswith("firehose: no open gap has the id 'late/300'")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("getSegment", "checksum"),
        ("getBlock", "seg_"),
        ("listSegments", "lexicon"),
        ("planSnapshot", "lexicon"),
    ],
)
def test_a_damaged_answer_is_refused_in_one_line(
    settings: Settings, redis_client: redis.Redis, archive: process.SimulatorProcess, call: str, said: str
) -> None:
    spoiled: list[str] = []
    damaging = True

    def damage(path: str, body: bytes) -> bytes:
        if call not in path or not damaging:
            return body
        spoiled.append(path)
        # The third download, so that the events before it are in Redis; in the midst of what a checksum covers.
        at = len(body) - 100 if call.startswith("get") else 0
        return body[:at] + bytes([body[at] ^ 0x80]) + body[at + 1 :] if not at or len(spoiled) == 3 else body

    # A gap of few events is planned block by block, one of all kinds by whole segments.
    queue = wire.BLOCKS if call in ("getBlock", "planSnapshot") else ""
    note(redis_client, gap(queue=queue))
    with Proxy(archive.http_url, damage) as proxy:
        refused = firehose(settings, "backfill", "--archive", proxy.url)
        assert spoiled
        assert refused.returncode == 1
        assert said in one_line(refused.stderr)
        assert [one.filled for one in noted(redis_client)] == [""]
        assert (count(queued(redis_client)) > 0) == call.startswith("get")
        damaging = False
        assert firehose(settings, "backfill", "--archive", proxy.url).returncode == 0
    assert queued(redis_client) == ({queue: sent()[queue]} if queue else sent())


def test_a_damaged_segment_keeps_no_other_gap_open(
    settings: Settings, redis_client: redis.Redis, archive: process.SimulatorProcess
) -> None:
    for first in (110, 310):
        note(redis_client, gap(first, first + 10))
    with Proxy(archive.http_url, lambda path, body: body[:9] if "seg_0000000002" in path else body) as proxy:
        done = firehose(settings, "backfill", "--archive", proxy.url)
    assert done.stdout.startswith("late/310 ") and done.stdout.endswith("; filled\n")
    assert (done.returncode, one_line(done.stderr).startswith("firehose: late/110: ")) == (1, True)
    assert queued(redis_client) == sent(310, 320)


def test_a_full_redis_is_left_to_the_live_stream(settings: Settings, redis_client: redis.Redis) -> None:
    note(redis_client, gap())
    used = int(redis_client.info("memory")["used_memory"])
    redis_client.config_set("maxmemory", used + used // 8)
    try:
        full = firehose(settings, "backfill")
        assert full.returncode == 1
        assert "too full for a backfill now" in one_line(full.stderr)
        redis_client.config_set("maxmemory", used // 2)
        assert "too full for a backfill now" in one_line(firehose(settings, "backfill").stderr)
    finally:
        redis_client.config_set("maxmemory", 0)
    assert [one.filled for one in noted(redis_client)] == [""]
    assert firehose(settings, "backfill").returncode == 0
    assert queued(redis_client) == sent()


def test_without_an_archive_it_says_so(settings: Settings, redis_client: redis.Redis, free_port: int) -> None:
    note(redis_client, gap())
    none = msgspec.structs.replace(settings, archive_url="", jetstream_url="wss://one.example/subscribe")
    assert "FIREHOSE_ARCHIVE_URL" in one_line(firehose(none, "backfill").stderr)
    away = firehose(settings, "backfill", "--archive", f"http://127.0.0.1:{free_port}")
    assert "does not answer" in one_line(away.stderr)
    no_redis = msgspec.structs.replace(settings, redis_url=f"redis://127.0.0.1:{free_port}/0")
    assert "does not answer" in one_line(firehose(no_redis, "backfill").stderr)
    wrong = firehose(settings, "backfill", "--archive", "no url")
    assert "is not a Jetstream host" in one_line(wrong.stderr)
    assert [away.returncode, wrong.returncode] == [75, 1]


def test_a_full_disk_is_named(archive: process.SimulatorProcess) -> None:
    client = ArchiveClient(host_of(archive.url))
    with FullDisk() as file, pytest.raises(FirehoseError, match="No space left on device; make room"):
        client.download(client.segments()[0], file)


class FullDisk(io.BytesIO):
    """A file that can be emptied, but not written."""

    def write(self, data: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def run(settings: Settings, archive: str, margin_us: int = 0) -> list[BackfillReport]:
    return list(backfill(settings, host_of(archive), margin_us=margin_us))


def count(queues: dict[str, list[dict[str, object]]]) -> int:
    return sum(map(len, queues.values()))


def one_line(text: str) -> str:
    """The one line of an error, after what was said before the downloads."""
    [line] = [line for line in text.splitlines() if " to download, of " not in line]
    return line
