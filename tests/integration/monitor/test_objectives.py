"""Alerts about objectives: fast burns and slow ones, of freshness, coverage and answers, and what explains them.

Their inputs are old times in files: entries of the ledger, records of gaps, counts of answers.
"""

from __future__ import annotations

from datetime import timedelta

from firehose.alerts.state import Phase
from firehose.monitor.asking import ask
from firehose.monitor.conditions import judge
from firehose.observe import PARTS, Observer, answers
from firehose.observe.answers import Span, queries
from tests.integration.monitor.world import MINUTE, World

HOUR = timedelta(hours=1)


def test_coverage_burns(world: World) -> None:
    """A gap that nothing fills is a warning after a quarter of an hour; so much of it is an error after half."""
    world.flush()
    world.gap("g", 10 * MINUTE, 2 * HOUR)
    assert world.look() == []
    assert world.look_after(29) == ["firing gap"]
    assert world.look() == ["firing coverage_burns"]
    world.gap("g", 41 * MINUTE, 2 * HOUR, filled="replay")
    assert sorted(world.look(3)) == ["cleared coverage_burns", "cleared gap"]


def late(world: World) -> list[str]:
    """Nothing is published for 13 minutes, then all of it at once; what was sent."""
    begun = world.published
    world.now = begun
    sent = world.look_after(13)
    world.publish(world.now, at=world.now)
    world.now += MINUTE
    world.publish(world.now)
    return sent + world.look(3)


def test_freshness_burns(world: World) -> None:
    """An outage is an alert of its own, and not of the objective; that it comes again and again is."""
    world.change(alert_summaries_minutes=10_000)
    world.published -= 20 * MINUTE
    world.publish(world.now)
    for _ in range(2):
        assert late(world) == ["firing batch_late", "cleared batch_late"]
        world.publish(world.now)
    assert world.book.states["freshness_burns"].told is False
    sent = late(world)
    assert sorted(sent) == ["cleared batch_late", "firing batch_late", "firing freshness_burns"]
    (body,) = [body for body in world.webhook.bodies if body["key"] == "freshness_burns"]
    assert "In 15.0% of the last 1 h 0 min data was too old" in body["reason"]
    world.publish(world.now + 40 * MINUTE)
    assert world.look_after(40) == ["cleared freshness_burns"]


def test_burns_slowly_for_freshness(world: World) -> None:
    """Five minutes too late every three hours: no look meets it, and the budget of the month will not last."""
    world.change(batch_minutes=60, alert_summaries_minutes=10_000)
    start = world.now.replace(minute=0, second=0)  # a batch that begins in a second of midnight is an import
    world.published = start - 9 * HOUR
    told: list[str] = []
    for hour in range(-8, 15):
        end = start + hour * HOUR
        if hour % 3 == 0 and hour < 8:
            pass  # what should be published now comes with the next one
        elif world.published < end - HOUR:
            world.publish(end - HOUR, at=end + 5 * MINUTE)
            world.publish(end, at=end + 6 * MINUTE)
        else:
            world.publish(end)
        if hour >= 0:
            world.now = end + 50 * MINUTE
            told += [f"{hour} {line}" for line in world.look()]
    assert told == ["7 firing burns_slowly/freshness", "13 cleared burns_slowly/freshness"]


def test_burns_slowly_for_coverage(world: World) -> None:
    """Two short gaps within hours: neither uses the budget up fast, and together they use too much of it."""
    world.change(alert_gap_minutes=10_000)
    world.flush()
    world.gap("a", 3 * HOUR, 6 * MINUTE)
    assert world.look() == []
    world.now += 5 * HOUR
    world.flush()
    world.gap("b", 40 * MINUTE, 2 * MINUTE)
    assert world.look() == []
    assert world.look_after(66) == ["firing burns_slowly/coverage"]
    assert world.webhook.bodies[-1]["title"] == "the objective coverage is missed a little, for days"
    assert world.look_after(6 * 60) == ["cleared burns_slowly/coverage"]


