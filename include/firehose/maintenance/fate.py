"""Whether a raw batch may go: once every event of it is provably in the lake, or in quarantine. Pure, no I/O."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from firehose.maintenance.facts import HourFacts, Policy, RawFacts, Tier


class Fate(NamedTuple):
    """Whether it goes, and why, or why not (empty: its time has not come). ``alarming``: see to it."""

    goes: bool
    why: str
    alarming: bool = False


def fate(raw: RawFacts, policy: Policy, now: datetime) -> Fate:
    """What becomes of a raw batch."""
    if raw.expired:
        return Fate(True, "left of an earlier removal")
    if policy.keep[Tier.RAW] is None:
        return Fate(False, "")
    if raw.held is None and not policy.over(Tier.RAW, raw.end, now):
        return Fate(False, "")
    if raw.damage:
        return Fate(False, raw.damage, True)
    if raw.held is False:
        return Fate(False, "no verified backup holds it")
    if raw.entry is None:
        return Fate(False, "it is not published")
    if raw.staged:
        return Fate(False, "a step works with it: it is not published since it was last validated")
    waiting = next(filter(None, (_unready(hour, policy, now) for hour in raw.hours)), None)
    if waiting:
        return waiting
    if said := _unaccounted(raw):
        return Fate(False, said, True)
    covered = "a verified backup holds it" if raw.held else f"{policy.said(Tier.RAW)} are over"
    return Fate(True, f"its hours are closed and verified, and {covered}")


def wanted(raw: RawFacts, policy: Policy, now: datetime) -> list[HourFacts]:
    """The hour files that have to be verified before this batch may go."""
    if raw.expired or raw.entry is None or policy.keep[Tier.RAW] is None:
        return []
    return [
        hour
        for hour in raw.hours
        if settled(hour, policy, now) and hour.as_recorded and hour.closed and not hour.verified
    ]


def settled(hour: HourFacts, policy: Policy, now: datetime) -> bool:
    """Tell whether an hour is over, and for long enough that late batches have come."""
    return now - hour.end >= policy.quiet


def _unready(hour: HourFacts, policy: Policy, now: datetime) -> Fate | None:
    if not settled(hour, policy, now):
        return Fate(False, f"{hour.name} is not over for {policy.quiet.total_seconds() / 3600:.0f} hours")
    if not hour.as_recorded:
        return Fate(False, f"{hour.name} is not what its record says", True)
    if not hour.closed:
        return Fate(False, f"{hour.name} is not closed yet")
    if not hour.verified:
        return Fate(False, f"{hour.name} is not verified as it is now")
    return None


def _unaccounted(raw: RawFacts) -> str:
    """How ledger, hour files and quarantine disagree about the batch; empty: they do not."""
    entry = raw.entry
    assert entry is not None  # noqa: S101 - asked for before
    if any(rebuilt.lost for rebuilt in entry.rebuilt):
        return "a rebuild has lost rows of it"
    for record_type, counts in entry.counts.items():
        proofs = (hour.verified for hour in raw.hours if hour.file.record_type == record_type)
        held = sum(proof.batches.get(raw.batch, 0) for proof in proofs if proof)
        if held != counts.stored:
            return (
                f"the ledger says that it stored {counts.stored} rows of {record_type}, the hour files have {held}"
            )
    received = sum(counts.received for counts in entry.counts.values())
    if received != raw.events:
        return f"its manifest counts {raw.events} events, the ledger {received}"
    quarantined = sum(counts.quarantined for counts in entry.counts.values())
    if quarantined != raw.quarantined:
        return f"the ledger says that {quarantined} events of it are in quarantine, there are {raw.quarantined}"
    return ""
