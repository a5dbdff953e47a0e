"""What maintenance would do, and why, and what it leaves and why. Pure: facts in, a plan out, and its lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import groupby
from typing import NamedTuple

import msgspec

from firehose.batch.budget import size
from firehose.lake.layout import HourFile
from firehose.maintenance.facts import HourFacts, Item, Policy, RawFacts, Tier
from firehose.maintenance.fate import fate, wanted


class Chosen(NamedTuple):
    """An hour file to close, or to verify, and its bytes."""

    file: HourFile
    bytes: int


class Removal(msgspec.Struct, frozen=True):
    """Something to remove: a batch, a file, a day of a table."""

    tier: Tier
    day: date
    what: str
    bytes: int
    why: str


class Kept(msgspec.Struct, frozen=True):
    """Something whose time is over and that stays. ``alarming``: an operator has to look."""

    tier: Tier
    day: date
    what: str
    bytes: int
    why: str
    alarming: bool = False


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, each in order. ``disk`` says how full the disk is; empty: there is none that fills up.

    ``shares``: by type, the hours that its Iceberg table is to take.
    """

    disk: str = ""
    closes: list[Chosen] = []
    checks: list[Chosen] = []
    removals: list[Removal] = []
    kept: list[Kept] = []
    shares: dict[str, int] = {}

    @property
    def freed(self) -> int:
        """Bytes that the removals free."""
        return sum(removal.bytes for removal in self.removals)

    @property
    def alarming(self) -> list[Kept]:
        """What an operator has to look at."""
        return [kept for kept in self.kept if kept.alarming]


def make(
    raws: Sequence[RawFacts],
    items: Iterable[Item],
    policy: Policy,
    now: datetime,
    closes: Sequence[Chosen] = (),
    disk: str = "",
) -> Plan:
    """The plan for these facts; ``closes`` are the hour files that can be closed."""
    removals, kept = [], []
    checks = {_check(hour) for raw in raws for hour in wanted(raw, policy, now)}
    for raw in raws:
        goes, why, alarming = fate(raw, policy, now)
        if goes:
            removals.append(Removal(Tier.RAW, raw.start.date(), raw.batch, raw.bytes, why))
        elif why:
            kept.append(Kept(Tier.RAW, raw.start.date(), raw.batch, raw.bytes, why, alarming))
    for item in items:
        if not policy.over(item.tier, item.since, now):
            continue
        of = (item.tier, item.since.date(), item.what, item.bytes)
        if item.kept:
            kept.append(Kept(*of, item.kept))
            checks |= {_check(item.unverified)} if item.unverified else set()
        else:
            removals.append(Removal(*of, f"{policy.said(item.tier)} are over"))
    return Plan(disk=disk, closes=[*closes], checks=sorted(checks), removals=removals, kept=kept)


def _check(hour: HourFacts) -> Chosen:
    return Chosen(hour.file, hour.bytes)


def lines(plan: Plan) -> list[str]:
    """The plan for people: a line for what goes together."""
    said = [plan.disk] if plan.disk else []
    for verb, hours in (("close", plan.closes), ("check", plan.checks)):
        if hours:
            total = size(sum(hour.bytes for hour in hours))
            said.append(f"{verb:7} {len(hours)} hour files, {total}, from {hours[0].file} to {hours[-1].file}")
    both: tuple[tuple[str, Sequence[Removal | Kept]], ...] = (("remove", plan.removals), ("keep", plan.kept))
    for verb, listed in both:
        ordered = sorted(listed, key=_together)
        for (tier, day, why), group in groupby(ordered, key=_together):
            of = list(group)
            said.append(f"{verb:7} {tier} of {day}: {len(of)}, {size(sum(one.bytes for one in of))}: {why}")
    if plan.shares:
        said.append(f"share   {sum(plan.shares.values())} hours in {len(plan.shares)} Iceberg tables")
    left = sum(kept.bytes for kept in plan.kept)
    said.append(f"frees {size(plan.freed)}; {size(left)} stay although their time is over")
    return said


def _together(one: Removal | Kept) -> tuple[Tier, date, str]:
    return one.tier, one.day, one.why
