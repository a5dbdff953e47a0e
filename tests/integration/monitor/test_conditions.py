"""Every alert that the monitor finds: what makes it fire, and what makes it clear, to a real webhook."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import redis

from devstack.embedded.redis import RedisServer
from firehose.alerts import report_foreign, report_kept, report_legacy, report_quality
from firehose.alerts.smtp import mailer
from firehose.backup.run import backup
from firehose.batch.buffer import BACKFILL_BYTES_KEY
from firehose.batch.coverage import record_silence
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.lake.publish import publish
from firehose.maintenance.run import Maintenance
from firehose.observe import Observer
from firehose.quality.outcome import ValidateResult
from firehose.warehouse.summaries import refresh
from tests.integration.monitor.world import MINUTE, Health, World
from tests.support.disks import small_file_system
from tests.support.frames import fill
from tests.support.logins import copy_passwords
from tests.support.maintained import HOUR, LIKES, maintenance, proven, published
from tests.support.sinks import certificate, mail_server
from tests.support.staging import stage
from tests.support.waiting import until

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


def test_redis_cannot_write(world: World, tmp_path: Path) -> None:
    """With `appendfsync everysec`; with `always`, which the project's Redis has, it ends instead, and is away."""
    with small_file_system(tmp_path / "small", 8) as folder, RedisServer(folder) as server:
        copy_passwords(server, tmp_path)
        with server.client() as client:
            world.client = client
            world.change(redis_url=server.url)
            client.config_set("appendfsync", "everysec")
            assert world.look(2) == []
            filler = folder / "filler"
            with filler.open("wb", buffering=0) as file, suppress(OSError):
                while file.write(bytes(64 * 1024)):
                    pass
            client.set("firehose:filler", bytes(64 * 1024))
            until(lambda: client.info("persistence")["aof_last_write_status"] == "err")
            with pytest.raises(redis.ResponseError, match="MISCONF"):
                client.set("firehose:filler", b"")
            assert world.look(alive=False) == ["firing redis_cannot_write"]
            assert world.look(2, alive=False) == [], "the ingester that cannot write is a consequence"
            filler.unlink()
            until(lambda: client.info("persistence")["aof_last_write_status"] == "ok")
            assert world.look(3) == ["cleared redis_cannot_write"]


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


def test_foreign_data(world: World, redis_client: redis.Redis, batches: list[Batch]) -> None:
    world.look()
    fill(redis_client, LIKES[:20], batches[0])
    redis_client.set("firehose:posts:queue", "x")
    drain(world.settings, batches[0], tell=partial(report_foreign, world.settings, "b", mailer(world.settings)))
    told = [f"{body['state']} {body['key']}" for body in world.webhook.bodies]
    assert told == ["firing foreign_data"]
    assert "firehose:posts:queue" in world.webhook.bodies[-1]["reason"]
    # It was raised by the real clock, which is behind the turned one.
    world.change(alert_batch_percent=10_000)
    assert world.look_after(50) == []
    assert "cleared foreign_data" in world.look_after(15)


def test_kept_although_over(world: World, redis_client: redis.Redis, batches: list[Batch]) -> None:
    published(world.settings, redis_client, {batches[0]: LIKES[:50]})
    proven(maintenance(world.settings))
    path = next(world.settings.local_lake.glob("year=*/**/*.parquet"))
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    mail = mailer(world.settings)
    assert report_kept(world.settings, maintenance(world.settings).expire().alarming, mail)
    path.write_bytes(good)
    assert not report_kept(world.settings, maintenance(world.settings).expire().alarming, mail)
    told = [f"{body['state']} {body['key']}" for body in world.webhook.bodies]
    assert told == ["firing kept_although_over", "cleared kept_although_over"]
    assert "likes is not what its record says" in world.webhook.bodies[0]["reason"]


def test_legacy_differs(world: World) -> None:
    mail = mailer(world.settings)
    assert report_legacy(world.settings, "2026-11-23", ["2026-11-23 posts: 1 only old, at most 0 allowed"], mail)
    assert not report_legacy(world.settings, "2026-11-24", [], mail)
    told = [f"{body['state']} {body['key']}" for body in world.webhook.bodies]
    assert told == ["firing legacy_differs", "cleared legacy_differs"]
    assert "1 only old" in world.webhook.bodies[0]["reason"]


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


def test_batches_missing(world: World) -> None:
    world.change(alert_summaries_minutes=10_000)
    world.published -= 40 * MINUTE
    hole = [world.published + number * MINUTE for number in (10, 11)]
    world.publish(world.now, but=hole)
    assert world.look() == []
    assert "batches_missing" in world.book.states, "it is pending"
    world.publish(world.now + 9 * MINUTE)
    assert world.look_after(10) == ["firing batches_missing"]
    body = world.webhook.bodies[-1]
    first, last = (Batch.of(begin, begin + MINUTE) for begin in hole)
    assert body["title"] == "2 intervals have no batch" and f"{first.id} to {last.id}" in body["reason"]
    assert body["details"][f"from {first.id}"] == "2 intervals"
    for batch in (first, last):
        record_silence(world.settings.lake_path, batch)
    assert "cleared batches_missing" in world.look(3)


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
    world.change(alert_fresh_minutes=20_000, keep_raw_hours=240)  # longer than all else looks back
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
