"""The life of an alert, by findings and a clock: once, patience, escalation, clearing, consequences, silence."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from firehose.alerts import catalogue, found
from firehose.alerts.alert import Alert, Kind
from firehose.alerts.catalogue import ALERTS
from firehose.alerts.state import Book, Finding, Patience, Phase, Silence
from firehose.alerts.transitions import looked, lowered, raised

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PATIENCE = Patience(escalate=60 * MINUTE, repeat=timedelta(hours=24))
ALL = frozenset(alert.name for alert in ALERTS)
DOWN = found(catalogue.INGESTER_DOWN, {}, span="for a while")
NO_DATA = found(catalogue.NO_DATA, {}, host="h", minutes=5)
LAG = found(catalogue.LAG, {}, minutes=20)
GAP = found(catalogue.GAP, {}, gaps="a gap")
DISK = found(catalogue.DISK, {}, about="lake", name="lake", said="full")


class Watch:
    """The states, minute by minute; what was sent is in ``sent``: minute, kind and key."""

    def __init__(self, patience: Patience = PATIENCE) -> None:
        self.book, self.now, self.patience = Book(), NOON, patience
        self.sent: list[tuple[int, str, str]] = []

    def look(self, *findings: Finding, judged: frozenset[str] = ALL, minutes: int = 1) -> list[str]:
        """A look each minute; what these have sent, as ``kind key``."""
        before = len(self.sent)
        for _ in range(minutes):
            self.take(*looked(self.book, findings, judged, self.now, self.patience))
            self.now += MINUTE
        return [f"{kind} {key}" for _, kind, key in self.sent[before:]]

    def take(self, book: Book, messages: Iterable[Any]) -> None:
        assert msgspec.json.decode(msgspec.json.encode(book), type=Book) == book
        self.book = book
        for message in messages:
            self.sent.append(((self.now - NOON) // MINUTE, str(message.kind), message.state.key))

    def raise_(self, finding: Finding, item: str = "", causes: Iterable[str] = ()) -> list[str]:
        before = len(self.sent)
        self.take(*raised(self.book, finding, item, self.now, self.patience, causes))
        return [f"{kind} {key}" for _, kind, key in self.sent[before:]]

    def lower(self, key: str, item: str = "") -> list[str]:
        before = len(self.sent)
        self.take(*lowered(self.book, key, item, self.now))
        return [f"{kind} {key}" for _, kind, key in self.sent[before:]]


def test_an_alert_is_told_once_then_escalates_then_daily_then_that_it_is_over() -> None:
    watch = Watch()
    watch.look(DOWN, minutes=26 * 60)
    watch.look(minutes=10)
    assert watch.sent == [
        (1, "firing", "ingester_down"),
        (61, "escalated", "ingester_down"),
        (61 + 24 * 60, "repeated", "ingester_down"),
        (26 * 60 + 1, "cleared", "ingester_down"),
    ]
    assert watch.book.states == {}


def test_what_is_over_within_its_patience_is_never_told() -> None:
    watch = Watch()
    assert watch.look(LAG, minutes=5) == [] and watch.look(minutes=1) == []
    assert watch.look(LAG, minutes=5) == [], "it begins again"
    assert watch.look(LAG, minutes=1) == ["firing lag"]


def test_one_look_that_does_not_see_it_ends_nothing() -> None:
    watch = Watch()
    watch.look(DISK)
    assert watch.look() == watch.look(DISK) == watch.look() == []
    assert watch.look(minutes=2) == ["cleared disk_fills_up/lake"]


def test_a_warning_does_not_escalate_and_zero_means_never() -> None:
    watch = Watch()
    assert watch.look(DISK, minutes=200) == ["firing disk_fills_up/lake"]
    patient = Watch(Patience(escalate=None, repeat=None))
    assert patient.look(DOWN, minutes=3 * 24 * 60) == ["firing ingester_down"]


def test_what_cannot_be_looked_at_neither_begins_nor_ends() -> None:
    watch = Watch()
    watch.look(DOWN, minutes=3)
    assert watch.look(judged=frozenset({"redis_away"}), minutes=30) == []
    assert watch.book.states["ingester_down"].phase is Phase.FIRING
    assert watch.look(minutes=3) == ["cleared ingester_down"]


def test_how_long_it_lasted_counts_from_when_it_began() -> None:
    watch = Watch()
    began = NOON - 7 * MINUTE
    finding = msgspec.structs.replace(DOWN, since=began)
    _, messages = looked(watch.book, [finding], ALL, NOON, PATIENCE)
    (message,) = messages
    notice = message.state.notice(message.kind, NOON)
    assert notice.since == began and notice.lasted == 7 * MINUTE, "and it is told at once: it has been so for long"


def test_one_cause_is_one_message_and_one_that_it_is_over() -> None:
    watch = Watch()
    assert watch.look(DOWN, minutes=2) == ["firing ingester_down"]
    assert watch.look(DOWN, NO_DATA, LAG, minutes=6) == []
    assert watch.look(DOWN, NO_DATA, LAG, GAP, minutes=3) == []
    assert watch.book.states["lag"].explained == "ingester_down"
    assert watch.look(GAP, LAG, minutes=2) == ["cleared ingester_down"], "the replay is still to come"
    assert watch.look(GAP, minutes=8) == watch.look(minutes=30) == []
    assert watch.book.states == {}


def test_the_message_that_it_is_over_names_what_went_with_it() -> None:
    watch = Watch()
    watch.look(DOWN, minutes=3)
    watch.look(DOWN, NO_DATA, LAG, GAP, minutes=6)
    *_, (_, kind, key) = watch.sent
    assert (kind, key) == ("firing", "ingester_down")
    state = watch.book.states["ingester_down"]
    assert state.notice(Kind.CLEARED, watch.now).until == watch.now - MINUTE, "it was so a minute ago"
    assert set(state.also) == {NO_DATA.title, LAG.title, GAP.title}
    assert state.notice(Kind.CLEARED, watch.now).also == tuple(state.also)


def test_a_consequence_that_outlives_its_cause_is_told_by_itself_after_a_while() -> None:
    watch = Watch()
    watch.look(DOWN, GAP, minutes=6)
    assert watch.look(GAP, minutes=10) == ["cleared ingester_down"]
    assert watch.look(GAP, minutes=1) == ["firing gap"]


def test_what_was_told_before_its_cause_appeared_is_still_told_to_be_over() -> None:
    watch = Watch()
    assert watch.look(GAP) == ["firing gap"]
    assert watch.look(DOWN, GAP, minutes=3) == ["firing ingester_down"]
    assert watch.look(minutes=4) == ["cleared gap", "cleared ingester_down"]


def test_silence_keeps_quiet_until_it_ends() -> None:
    watch = Watch()
    silence = Silence(name="disk_fills_up", until=NOON + 10 * MINUTE, why="a move", by="me", begun=NOON)
    watch.book = msgspec.structs.replace(watch.book, silences=[silence])
    assert watch.look(DISK, minutes=10) == []
    assert watch.look(DISK) == ["firing disk_fills_up/lake"]
    assert watch.book.silences == []


def test_a_raised_alert_is_told_at_once_and_over_when_it_is_lowered() -> None:
    watch = Watch()
    failed = found(catalogue.TASK_FAILED, {}, about="firehose_batch.drain", dag="d", task="t", reason="r")
    key = "task_failed/firehose_batch.drain"
    assert watch.raise_(failed, "run1") == [f"firing {key}"]
    assert watch.raise_(failed, "run2") == [], "the same alert"
    assert watch.look(minutes=50) == [], "a look cannot say that it is over"
    assert watch.lower(key, "run3") == watch.lower(key, "run1") == []
    assert watch.lower(key, "run2") == [f"cleared {key}"]
    assert watch.lower(key) == []


def test_a_raised_alert_that_nobody_lowers_ends_when_it_is_not_raised_again() -> None:
    watch = Watch()
    foreign = found(catalogue.FOREIGN_DATA, {}, batch="b", found="x")
    assert watch.raise_(foreign) == ["firing foreign_data"]
    watch.look(minutes=40)
    assert watch.raise_(foreign) == []
    assert watch.look(minutes=60) == []
    assert watch.look(minutes=2) == ["cleared foreign_data"]


def test_a_task_that_failed_since_a_service_is_away_is_a_consequence() -> None:
    watch = Watch()
    away = found(catalogue.REDIS_AWAY, {}, reason="x")
    failed = found(catalogue.TASK_FAILED, {}, about="firehose_batch.drain", dag="d", task="t", reason="r")
    watch.look(away, minutes=3)
    assert watch.raise_(failed, "run1", ["redis_away"]) == []
    assert watch.raise_(msgspec.structs.replace(failed, about="other.t"), "run1") == ["firing task_failed/other.t"]
    watch.look(away)
    assert failed.title in watch.book.states["redis_away"].also
    watch.look(minutes=3)
    assert watch.lower(failed.key, "run1") == [], "it was never told"
    assert watch.raise_(failed, "run2", ["redis_away"]) == [f"firing {failed.key}"], "Redis is there again"


def test_only_the_batch_dags_failures_explain_late_batches_and_only_while_they_are_new() -> None:
    late = found(catalogue.BATCH_LATE, {}, minutes=30, newest="b")
    watch = Watch()
    backup = found(catalogue.TASK_FAILED, {}, about="firehose_backup.copy", dag="d", task="t", reason="r")
    watch.raise_(backup, "run")
    assert watch.look(late) == ["firing batch_late"]
    other = Watch()
    other.raise_(msgspec.structs.replace(backup, about="firehose_batch.validate"), "run")
    assert other.look(late, minutes=29) == []
    assert other.look(late, minutes=15) == ["firing batch_late"]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_every_alert_fires_and_clears_by_its_own_patience(alert: Alert) -> None:
    watch = Watch(Patience(escalate=None, repeat=None))
    finding = Finding(alert=alert, title="t", text="x")
    wait = int(alert.wait / MINUTE)
    assert watch.look(finding, minutes=wait) == []
    assert watch.look(finding) == [f"firing {alert.name}"]
    hold = int(alert.hold / MINUTE)
    assert watch.look(minutes=max(0, hold - 1)) == []
    assert watch.look() == [f"cleared {alert.name}"]


def test_no_alert_explains_itself_however_long_the_way() -> None:
    by_name = {alert.name: alert for alert in ALERTS}

    def above(name: str, seen: frozenset[str]) -> None:
        assert name not in seen, f"{name} explains itself by {seen}"
        for cause in by_name[name].explained_by:
            assert cause.partition("/")[0] in by_name, f"{name} is explained by {cause}, which is no alert"
            above(cause.partition("/")[0], seen | {name})

    for alert in ALERTS:
        above(alert.name, frozenset())


BURN = found(catalogue.COVERAGE, {}, said="much", budget=0.1, burn=20.0)


def test_what_follows_from_single_outages_is_told_once_they_come_a_third_time() -> None:
    watch = Watch()
    for _ in range(2):
        watch.look(DOWN, BURN, minutes=3)
        assert watch.look(BURN, minutes=20) == ["cleared ingester_down"], "what is left of the outage is its own"
    assert watch.look(DOWN, BURN) == ["firing coverage_burns"], "at once, beside its cause"
    watch.look(DOWN, BURN, minutes=3)
    assert "cleared coverage_burns" in watch.look(minutes=4)


def test_a_long_outage_is_one_and_what_comes_after_a_quiet_time_is_counted_anew() -> None:
    watch = Watch()
    for _ in range(4):
        assert "firing coverage_burns" not in watch.look(DOWN, BURN, minutes=300)
        assert watch.look(BURN, minutes=20) == ["cleared ingester_down"]
        assert watch.look(minutes=5) == []
    assert watch.book.states == {}


def test_other_consequences_stay_consequences_however_often() -> None:
    watch = Watch()
    for _ in range(5):
        watch.look(DOWN, NO_DATA, minutes=3)
        assert watch.look(NO_DATA, minutes=5) == ["cleared ingester_down"]
