"""An ingester that is away for six minutes: one mail, and one that it is over. And what else states promise."""

from __future__ import annotations

from datetime import timedelta

import redis

from firehose.alerts import task_failed
from firehose.alerts.delivery import Alerting
from firehose.alerts.smtp import mailer
from firehose.batch.coverage import record_silence
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.errors import NotListening
from tests.integration.monitor.world import MINUTE, Health, World
from tests.support.maintained import LIKES, published


def minute_of(world: World, ago: int) -> Batch:
    end = world.now.replace(second=0) - ago * MINUTE
    return Batch.of(end - MINUTE, end)


def test_six_minutes_without_the_ingester_are_one_mail_and_one_that_it_is_over(
    world: World, redis_client: redis.Redis, batches: list[Batch]
) -> None:
    world.change(start_date=batches[4].start.isoformat(), alert_fresh_minutes=8, alert_gap_minutes=1)
    published(world.settings, redis_client, {batches[4]: LIKES[:100]})
    world.change(alert_summaries_minutes=600)
    world.flush()
    assert world.look(2) == []
    for _ in range(6):
        world.look(alive=False)
        task_failed({"ti": Task(), "exception": NotListening("nothing was heard")}, mailer(world.settings))
    # It is back: intervals in between are recorded as silence, its own gap is noted, and the replay fills both.
    for ago in range(1, 7):
        record_silence(world.settings.lake_path, minute_of(world, ago))
    world.gap("o", 8 * MINUTE, 8 * MINUTE)
    world.look(2)
    world.gap("o", 10 * MINUTE, 8 * MINUTE, filled="replay")
    world.look(1)
    world.change(alert_fresh_minutes=600)  # as if batches were published again, which Redis' real clock prevents
    world.look(12)
    subjects = [mail["Subject"] for mail in world.mailbox.received]
    assert subjects == ["[firehose] the ingester does not run", "[firehose] over: the ingester does not run"]
    fired, over = world.mailbox.received
    assert over["In-Reply-To"] == fired["Message-ID"] and over["Date"] and fired["Date"]
    text = over.get_payload(decode=True).decode()
    assert "It lasted" in text and "with it went:" in text
    assert "no batch for" in text and "in coverage" in text, "what it explains is named"


class Task:
    """A task instance as a callback sees it."""

    dag_id, task_id, run_id, try_number, log_url = "firehose_batch", "drain", "r", 6, ""


def test_a_gap_of_an_hour_is_one_line_of_the_alert(world: World) -> None:
    world.flush()
    for ago in range(30, 90):
        record_silence(world.settings.lake_path, minute_of(world, ago))
    world.now += timedelta(hours=1)
    assert world.look() == ["firing gap"]
    body = world.webhook.bodies[-1]
    assert body["title"] == "a gap in coverage"
    assert [name for name in body["details"] if name.startswith("gap")] == ["gap 1"]


def test_without_airflow_the_one_outside_watches_and_tells_nothing_twice(world: World, health: Health) -> None:
    assert world.look(3) == []
    assert world.look_from_outside() == [] and world.problems == []
    # The ingester goes down while the monitor runs: the monitor tells of it, the one outside only prints it.
    sent = []
    for _ in range(3):
        sent += world.look(alive=False)
        sent += world.look_from_outside(alive=False)
        world.now -= MINUTE
    assert sent == ["firing ingester_down"]
    assert any("ingester_down" in line for line in world.problems)
    # Airflow goes down as well.
    url = world.settings.airflow_url
    world.change(airflow_url="http://127.0.0.1:1")
    sent = world.look_from_outside(4, alive=False)
    assert sent == ["firing airflow_away"]
    assert world.look_from_outside(6, alive=False) == [], (
        "the monitor's silence is explained, the ingester is told"
    )
    assert world.look_from_outside(3) == ["cleared ingester_down"], "it watches in the monitor's place"
    world.change(airflow_url=url)
    assert world.look(3) == ["cleared airflow_away"]
    assert world.look_from_outside() == [] and world.problems == []


def test_a_monitor_that_is_paused_is_told_from_outside(world: World) -> None:
    world.look()
    sent = world.look_from_outside(8)
    assert sent == ["firing monitor_silent"]
    assert world.look(3) == ["cleared monitor_silent"]


def test_the_clock_of_the_monitor_starts_when_the_one_outside_first_looks(world: World) -> None:
    assert world.look_from_outside(5) == []
    assert world.look_from_outside(2) == ["firing monitor_silent"]


def test_a_sink_that_fails_is_told_later_and_the_others_once(world: World) -> None:
    world.look()
    world.webhook.status = 500
    world.look(3, alive=False)
    assert len(world.mailbox.received) == 1
    failed = len(world.webhook.bodies)
    assert failed >= 1 and world.book.states["ingester_down"].owed == {"webhook": "firing"}
    world.webhook.status = 200
    assert world.look(1, alive=False) == ["firing ingester_down"]
    assert world.look(3, alive=False) == []
    assert len(world.mailbox.received) == 1
    world.webhook.status = 500
    world.look(3)
    world.webhook.status = 200
    assert world.look() == ["cleared ingester_down"], "also if the message that it is over was refused"
    assert world.book.states == {} and len(world.mailbox.received) == 2


def test_while_the_lake_cannot_be_used_the_home_keeps_the_states(world: World) -> None:
    world.look(3, alive=False)
    lake = world.settings.lake
    world.change(lake="/proc/1/nowhere", start_date=(world.now - 9 * MINUTE).isoformat())
    sent = world.look(3, alive=False)
    assert sent == ["firing ingester_down"]
    assert world.look(3, alive=False) == [], "once, by the states in the home"
    assert (world.settings.home_path / "alerts.json").exists()
    world.change(lake=lake)
    assert world.look(1, alive=False) == [], "the lake knows of it, too"
    assert not (world.settings.home_path / "alerts.json").exists()
    assert world.look(3) == ["cleared ingester_down"]


def test_silence_outlives_a_look_and_is_told_afterwards(world: World, redis_client: redis.Redis) -> None:
    alerting = Alerting(world.settings, mailer(world.settings), lambda: world.now)
    made = alerting.silence("ingester_down", 10 * MINUTE, "a move", "me")
    world.look()
    assert world.look(8, alive=False) == []
    assert world.book.silences == [made]
    assert world.look(3, alive=False) == ["firing ingester_down"]


def test_drained_batches_and_records_are_not_touched_by_a_look(
    world: World, redis_client: redis.Redis, batches: list[Batch]
) -> None:
    published(world.settings, redis_client, {batches[4]: LIKES[:20]})
    drain(world.settings, batches[4])
    root = world.settings.local_lake
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    world.look(3)
    after = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    new = {path.relative_to(root).parts[0] for path in after.keys() - before.keys()}
    assert new <= {"_alerts", ".locks"}
    assert all(after[path] == content for path, content in before.items())
