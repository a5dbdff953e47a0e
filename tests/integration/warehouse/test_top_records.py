"""The records that were given most: exact whatever the rows of the table are like."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from clickhouse_connect.driver.client import Client

START = datetime(2026, 11, 20, tzinfo=UTC)
COLUMNS = ["day", "hour", "account", "collection", "record", "kind", "made", "undone"]
QUERY = """
SELECT uri, made, undone, net
FROM firehose.top_records(
    kind = 'like', since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, top = {top:UInt32}
)
"""
#: Likes of the record of a rank in all, and in how many of 36 hours.
SHAPES: Final[dict[str, tuple[Callable[[int], int], int]]] = {
    "one hour each": (lambda rank: 400_000 // (rank + 1), 1),
    "spread over all hours": (lambda rank: 400_000 // (rank + 1), 36),
    "nearly equal": (lambda rank: 72 - rank % 7, 36),
    "hardly any": (lambda rank: 1 + (rank < 5), 2),
    "nothing": (lambda rank: 0, 1),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_top_is_exact(client: Client, shape: str) -> None:
    chosen = random.Random(shape)
    likes, hours = SHAPES[shape]
    made: dict[tuple[int, int], Counter[int]] = {}
    rows: list[list[object]] = []
    for rank in range(2_000):
        of = (chosen.randrange(40), (1 << 60) + rank * 1024)
        for hour in chosen.sample(range(36), hours):
            given = likes(rank) // hours
            undone = chosen.choice([0, 0, 0, 1, given // 3])
            if not given and not undone:
                continue  # the table has none of these
            rows.append([*_at(hour), of[0], "app.bsky.feed.post", of[1], "like", given, undone])
            made.setdefault(of, Counter())[hour] += given - undone
    chosen.shuffle(rows)
    # Each insertion is a part, and a record has rows in all of them.
    client.command("SYSTEM STOP MERGES ops.engagement_by_hour")
    for part in range(4):
        client.insert("ops.engagement_by_hour", rows[part::4], column_names=COLUMNS)
    for first, last in ((0, 36), (5, 30)):
        there = [each for each in made.values() if any(first <= hour < last for hour in each)]
        net = sorted((sum(n for hour, n in each.items() if first <= hour < last) for each in there), reverse=True)
        for top in (1, 20, 300, 5_000):
            found = client.query(
                QUERY,
                parameters={
                    "since": START + timedelta(hours=first),
                    "until": START + timedelta(hours=last),
                    "top": top,
                },
            ).result_rows
            assert [each[3] for each in found] == net[:top]
            assert all(made - undone == net for _, made, undone, net in found)
    client.command("SYSTEM START MERGES ops.engagement_by_hour")


def _at(hour: int) -> tuple[object, datetime]:
    at = START + timedelta(hours=hour)
    return at.date(), at
