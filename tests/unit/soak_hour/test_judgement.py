"""Each judgement of the soak's hour can fail: a planted leak, outage, silent alert and false alert are seen."""

from __future__ import annotations

import random

import pytest

from tests.fault.soak_hour.availability import RECOVERY_S, Outage, Probe, availability
from tests.fault.soak_hour.expectations import Done, Told, outcomes, still_told, unexpected
from tests.fault.soak_hour.growth import WARM_UP_S, Growth, Sample, growth, least

MIB = 1 << 20
HOUR = range(0, 3600, 10)


def grown(*, leak_mib: float = 0.0, of: str = "rss", level: float = 200.0, spikes: float = 0.0) -> Growth:
    """An hour of samples with noise, a warm-up that doubles, and what is planted."""
    dice = random.Random(7)
    samples = []
    for at in HOUR:
        value = level * (0.5 if at < WARM_UP_S / 2 else 1.0) + leak_mib * at / 3600 + dice.uniform(-2, 2)
        samples.append(Sample(at, MIB * (value + (300 if dice.random() < spikes else 0))))
    return growth(samples, 0.0, of)


def test_a_leak_is_seen_and_noise_warm_up_and_spikes_are_none() -> None:
    leak = grown(leak_mib=60)
    assert leak.judged and not leak.flat
    assert leak.rise / MIB == pytest.approx(60 * (3600 - WARM_UP_S) / 3600, rel=0.1)
    for flat in (grown(), grown(spikes=0.2), grown(leak_mib=-80)):
        assert flat.judged and flat.flat
    spikes_at_the_end = [Sample(at, 200 * MIB + (400 * MIB if at > 3500 else 0)) for at in HOUR]
    assert growth(spikes_at_the_end, 0.0, "rss").flat, "first and last would have said that it has tripled"


def test_a_buffer_is_judged_by_what_it_keeps_and_not_by_what_waits_in_it() -> None:
    for leak_mib, flat in ((0, True), (200, False)):
        # A batch is drained each five minutes; one comes late.
        waits = {at: at % 300 / 2 + (150 if at > 3000 else 0) for at in HOUR}
        held = [Sample(at, MIB * (60 + waits[at] + leak_mib * at / 3600)) for at in HOUR]
        emptied = [each for each in held if each.at_s < 3000 or each.at_s > 3300]
        assert growth(least([*emptied], 900), 0.0, "rss").flat is flat
    assert least([], 900) == [] and not growth(least(held[:80], 900), 0.0, "rss").judged


def test_descriptors_that_are_not_closed_are_seen() -> None:
    assert not growth([Sample(at, 40 + at // 300) for at in HOUR], 0.0, "fds").flat
    assert growth([Sample(at, 40 + at // 10 % 3) for at in HOUR], 0.0, "fds").flat


def test_a_process_that_was_seen_for_minutes_only_is_not_judged() -> None:
    short = growth([Sample(at, at * MIB) for at in range(0, 700, 10)], 0.0, "rss")
    assert short.flat and not short.judged
    assert not growth([], 0.0, "rss").judged


def looks(unserved: range) -> list[Probe]:
    """One each second of an hour; in ``unserved`` the probe was not served."""
    return [Probe(at, at not in unserved, "planted" if at in unserved else "") for at in range(3600)]


def test_an_outage_of_its_own_is_seen() -> None:
    found = availability(looks(range(100, 110)), [])
    assert not found.met
    assert found.own == found.raw == 3590 / 3600
    assert [probe.at_s for probe in found.unserved] == list(range(100, 110))
    assert availability(looks(range(100, 103)), []).met, "three seconds of an hour are within the target"


def test_an_injected_outage_is_named_and_not_passed_over() -> None:
    outage = Outage("Redis frozen", 1000, 1100)
    found = availability(looks(range(1000, 1150)), [outage])
    assert found.met and found.raw == 3450 / 3600
    assert found.by_fault == {"Redis frozen": 150} and found.injected == 101 + RECOVERY_S
    late = availability(looks(range(1000, 1170)), [outage])
    assert not late.met, "nine seconds longer than a recovery may take"
    assert not availability(looks(range(3600)), [Outage("all of it", 0, 3600)]).met, "nothing was judged"
    assert not availability([], []).met


FROZEN = Done("ingester frozen", 100, 300, ("ingester_down",), ("batch_slow",))


def told(at: float, alert: str, state: str) -> Told:
    return Told(at, alert, alert, state)


def test_an_alert_that_does_not_come_or_does_not_end_is_seen() -> None:
    (silent,) = outcomes([FROZEN], [])
    assert (silent.fired_s, silent.met) == (None, False)
    firing, cleared = told(220, "ingester_down", "firing"), told(400, "ingester_down", "cleared")
    (lasting,) = outcomes([FROZEN], [firing])
    assert (lasting.fired_s, lasting.cleared_s, lasting.met) == (220, None, False)
    assert still_told([firing]) == ["ingester_down"] and still_told([firing, cleared]) == []
    (whole,) = outcomes([FROZEN], [firing, cleared])
    assert whole.met
    before = told(50, "ingester_down", "firing"), told(90, "ingester_down", "cleared")
    assert not outcomes([FROZEN], before)[0].met, "that was another time"
    assert not outcomes([FROZEN], [told(220, "ingester_down", "escalated")])[0].met


def test_an_alert_that_no_fault_explains_is_seen() -> None:
    false = told(50, "no_data", "firing")
    late = told(5000, "batch_slow", "firing")
    assert unexpected([FROZEN], [false, told(350, "batch_slow", "firing"), late]) == [false, late]
