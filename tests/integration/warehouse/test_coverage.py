"""Coverage on the real engine: gaps as the lake has them, and the seconds that are missing in each hour."""

from __future__ import annotations

import msgspec
import pytest
import redis
import typer
from clickhouse_connect.driver.client import Client
from typer.testing import CliRunner

from firehose.batch import coverage
from firehose.batch.interval import Batch
from firehose.settings import Settings
from firehose.warehouse.client import connect
from firehose.warehouse.coverage import load_gaps
from firehose.warehouse.summaries import refresh
from firehose_cli.coverage import coverage as command
from ingester.contract import wire
from ingester.contract.gap import Gap, Reason
from tests.integration.warehouse.dying import DyingClient
from tests.integration.warehouse.gaps import gap, publish, write
from tests.integration.warehouse.lakes import LakeBuilder, at, row


def hours(client: Client, record_type: str) -> dict[int, tuple[float, ...]]:
    """Seconds by hour of the day: of the hour, missing, filled, unaccounted."""
    query = (
        "SELECT toHour(hour), seconds, seconds_missing, seconds_filled, seconds_unaccounted FROM ops.coverage"
        " WHERE type = {t:String} ORDER BY hour"
    )
    return {hour: tuple(rest) for hour, *rest in client.query(query, parameters={"t": record_type}).result_rows}


def names(client: Client) -> list[tuple[str, str]]:
    """Gaps as ClickHouse has them: id, and by what they are filled."""
    rows = client.query("SELECT id, filled FROM ops.gaps ORDER BY id").result_rows
    return [(name, filled) for name, filled in rows]


def test_a_gap_appears_is_filled_and_goes_with_the_lake(
    client: Client, settings: Settings, lake: LakeBuilder
) -> None:
    lake.publish(at(9), {})
    first = gap(at(9), 5, "a", host="wss://one", protocol="v1", queue="likes")
    write(lake, at(9), first, gap(at(9), 1, "b"))
    assert refresh(settings).open_gaps == 2
    row_a = client.query("SELECT * FROM ops.gaps WHERE id = 'a'").result_rows[0]
    assert row_a[:8] == ("a", "late", "wss://one", "v1", "likes", at(9), at(9, 5), "")
    filled = write(lake, at(9, 5), msgspec.structs.replace(first, noted_us=2, filled="replay"))
    assert refresh(settings).open_gaps == 1
    assert names(client) == [("a", "replay"), ("b", "")]
    filled.unlink()  # a lake restored from an older backup
    assert refresh(settings).open_gaps == 2
    assert names(client) == [("a", ""), ("b", "")]


def test_the_same_gaps_again_change_nothing(client: Client) -> None:
    gaps = [gap(at(9), 5), Gap(id="odd", reason=Reason.REFUSED, from_us=-5, to_us=10**30, noted_us=1)]
    assert load_gaps(client, gaps)
    assert not load_gaps(client, gaps)
    assert load_gaps(client, [])
    assert names(client) == []


def test_a_reader_sees_the_old_gaps_or_the_new_ones(client: Client) -> None:
    old, new = [gap(at(9), 5, "old")], [gap(at(9), 5, "new"), gap(at(10), 5, "more")]
    died = 0
    while True:
        load_gaps(client, old)
        try:
            load_gaps(DyingClient(client, died), new)  # type: ignore[arg-type]  # a proxy, not a subclass
            break
        except SystemExit:
            assert [name for name, _ in names(client)] in (["old"], ["more", "new"])
            died += 1
    assert died == 3
    assert [name for name, _ in names(client)] == ["more", "new"]
    assert client.query("SHOW TABLES FROM ops LIKE 'staging%'").result_rows == []


def test_missing_time_is_the_union_of_open_gaps(client: Client, settings: Settings, lake: LakeBuilder) -> None:
    publish(lake, at(20), at(22))
    write(
        lake,
        at(20),
        gap(at(20, 10), 10),
        gap(at(20, 15), 10, "overlaps", queue="likes"),
        gap(at(20, 50), 20, "over the hour"),
        gap(at(20, 18), 4, "filled in part", filled="archive"),
        gap(at(21, 30), 5, "filled", filled="replay", queue="posts"),
    )
    assert refresh(settings).open_gaps == 3
    assert hours(client, "likes") == {20: (3600, 1500, 0, 0), 21: (3600, 600, 0, 0)}
    assert hours(client, "posts") == {20: (3600, 1200, 120, 0), 21: (3600, 600, 300, 0)}
    assert hours(client, "other") == {20: (3600, 1200, 120, 0), 21: (3600, 600, 0, 0)}


def test_an_hour_without_a_batch_shows(client: Client, settings: Settings, lake: LakeBuilder) -> None:
    publish(lake, at(18, 30), at(19, 30))
    publish(lake, at(21), at(21, 30))
    write(lake, at(19), gap(at(20), 15), gap(at(20, 15), 15, "filled", filled="replay"))
    refresh(settings)
    assert hours(client, "posts") == {
        18: (1800, 0, 0, 0),
        19: (3600, 0, 0, 1800),
        20: (3600, 900, 900, 1800),
        21: (1800, 0, 0, 0),
    }


