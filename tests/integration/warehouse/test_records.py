"""Lives of records: what was there from when to when, against what Python makes of the same events."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from ingester.contract.resyncs import MARK
from jetstream_simulator.identifiers import tid
from tests.integration.warehouse.event_batches import FOLLOW, POST, Record, account, commit, stored
from tests.integration.warehouse.lakes import LakeBuilder, Row, at

pytestmark = pytest.mark.usefixtures("events_only")

PROFILE = "app.bsky.actor.profile"
TYPE = {POST: "posts", FOLLOW: "follows", PROFILE: "profiles"}
COLUMNS = "type, did, uri, since, first_seen, changed, until, edits, rev"


def story(seed: int, count: int = 400) -> list[Row]:
    """Operations on few records in any order, as after losses: made twice, deleted twice, edited, sent again.

    Times are not always in the order of revisions.
    """
    rng = random.Random(seed)
    found = []
    for number in range(count):
        moment = at(22) + timedelta(seconds=number * 25 + rng.choice([0, 0, 0, 60]), microseconds=number)
        collection = rng.choice([POST, FOLLOW, PROFILE])
        rkey = "self" if collection == PROFILE else tid(int(at(21).timestamp()) * 1_000_000 + rng.randrange(4), 1)
        body: Row = {"createdAt": "x"} | ({"text": "hi"} if collection == POST else {})
        if collection == FOLLOW:
            body["subject"] = f"did:plc:s{rng.randrange(3)}"
        operation = rng.choice(["create", "create", "update", "delete"])
        event = commit(moment, operation, Record(f"did:plc:a{rng.randrange(5)}", collection, rkey, body))
        event["commit"]["rev"] = tid(int(at(22).timestamp() * 1_000_000) + number * 25_000_000, 7)
        if operation == "create" and rng.random() < 0.3:
            event["commit"][MARK] = True
        found.append(event)
    return found


def moment(event: Row) -> datetime:
    """When it was seen."""
    return datetime.fromtimestamp(event["time_us"] / 1_000_000, UTC)


def lives(found: list[Row]) -> Iterator[tuple[tuple[str, str, str], list[Row], list[Row]]]:
    """Each record with the events of one life of it, and those before."""
    by_record: dict[tuple[str, str, str], list[Row]] = {}
    for event in sorted(found, key=lambda event: str(event["commit"]["rev"])):
        by_record.setdefault((event["did"], event["commit"]["collection"], event["commit"]["rkey"]), []).append(
            event
        )
    for record, events in by_record.items():
        begin = 0
        for number, event in enumerate(events, 1):
            if event["commit"]["operation"] == "delete" or number == len(events):
                yield record, events[begin:number], events[:begin]
                begin = number


def expected(record: tuple[str, str, str], life: list[Row]) -> tuple[Any, ...]:
    """The row of a life: its COLUMNS."""
    did, collection, rkey = record
    operations = [event["commit"]["operation"] for event in life]
    made = [event for event in life if event["commit"]["operation"] == "create" and not event["commit"].get(MARK)]
    written = [event for event in life if event["commit"]["operation"] != "delete"]
    return (
        *(TYPE[collection], did, f"at://{did}/{collection}/{rkey}"),
        moment(made[-1]) if made else None,
        min(map(moment, witnessed(life))),
        moment(witnessed(written)[-1]) if written else None,
        moment(life[-1]) if operations[-1] == "delete" else None,
        operations.count("update"),
        life[-1]["commit"]["rev"],
    )


def witnessed(some: list[Row]) -> list[Row]:
    """Those that were seen when they happened, if any were."""
    return [event for event in some if not event["commit"].get(MARK)] or some


def followed(life: list[Row], before: list[Row]) -> list[str]:
    """What a life of a follow is about; one of which only the deletion was seen, what was last made before."""
    written = [event for event in life if event["commit"]["operation"] != "delete"]
    if not written:
        written = [
            event for event in before if event["commit"]["operation"] == "create" and not event["commit"].get(MARK)
        ]
    return [
        event["commit"]["record"]["subject"] for event in written[-1:] if "subject" in event["commit"]["record"]
    ]


def in_order(rows: Any) -> list[Any]:
    """Rows in an order of their own."""
    return sorted((tuple(row) for row in rows), key=repr)


def test_the_records_of_an_account_are_those_of_its_events(client: Client, lake: LakeBuilder) -> None:
    found = story(1)
    mark = account(at(23), "did:plc:a1", 1, False, "takendown")
    stored(client, lake, [*found, mark])
    for number in range(5):
        did = f"did:plc:a{number}"
        columns = COLUMNS.replace("did", f"'{did}'")
        query = f"SELECT {columns}, kinds, targets, account_status FROM firehose.records(did = {{did:String}})"
        rows = client.query(query, parameters={"did": did}).result_rows
        wanted = []
        for record, life, before in lives(found):
            if record[0] == did:
                about = followed(life, before)
                status = "takendown" if number == 1 else ""
                wanted.append((*expected(record, life), ["follow"] * len(about), about, status))
        assert in_order(rows) == in_order(wanted)
        assert {row[3] is None for row in wanted} == {row[6] is None for row in wanted} == {True, False}


def test_the_state_is_that_of_the_events_before_a_moment(client: Client, lake: LakeBuilder) -> None:
    """Of all, of one type, from a moment on, and at moments before and after an account was taken down."""
    found = story(2)
    stored(
        client, lake, [*found, account(at(23, 30), "did:plc:a1", 1, False), account(at(24), "did:plc:a1", 2, True)]
    )
    query = (
        f"SELECT {COLUMNS}, subject_did, account_status FROM firehose.state(type = {{type:String}},"
        " seen_since = {since:DateTime64(6, 'UTC')}, at = {at:DateTime64(6, 'UTC')})"
    )
    for type_, since, until in (
        ("", at(0), at(48)),
        ("", at(22, 40), at(23, 50)),
        ("follows", at(24), at(24, 10)),
    ):
        of_span = [event for event in found if since <= moment(event) < until]
        wanted = []
        for record, life, before in lives(of_span):
            row = expected(record, life)
            # What a delete was about is known from what came before the span as well.
            rev = life[0]["commit"]["rev"]
            earlier = [
                e for r, events, _ in lives(found) if r == record for e in events if e["commit"]["rev"] < rev
            ]
            about = followed(life, earlier or before)
            marked = record[0] == "did:plc:a1" and at(23, 30) < until <= at(24)
            if type_ in ("", row[0]):
                wanted.append((*row, *(about or [""]), "inactive" if marked else ""))
        parameters = {"type": type_, "since": since, "at": until}
        assert in_order(client.query(query, parameters=parameters).result_rows) == in_order(wanted)
        assert wanted


def test_followers_are_known_from_when_to_when(client: Client, lake: LakeBuilder) -> None:
    """One stays, one goes, one comes again; one unfollow is stamped before its follow, one is of no follow."""

    def follow(minute: int, who: str, operation: str = "create", whom: str = "star", key: int = 1) -> Row:
        record = Record(f"did:plc:{who}", FOLLOW, tid(key, 1), {"subject": f"did:plc:{whom}", "createdAt": "x"})
        return commit(at(22, minute), operation, record)

    odd = [follow(8, "d"), follow(7, "d", "delete")]
    odd[0]["commit"]["rev"], odd[1]["commit"]["rev"] = odd[1]["commit"]["rev"], odd[0]["commit"]["rev"]
    stored(
        client,
        lake,
        [
            *(follow(1, "a"), follow(2, "b"), follow(3, "b", "delete"), follow(4, "c"), follow(5, "c", "delete")),
            *(follow(6, "c", key=2), *odd, follow(9, "e", "delete"), follow(10, "a", whom="other", key=3)),
            account(at(23), "did:plc:c", 1, False, "deactivated"),
        ],
    )
    query = "SELECT did, since, until, account_status FROM firehose.followers(did = 'did:plc:star')"
    assert client.query(query).result_rows == [
        ("did:plc:a", at(22, 1), None, ""),
        ("did:plc:b", at(22, 2), at(22, 3), ""),
        ("did:plc:c", at(22, 4), at(22, 5), "deactivated"),
        ("did:plc:c", at(22, 6), None, "deactivated"),
        ("did:plc:d", at(22, 8), at(22, 7), ""),
    ]


@pytest.mark.parametrize("name", ["posts", "likes", "follows", "reposts", "blocks", "profiles"])
def test_what_exists_has_the_mark_of_its_account_and_no_row_less(
    client: Client, lake: LakeBuilder, name: str
) -> None:
    bodies: dict[str, Row] = {"posts": {"text": "hi"}, "profiles": {}, "follows": {"subject": "did:plc:s"}}
    bodies["blocks"] = bodies["follows"]
    bodies["likes"] = bodies["reposts"] = {
        "subject": {"uri": f"at://did:plc:s/{POST}/x", "cid": "bafyreib" + "a" * 51}
    }
    collections = {"posts": "feed.post", "likes": "feed.like", "follows": "graph.follow", "reposts": "feed.repost"}
    collection = f"app.bsky.{(collections | {'blocks': 'graph.block', 'profiles': 'actor.profile'})[name]}"
    key = "self" if name == "profiles" else tid(1, 1)
    body = {**bodies[name], "createdAt": "x"}
    made = [commit(at(1), "create", Record(f"did:plc:{who}", collection, key, body)) for who in "abc"]
    states = [account(at(2), "did:plc:a", 1, False, "deleted"), account(at(2), "did:plc:b", 2, False, "suspended")]
    stored(client, lake, [*made, *states, account(at(3), "did:plc:b", 3, True)])
    query = f"SELECT did, account_status FROM firehose.current_{name} ORDER BY did"
    wanted = [("did:plc:a", "deleted"), ("did:plc:b", ""), ("did:plc:c", "")]
    assert client.query(query).result_rows == wanted
    assert client.query(query, settings={"join_use_nulls": 1}).result_rows == wanted