def counted(world: World, bad: int) -> None:
    """Three days of answers, ten each five minutes, ``bad`` of five hundred of them not in time."""
    now = int(world.now.timestamp()) // 300 * 300
    begins = range(now - 3 * 86_400, now, 300)
    spans = [Span(begin, 10, bad if number % 50 == 0 else 0) for number, begin in enumerate(begins)]
    answers.write(world.settings.lake_path, spans)


def test_burns_slowly_for_queries(world: World) -> None:
    world.change(alert_query_seconds=300)
    world.flush()
    counted(world, bad=1)
    assert world.look() == []
    world.now += 6 * HOUR + 5 * MINUTE
    counted(world, bad=1)
    assert world.look() == ["firing burns_slowly/queries"]
    world.now += 2 * HOUR
    counted(world, bad=0)
    assert world.look() == ["cleared burns_slowly/queries"]


def test_queries_burn(world: World) -> None:
    """Real questions: all are answered within five minutes, and none within a microsecond."""
    world.change(alert_query_seconds=300)
    assert world.look() == []
    world.change(alert_query_seconds=1e-6)
    assert world.look() == world.look_after(34) == []
    assert world.look() == ["firing queries_burn"]
    asked, bad = 2 * 60, 2 * 3
    assert f"{bad / asked:.1%} of the questions of the last 1 h 0 min" in world.webhook.bodies[-1]["reason"]
    world.change(alert_query_seconds=300)
    assert world.look_after(40) == ["cleared queries_burn"]


def test_without_a_clickhouse_the_questions_have_no_answer_and_it_is_the_cause(world: World) -> None:
    world.change(alert_query_seconds=300)
    assert world.look() == []
    world.change(clickhouse_url="http://127.0.0.1:1")
    assert world.look(4) == ["firing clickhouse_away"]
    assert world.look_after(40) == []
    assert world.book.states["queries_burn"].explained == "clickhouse_away"


def test_an_outage_that_was_told_and_is_over_is_not_told_again_as_late_answers(world: World) -> None:
    """Answers are counted by five minutes: an outage that ends as a count begins is remembered longest."""
    world.change(alert_query_seconds=300)
    there, second = world.settings.clickhouse_url, world.now.replace(minute=0, second=0)
    world.now = second + 55 * MINUTE
    assert world.look() == []
    world.change(clickhouse_url="http://127.0.0.1:1")
    assert world.look(4) == ["firing clickhouse_away"]
    assert world.now == second + 60 * MINUTE
    world.change(clickhouse_url=there)
    assert world.look(5) == ["cleared clickhouse_away"]
    assert world.book.states["queries_burn"].phase is Phase.PENDING
    assert world.look(35) == []
    assert "queries_burn" not in world.book.states


def test_answers_are_counted_by_five_minutes_for_a_month(world: World) -> None:
    begun = world.now.replace(minute=0, second=0)
    assert queries(world.settings, begun) is None, "nothing is asked"
    world.change(alert_query_seconds=1e-6)
    ask(world.settings, begun)
    assert answers.read(world.settings.lake_path) == [], "nothing is counted before the first good answer"
    world.change(alert_query_seconds=300)
    day = 24 * 60
    kept: dict[int, tuple[int, int]] = {}
    for minute in (0, 1, 7, 29 * day, 32 * day):
        world.now = begun + minute * MINUTE
        ask(world.settings, world.now)
        spans = answers.read(world.settings.lake_path)
        kept[minute] = len(spans), sum(span.asked for span in spans) // len(answers.QUERIES)
    assert kept == {0: (1, 1), 1: (1, 2), 7: (2, 3), 29 * day: (2, 4), 32 * day: (2, 2)}
    state = queries(world.settings, world.now)
    assert state and state.asked == len(answers.QUERIES) and set(state.bad.values()) == {0.0}, "of three days"


def test_what_cannot_be_read_neither_begins_nor_ends_a_slow_burn(world: World) -> None:
    world.flush()
    path = world.settings.local_lake / "_alerts" / "answers.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"{")
    world.change(alert_query_seconds=300)
    _, judged = judge(world.settings, Observer(world.settings).look(world.now), PARTS)
    assert not judged & {"queries_burn", "burns_slowly"}
    path.unlink()
    _, judged = judge(world.settings, Observer(world.settings).look(world.now), PARTS)
    assert judged >= {"queries_burn", "burns_slowly"}