def test_every_type_has_its_events_and_its_row(client: Client, settings: Settings, lake: LakeBuilder) -> None:
    lake.write("posts", [row("posts", at(20, 1, n)) for n in range(3)])
    lake.write("likes", [row("likes", at(5, 59))])  # witnessed long before any batch: an old replay
    lake.publish(at(20), {at(20): ["posts"], at(5): ["likes"]})
    refresh(settings)
    query = "SELECT type, events, seconds FROM ops.coverage WHERE toHour(hour) = {hour:UInt8} ORDER BY type"
    rows = client.query(query, parameters={"hour": 20}).result_rows
    assert rows == [(name, 3 * (name == "posts"), 300.0) for name in sorted(wire.QUEUES)]
    replayed = client.query(query, parameters={"hour": 5}).result_rows
    assert replayed == [(name, int(name == "likes"), 60.0) for name in sorted(wire.QUEUES)]


def test_a_replay_of_old_events_covers_the_hours_it_came_from(
    client: Client, settings: Settings, lake: LakeBuilder
) -> None:
    lake.write("posts", [row("posts", at(2, minute)) for minute in (10, 40)])
    lake.write("likes", [row("likes", at(4, 0)), row("likes", at(4, 59))])
    # The batch ran at 20:00, when nothing was listened to: no second of that hour is covered.
    lake.publish(at(20), {at(2): ["posts"], at(4): ["likes"]})
    write(lake, at(20), gap(at(2, 20), 5))
    refresh(settings)
    assert hours(client, "posts") == {2: (31 * 60, 300, 0, 0), 4: (3600, 0, 0, 0)}
    publish(lake, at(9), at(9, 10))  # and then the live stream
    refresh(settings)
    assert hours(client, "likes") == {2: (31 * 60, 300, 0, 0), 4: (3600, 0, 0, 0), 9: (600, 0, 0, 0)}


def test_a_gap_since_1970_makes_no_row_for_each_hour_since(
    client: Client, settings: Settings, lake: LakeBuilder
) -> None:
    lake.publish(at(20), {})
    write(lake, at(20), Gap(id="ever", reason=Reason.REFUSED, from_us=0, to_us=10**17, noted_us=1))
    refresh(settings)
    assert hours(client, "posts") == {20: (300, 300, 0, 0)}


def test_an_empty_lake_has_no_coverage(client: Client) -> None:
    assert client.query("SELECT * FROM ops.coverage").result_rows == []
    load_gaps(client, [gap(at(9), 5)])
    assert client.query("SELECT * FROM ops.coverage").result_rows == []


def test_the_analyst_may_read_both(client: Client, settings: Settings, lake: LakeBuilder) -> None:
    lake.publish(at(20), {})
    write(lake, at(20), gap(at(20), 5))
    refresh(settings)
    analyst = connect(settings, "analyst")
    assert analyst.command("SELECT count() FROM ops.gaps") == 1
    assert analyst.command("SELECT sum(seconds_missing) FROM ops.coverage") == 300 * len(wire.QUEUES)


def test_the_command_lists_the_gaps_newest_last(
    settings: Settings,
    lake: LakeBuilder,
    monkeypatch: pytest.MonkeyPatch,
    redis_client: redis.Redis,
    redis_url: str,
    free_port: int,
) -> None:
    monkeypatch.setenv("FIREHOSE_LAKE", settings.lake)
    monkeypatch.setenv("FIREHOSE_REDIS_URL", redis_url)
    app = typer.Typer()
    app.command()(command)
    write(lake, at(20), gap(at(20), 5, "late", queue="likes", host="wss://one", protocol="v1"))
    write(lake, at(19), gap(at(19), 1, "early", filled="replay"), gap(at(20, 4), 2, "over it"))
    everything = CliRunner().invoke(app, ["--each"], catch_exceptions=False)
    assert [line.split()[-1] for line in everything.stdout.splitlines()[1:]] == [
        "early",
        "late",
        "it",
    ]
    assert everything.stderr == "gaps: 3, 2 open; 360.000 s of witnessed time are missing\n"
    listed = CliRunner().invoke(app, ["--json", "--open"], catch_exceptions=False)
    found = [msgspec.json.decode(line) for line in listed.stdout.splitlines()]
    assert [(each["id"], each["queue"], each["filled"]) for each in found] == [
        ("late", "likes", ""),
        ("over it", "", ""),
    ]
    assert (everything.exit_code, listed.exit_code) == (0, 0)
    write(lake, at(21), gap(at(21), 1, "small", reason=Reason.PARTIAL, filled="replay"))
    *_, named = CliRunner().invoke(app, ["--json"], catch_exceptions=False).stdout.splitlines()
    small = msgspec.json.decode(named)
    assert (small["reason"], small["old_reason"], small["filled"], small["healed"]) == (
        *("partial", "blind"),
        *("replay", "replay"),
    ), "the former names go on for one version"
    coverage.records_path(lake.root, Batch(at(21), at(21, 5))).unlink()
    # What a backfill noted is known at once, not with the next batch.
    filled = gap(at(20, 4), 2, "over it", filled="archive")
    record = msgspec.structs.replace(filled, noted_us=filled.noted_us + 1)
    redis_client.xadd(wire.COVERAGE_KEY, {wire.FIELD_GAP: msgspec.json.encode(record)})
    assert "gaps: 3, 1 open" in CliRunner().invoke(app, [], catch_exceptions=False).stderr
    monkeypatch.setenv("FIREHOSE_REDIS_URL", f"redis://127.0.0.1:{free_port}/0")
    away = CliRunner().invoke(app, [], catch_exceptions=False)
    first, last = away.stderr.splitlines()
    assert first.startswith("as of the last batch, since Redis at redis://127.0.0.1:")
    assert "gaps: 3, 2 open" in last
