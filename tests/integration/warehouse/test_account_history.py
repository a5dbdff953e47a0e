"""Who accounts were: handles and statuses over time, against what Python makes of the same events."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby, pairwise
from typing import Any, NamedTuple

import pytest
from clickhouse_connect.driver.client import Client

from firehose.store import LocalLake
from firehose.warehouse.summaries import load
from tests.integration.warehouse.event_batches import Batches, about_accounts, account, identity, stored
from tests.integration.warehouse.lakes import LakeBuilder, Row, at

pytestmark = pytest.mark.usefixtures("events_only")

HANDLES = ("a.test", "b.test", "c.test")


class Run(NamedTuple):
    """An account's handle in a time: from its first event to the last that says so, and until another is named."""

    did: str
    handle: str
    since: datetime
    last: datetime
    until: datetime | None


def moment(event: Row) -> datetime:
    """When it was seen."""
    return datetime.fromtimestamp(event["time_us"] / 1_000_000, UTC)


def by_account(found: list[Row]) -> Iterator[tuple[str, list[Row]]]:
    """The events of each account in order."""
    ordered = sorted(found, key=lambda e: (e["did"], e["time_us"], e[e["kind"]]["seq"]))
    for did, of_account in groupby(ordered, key=lambda event: str(event["did"])):
        yield did, [*of_account]


def status(event: Row) -> str:
    """What an account event says."""
    said = event["account"]
    return "active" if said["active"] else said.get("status", "inactive")


def runs(found: list[Row]) -> Iterator[Run]:
    """The handles of each account in order."""
    for did, of_account in by_account(found):
        named = [event for event in of_account if event["kind"] == "identity" and "handle" in event["identity"]]
        spans = [[*same] for _, same in groupby(named, key=lambda event: event["identity"]["handle"])]
        for span, after in zip(spans, [*spans[1:], None], strict=True):
            until = moment(after[0]) if after else None
            yield Run(did, span[0]["identity"]["handle"], moment(span[0]), moment(span[-1]), until)


def history(found: list[Row]) -> Iterator[tuple[Any, ...]]:
    """What is known of each account, and from when to when."""
    for did, of_account in by_account(found):
        known: list[tuple[Any, ...]] = [(None, None, None)]
        for event in of_account:
            _, handle, state = known[-1]
            if event["kind"] == "identity":
                handle = event["identity"].get("handle", handle)
            else:
                state = status(event)
            if (handle, state) != known[-1][1:]:
                known.append((moment(event), handle, state))
        for now, after in pairwise([*known, (None,)]):
            yield did, now[0], after[0], now[1], now[2]


def latest_states(found: list[Row]) -> dict[str, Row]:
    """The last account event of each account."""
    return {
        did: states[-1]
        for did, of_account in by_account(found)
        if (states := [event for event in of_account if event["kind"] == "account"])
    }


def test_handles_and_statuses_are_those_of_the_events(client: Client, lake: LakeBuilder) -> None:
    found = about_accounts(3)
    stored(client, lake, found)
    ask = "SELECT * FROM firehose.{} ORDER BY ALL NULLS FIRST"
    rows = {
        name: client.query(ask.format(name)).result_rows
        for name in ("handles", "account_history", "current_accounts", "account_marks")
    }
    assert rows["handles"] == sorted((run.did, run.handle, run.since, run.until) for run in runs(found))
    assert rows["account_history"] == sorted(history(found), key=lambda row: [(v is not None, v) for v in row])
    states = latest_states(found)
    assert rows["current_accounts"] == [
        (did, event["account"]["active"], event["account"].get("status", ""), moment(event))
        for did, event in sorted(states.items())
    ]
    marks = [(did, status(event), moment(event)) for did, event in sorted(states.items())]
    assert rows["account_marks"] == [mark for mark in marks if mark[1] != "active"]
    assert len({(event["did"], event["time_us"]) for event in found}) < len(found), "some have one time"


@pytest.mark.parametrize("handle", HANDLES)
def test_who_had_a_handle_is_known_with_what_ends_it(client: Client, lake: LakeBuilder, handle: str) -> None:
    found = about_accounts(4)
    stored(client, lake, found)
    held = sorted((run for run in runs(found) if run.handle == handle), key=lambda run: (run.since, run.did))
    marks = {did: status(event) for did, event in latest_states(found).items()}
    wanted = []
    for run, after in zip(held, [*held[1:], None], strict=True):
        of_other = after.since if after and (run.until is None or after.since < run.until) else None
        mark = marks.get(run.did, "active")
        wanted.append((run.did, run.since, run.last, run.until, of_other, "" if mark == "active" else mark))
    query = "SELECT * FROM firehose.who_had(handle = {handle:String})"
    assert client.query(query, parameters={"handle": handle.upper()}).result_rows == wanted
    assert {row[4] is None for row in wanted} == {True, False}


def test_what_is_not_known_is_said(client: Client, lake: LakeBuilder) -> None:
    """Only a handle of the one account is known, only a status of the other, and of the first time nothing."""
    stored(
        client,
        lake,
        [
            identity(at(1), "did:plc:a", 1, "a.test"),
            account(at(2), "did:plc:b", 2, False),
            identity(at(3), "did:plc:b", 3, None),
        ],
    )
    query = "SELECT * FROM firehose.account_history ORDER BY did, since NULLS FIRST"
    assert client.query(query).result_rows == [
        ("did:plc:a", None, at(1), None, None),
        ("did:plc:a", at(1), None, "a.test", None),
        ("did:plc:b", None, at(2), None, None),
        ("did:plc:b", at(2), None, None, "inactive"),
    ]
    assert client.query("SELECT * FROM firehose.who_had(handle = 'b.test')").result_rows == []


def test_batches_are_added_once_and_an_hour_that_is_made_again_leaves_the_others(
    client: Client, lake: LakeBuilder
) -> None:
    found = [
        identity(at(1), "did:plc:a", 1, "a.test"),
        account(at(1, 10), "did:plc:a", 2, False),
        account(at(1, 20), "did:plc:a", 3, True),
        identity(at(2), "did:plc:a", 4, "b.test"),
    ]
    batches = Batches(lake, random.Random(1), found, 4, late=0)
    query = "SELECT seq, toString(kind), handle, active FROM ops.account_changes ORDER BY seq"
    wanted = [
        (1, "identity", "a.test", True),
        (2, "account", "", False),
        (3, "account", "", True),
        (4, "identity", "b.test", True),
    ]
    for number in batches.of:
        batches.publish(number)
        load(client, LocalLake(lake.root))
    assert client.query(query).result_rows == wanted
    batches.publish(0)
    load(client, LocalLake(lake.root))
    assert client.query(query).result_rows == wanted


@pytest.mark.parametrize("view", ["handles", "account_history", "current_accounts", "account_marks"])
def test_one_account_is_found_by_the_primary_key(client: Client, lake: LakeBuilder, view: str) -> None:
    stored(client, lake, about_accounts(3))
    query = f"SELECT did, count() FROM firehose.{view} WHERE did > 'did:plc:c2' GROUP BY did ORDER BY did"
    rows = client.query(query, settings={"force_primary_key": 1}).result_rows
    every = client.query(f"SELECT did, count() FROM firehose.{view} GROUP BY did ORDER BY did").result_rows
    assert rows == [row for row in every if row[0] > "did:plc:c2"] != []
