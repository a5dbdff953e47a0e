"""Every alert that the monitor finds: what makes it fire, and what makes it clear, to a real webhook."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from firehose.alerts import report_foreign, report_quality
from firehose.alerts.catalogue import ALERTS
from firehose.alerts.smtp import mailer
from firehose.backup.run import backup
from firehose.batch.buffer import BACKFILL_BYTES_KEY
from firehose.batch.coverage import record_silence
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.lake.publish import publish
from firehose.maintenance.run import Maintenance
from firehose.monitor.conditions import CONDITIONS, judge
from firehose.observe import PARTS, Observer
from firehose.quality.outcome import ValidateResult
from firehose.warehouse.summaries import refresh
from tests.integration.monitor.world import MINUTE, Health, World
from tests.support.frames import fill
from tests.support.maintained import HOUR, LIKES, proven, published
from tests.support.sinks import certificate, mail_server
from tests.support.staging import stage

NOWHERE = "127.0.0.1:1"


def test_all_is_well_while_it_is(world: World, redis_client: redis.Redis, batches: list[Batch]) -> None:
    world.look()
    published(world.settings, redis_client, {batches[4]: LIKES[:100]})
    refresh(world.settings)
    assert world.look(6) == []
    assert world.book.states == {}
    assert world.book.ran == world.now


def test_redis_away(world: World) -> None:
    world.look()
    url = world.settings.redis_url
    world.change(redis_url=f"redis://{NOWHERE}/0")
    assert world.look(3, alive=False) == ["firing redis_away"]
    assert "does not answer" in world.webhook.bodies[-1]["reason"]
    assert world.look(2, alive=False) == []
    world.change(redis_url=url)
    assert world.look(3) == ["cleared redis_away"]


def test_redis_cannot_write(world: World) -> None:
    world.flush()
    seen = Observer(world.settings).look(world.now)
    assert seen.buffer and seen.buffer.aof_ok is True
    broken = msgspec.structs.replace(seen, buffer=msgspec.structs.replace(seen.buffer, aof_ok=False))
    for snapshot, names in ((seen, []), (broken, ["redis_cannot_write"])):
        found, judged = judge(world.settings, snapshot, PARTS)
        assert [finding.key for finding in found if finding.key.startswith("redis")] == names
        assert "redis_cannot_write" in judged


def test_ingester_down(world: World) -> None:
    assert world.look(3) == []
    assert world.look(3, alive=False) == ["firing ingester_down"]
    body = world.webhook.bodies[-1]
    assert body["severity"] == "error" and body["lasted_seconds"] >= 60 and body["causes"]
    assert body["runbook"] == "docs/operations.md#the-ingester-does-not-run"
    assert world.look(3) == ["cleared ingester_down"]


def test_an_ingester_that_was_to_be_started_and_never_was(world: World) -> None:
    assert world.look(3, alive=False) == [], "nobody has said since when it should run"
    world.change(start_date=(world.now - 5 * MINUTE).isoformat())
    assert world.look(3, alive=False) == ["firing ingester_down"]


def test_no_data(world: World) -> None:
    world.look(2)
    for _ in range(5):
        world.flush(connected=False)
        sent = world.look(alive=False)
        if sent:
            break
        world.now += timedelta()
    assert sent == ["firing no_data"]
    assert world.look(3) == ["cleared no_data"]


def test_lag(world: World) -> None:
    sent = []
    for _ in range(7):
        world.flush(lag=timedelta(minutes=20))
        sent += world.look(alive=False)
    assert sent == ["firing lag"]
    assert world.look(3) == ["cleared lag"]


def test_buffer_fills_up(world: World, redis_client: redis.Redis, batches: list[Batch]) -> None:
    fill(redis_client, LIKES[:100], batches[0])
    limit = redis_client.config_get("maxmemory")["maxmemory"] or "0"
    try:
        redis_client.config_set("maxmemory", int(redis_client.info("memory")["used_memory"] * 1.1))
        assert world.look() == ["firing buffer_fills_up"]
        assert "frames wait" in world.webhook.bodies[-1]["reason"]
    finally:
        redis_client.config_set("maxmemory", limit)
    assert world.look(3) == ["cleared buffer_fills_up"]


def test_gap(world: World) -> None:
    world.flush()
    world.gap("g", 10 * MINUTE, 9 * MINUTE)
    assert world.look_after(10) == [], "a replay may fill it"
    assert world.look_after(6) == ["firing gap"]
    assert "outage" in world.webhook.bodies[-1]["details"]["gap 1"]
    world.gap("g", 26 * MINUTE, 9 * MINUTE, filled="replay")
    assert world.look(3) == ["cleared gap"]


def test_a_gap_that_no_source_can_fill_any_more_is_no_alert(world: World) -> None:
    world.flush()
    world.gap("g", timedelta(hours=25), MINUTE)
    assert world.look(3) == []


def test_retention_near(world: World) -> None:
    world.flush()
    world.gap("g", timedelta(hours=21), MINUTE)
    assert "firing retention_near" in world.look()
    world.gap("g", timedelta(hours=21), MINUTE, filled="archive")
    assert "cleared retention_near" in world.look(3)


def test_archive_quota(world: World, redis_client: redis.Redis) -> None:
    world.change(archive_day_mib=100)
    today = f"{world.now:%Y-%m-%d}"
    redis_client.hincrby(BACKFILL_BYTES_KEY, today, 89 * 2**20)
    assert world.look() == []
    redis_client.hincrby(BACKFILL_BYTES_KEY, today, 2**20)
    assert world.look() == ["firing archive_quota"]
    world.change(archive_day_mib=200)
    assert world.look(3) == ["cleared archive_quota"]


def test_foreign_data(world: World) -> None:
    world.look()
    report_foreign(world.settings, "b", mailer(world.settings), "a key of another type")
    assert world.webhook.bodies[-1]["key"] == "foreign_data"
    # It was raised by the real clock, which is behind the turned one.
    assert world.look_after(50) == []
    assert "cleared foreign_data" in world.look_after(15)


def test_bad_data(world: World) -> None:
    bad = ValidateResult(
        good=90, quarantined=10, error_rate=0.1, suite_success=False, failed_expectations=["x"], docs="", counts={}
    )
    assert report_quality(world.settings, "b", bad, mailer(world.settings))
    assert world.webhook.bodies[-1]["key"] == "bad_data"
    assert "cleared bad_data" in world.look_after(35)


def test_batch_late(world: World, redis_client: redis.Redis, batches: list[Batch]) -> None:
    published(world.settings, redis_client, {batches[0]: LIKES[:50]})
    refresh(world.settings)
    while world.now - batches[0].end <= 9 * MINUTE:
        assert world.look() == []
    assert world.look() == ["firing batch_late"]
    assert batches[0].id in world.webhook.bodies[-1]["reason"]
    world.change(alert_fresh_minutes=600)
    assert world.look(3) == ["cleared batch_late"]


def test_batch_slow(world: World, redis_client: redis.Redis, batches: list[Batch]) -> None:
    fill(redis_client, LIKES[:50], batches[4])
    drain(world.settings, batches[4])
    assert world.look() == []
    assert world.look(2) == ["firing batch_slow"]
    assert "is not published" in world.webhook.bodies[-1]["reason"]
    stage(world.settings.lake_path, batches[4], "likes", [HOUR - 1, HOUR])
    publish(world.settings, batches[4])
    assert world.look(3) == ["cleared batch_slow"]


def test_batches_missing(world: World, redis_client: redis.Redis, batches: list[Batch]) -> None:
    world.change(start_date=batches[0].start.isoformat(), alert_fresh_minutes=5)
    published(world.settings, redis_client, {batches[0]: LIKES[:50], batches[3]: LIKES[50:60]})
    refresh(world.settings)
    # What comes after them is not what this is about: batches that are late explain those that are missing.
    then = batches[2].end + 5 * MINUTE
    found, _ = judge(world.settings, Observer(world.settings).look(then), PARTS)
    (missing,) = [finding for finding in found if finding.key == "batches_missing"]
    assert missing.title == "2 intervals have no batch"
    assert f"{batches[1].id} to {batches[2].id}" in missing.text
    assert missing.details[f"from {batches[1].id}"] == "2 intervals"
    for batch in batches[1:3]:
        record_silence(world.settings.lake_path, batch)
    found, _ = judge(world.settings, Observer(world.settings).look(then), PARTS)
    assert "batches_missing" not in {finding.key for finding in found}


def test_clickhouse_away(world: World) -> None:
    url = world.settings.clickhouse_url
    world.change(clickhouse_url=f"http://{NOWHERE}")
    assert world.look(4) == ["firing clickhouse_away"]
    world.change(clickhouse_url=url)
    assert world.look(3) == ["cleared clickhouse_away"]


def test_summaries_behind(world: World, redis_client: redis.Redis, batches: list[Batch]) -> None:
    world.change(alert_fresh_minutes=600)
    published(world.settings, redis_client, {batches[0]: LIKES[:50]})
    assert world.look_after(14) == []
    assert world.look(2) == ["firing summaries_behind"]
    refresh(world.settings)
    assert world.look(3) == ["cleared summaries_behind"]


def test_disk_fills_up(world: World) -> None:
    world.flush()
    disk = (Observer(world.settings).look().disks or [])[0]
    world.change(disk_warn_percent=max(1, int(disk.share * 100) - 1))
    assert world.look() == [f"firing disk_fills_up/{disk.name}"]
    world.change(disk_warn_percent=100)
    assert world.look(3) == [f"cleared disk_fills_up/{disk.name}"]


def test_unverified(world: World, redis_client: redis.Redis, batches: list[Batch]) -> None:
    world.change(alert_fresh_minutes=10_000)
    published(world.settings, redis_client, {batches[0]: LIKES[:50]})
    refresh(world.settings)
    world.now = batches[0].end + timedelta(hours=world.settings.keep_raw_hours - 2)
    assert world.look() == world.look_after(59) == []
    assert world.look() == ["firing unverified"]
    proven(Maintenance(world.settings, "a test", clock=lambda: world.now))
    assert world.look(3) == ["cleared unverified"]


def test_backup_old(world: World, redis_client: redis.Redis, batches: list[Batch], tmp_path: Path) -> None:
    published(world.settings, redis_client, {batches[4]: LIKES[:50]})
    world.look()
    world.change(backup=str(tmp_path / "backup"))
    assert world.look() == ["firing backup_old"]
    assert "none" in world.webhook.bodies[-1]["details"]["last set"]
    backup(world.settings, skip=["clickhouse", "airflow"])
    assert world.look(3) == ["cleared backup_old"]


def test_certificate_ends(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    old, trusted = certificate(tmp_path / "old", "localhost", days=10)
    with mail_server(0, "localhost", tls="smtps", context=old) as box:
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        world.change(smtp_url=f"smtps://localhost:{box.port}")
        key = f"certificate_ends/localhost:{box.port}"
        assert world.look() == [f"firing {key}"]
        assert len(box.received) == 1, "the mail goes through it"
    new, trusted = certificate(tmp_path / "new", "localhost", days=90)
    with mail_server(box.port, "localhost", tls="smtps", context=new):
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        assert world.look(3) == [f"cleared {key}"]


def test_dag_paused(world: World) -> None:
    world.paused = lambda: ["firehose_batch"]
    assert world.look() == []
    assert world.look_after(10) == ["firing dag_paused/firehose_batch"]
    world.paused = list
    assert world.look(3) == ["cleared dag_paused/firehose_batch"]


def test_not_observable(world: World) -> None:
    broken = world.settings.local_lake / "_coverage" / f"date={world.now:%Y-%m-%d}" / "batch=x.json"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"{")
    assert world.look(6) == ["firing not_observable"]
    assert "no list of gaps" in world.webhook.bodies[-1]["reason"]
    broken.unlink()
    assert world.look(3) == ["cleared not_observable"]


def test_coverage_burns(world: World) -> None:
    world.change(alert_gap_minutes=10_000)
    world.flush()
    world.gap("g", 10 * MINUTE, timedelta(hours=2))
    assert world.look() == world.look_after(29) == []
    assert world.look() == ["firing coverage_burns"]
    world.gap("g", 41 * MINUTE, timedelta(hours=2), filled="replay")
    assert world.look(3) == ["cleared coverage_burns"]


def test_freshness_burns(world: World, redis_client: redis.Redis, batches: list[Batch]) -> None:
    published(world.settings, redis_client, {batches[0]: LIKES[:50]})
    seen = [Observer(world.settings).look(batches[0].end + late * MINUTE) for late in (9, 30)]
    keys: list[Any] = [{finding.key for finding in judge(world.settings, one, PARTS)[0]} for one in seen]
    assert ["freshness_burns" in found for found in keys] == [False, True]


def test_scheduler_down(world: World, health: Health) -> None:
    world.look(2)
    health.scheduler, health.heartbeat = "unhealthy", world.now
    sent = []
    for _ in range(4):
        sent += world.look_from_outside()
    assert sent == ["firing scheduler_down"]
    assert any(
        problem.startswith("scheduler_down: Airflow's scheduler has no heartbeat") for problem in world.problems
    )
    health.scheduler = "healthy"
    assert world.look(3) == ["cleared scheduler_down"]


def test_every_alert_has_its_test() -> None:
    tests = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    elsewhere = {"task_failed", "kept_although_over", "airflow_away", "monitor_silent", "certificate_ends"}
    assert {alert.name for alert in ALERTS} - tests <= elsewhere
    assert len({condition.alert for condition in CONDITIONS}) == len(CONDITIONS)
