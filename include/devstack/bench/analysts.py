"""Analysts of a benchmark: clients that ask a mix of questions by HTTP, one alone or many at a time.

Lives here: the mix, and asking. It runs in a process of its own, so that what else the benchmark does is not in
its times. Must not: load, judge.
"""

from __future__ import annotations

import base64
import http.client
import multiprocessing
import os
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date, timedelta
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from firehose.warehouse.sql import SQL_FOLDER

#: Longer than any query may take, and may wait for its memory.
_PATIENCE_S: Final = 300.0
_FORMAT: Final = "JSONCompactEachRow"
_DASHBOARD: Final = ("02_events_by_minute", "03_operations", "05_languages", "15_coverage")
#: What has to be whole in each answer: the events of an hour are there all or not at all. Each batch has an hour.
CHECKS: Final = {
    "check: events": "SELECT type, toString(hour), count() FROM ops.events GROUP BY ALL",
    "check: minutes": (
        "SELECT type, toString(toStartOfHour(minute)), sum(events) FROM firehose.events_by_minute GROUP BY ALL"
    ),
    "check: engagement": "SELECT kind, toString(hour), sum(made) FROM ops.engagement_by_hour GROUP BY ALL",
    "check: lake": "SELECT type, toString(hour_start), count() FROM firehose.events GROUP BY ALL",
}


class Target(NamedTuple):
    """The endpoint, and the analyst's login."""

    url: str
    user: str
    password: str


class Sample(NamedTuple):
    """One question: ``error`` is what was answered where it failed; ``rows`` are those of a check."""

    kind: str
    seconds: float
    error: str
    rows: list[tuple[str, str, int]]


def mix(day: date, did: str, uri: str) -> dict[str, str]:
    """What people ask, by kind: of a day, of an account, and of a record."""
    span = f"since = '{day} 00:00:00', until = '{day + timedelta(days=1)} 00:00:00'"
    queries = SQL_FOLDER / "queries"
    return {
        **{f"dashboard: {name[3:]}": (queries / f"{name}.sql").read_text("utf-8") for name in _DASHBOARD},
        "account": f"SELECT * FROM firehose.account_events(did = '{did}') ORDER BY witnessed_at DESC LIMIT 100",
        "engagement": f"SELECT * FROM firehose.engagement(uri = '{uri}')",
        "top records": f"SELECT * FROM firehose.top_records(kind = 'like', {span}, top = 20)",
        "search": ("SELECT at, text FROM firehose.search(q = 'coffee') ORDER BY at DESC LIMIT 20"),
        "scan of the lake": (
            "SELECT language, count(), uniq(did) FROM firehose.posts ARRAY JOIN languages AS language"
            f" WHERE date = '{day}' AND operation = 'create' GROUP BY language"
        ),
        "join of the lake": (
            "SELECT count(), uniq(likes.did), uniq(posts.did) FROM firehose.likes"
            " INNER JOIN firehose.posts ON likes.subject_uri = posts.uri"
            f" WHERE likes.date = '{day}' AND posts.date = '{day}' AND posts.operation = 'create'"
        ),
        "join of the tables": (
            "SELECT count(), uniq(edges.account) FROM ops.edges INNER JOIN ops.events"
            " ON edges.target = events.account AND edges.target_record = events.record"
            f" WHERE edges.day = '{day}' AND events.day = '{day}' AND kind = 'like' AND type = 'posts'"
        ),
        **CHECKS,
    }


def end_with_parent() -> None:
    """End this process once the one that started it is gone, however it went."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def ask_alone(target: Target, queries: dict[str, str], rounds: int) -> list[Sample]:
    """Ask all of them one after the other, ``rounds`` times, after a round that does not count."""
    with closing(_connection(target)) as connection:
        samples = [_asked(connection, target, kind, queries) for _ in range(rounds + 1) for kind in queries]
    return samples[len(queries) :]


def ask_together(target: Target, queries: dict[str, str], analysts: int, seconds: float) -> list[Sample]:
    """Ask for ``seconds`` seconds as this many analysts, each in an order of its own."""
    end = time.monotonic() + seconds
    with ThreadPoolExecutor(analysts) as pool:
        asking = [
            pool.submit(lambda seed: [*_until(target, queries, seed, end)], seed) for seed in range(analysts)
        ]
        return [sample for each in asking for sample in each.result()]


def _until(target: Target, queries: dict[str, str], seed: int, end: float) -> Iterator[Sample]:
    order = random.Random(seed)  # noqa: S311 - the same for the same seed
    with closing(_connection(target)) as connection:
        while time.monotonic() < end:
            for kind in order.sample([*queries], len(queries)):
                yield _asked(connection, target, kind, queries)
                if time.monotonic() >= end:
                    return


def _connection(target: Target) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(target.url).netloc, timeout=_PATIENCE_S)


def _asked(connection: http.client.HTTPConnection, target: Target, kind: str, queries: dict[str, str]) -> Sample:
    login = base64.b64encode(f"{target.user}:{target.password}".encode()).decode()
    headers = {"Authorization": f"Basic {login}", "X-ClickHouse-Format": _FORMAT}
    began = time.monotonic()
    try:
        connection.request("POST", "/", queries[kind].encode(), headers)
        response = connection.getresponse()
        body = response.read()
        error = "" if response.status == http.client.OK else body.decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as broken:
        connection.close()
        body, error = b"", f"{type(broken).__name__}: {broken}"
    took = time.monotonic() - began
    is_check = kind in CHECKS and not error
    return Sample(kind, took, error, _rows(body) if is_check else [])


def _rows(body: bytes) -> list[tuple[str, str, int]]:
    """Numbers of 64 bits may be texts in JSON."""
    lines = (msgspec.json.decode(line) for line in body.splitlines())
    return [(str(key), str(hour), int(value)) for key, hour, value in lines]
