"""Completeness by hour and type against a model that colours seconds, and what readers are warned of."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest
import typer
from clickhouse_connect.driver.client import Client
from typer.testing import CliRunner

from firehose import client as analysts
from firehose.records.registry import BY_QUEUE
from firehose.settings import Settings
from firehose.warehouse import incomplete
from firehose.warehouse.client import connect
from firehose.warehouse.coverage import load_gaps
from firehose.warehouse.migrate import migrate
from firehose.warehouse.summaries import refresh
from firehose_cli.query import query as command
from ingester.contract.gap import Gap
from tests.integration.warehouse.gaps import gap, publish, write
from tests.integration.warehouse.lakes import DAY, LakeBuilder, at, drop_databases

HOURS = 30
BATCHES = ("batch", "id", "start", "end", "published_at", "hours", "loaded_at")
Seconds = np.ndarray[tuple[int], np.dtype[np.bool_]]
Span = tuple[int, int]


def seconds(*spans: Span) -> Seconds:
    """Which seconds of the day on are in any of the spans."""
    found = np.zeros(HOURS * 3600, dtype=bool)
    for start, end in spans:
        found[max(start, 0) : max(end, 0)] = True
    return found


class World:
    """Batches, replayed events and gaps, at random."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        starts = [s for s in range(8 * 3600 + 1800, 27 * 3600, 300) if chance.random() > 0.1]
        if seed % 2:
            del starts[20:80]  # some hours without any batch
        self.batches = [(start, start + 300) for start in starts]
        self.minutes = sorted(chance.sample(range(60, 400), 9)) if seed % 3 else []
        self.gaps: list[tuple[str, bool, Span]] = []
        for _ in range(14):
            start = chance.randrange(-3600, HOURS * 3600)
            queue = chance.choice(["", "", "likes", "posts", "other"])
            self.gaps.append((queue, chance.random() < 0.4, (start, start + chance.choice([7, 600, 5000]))))

    def load(self, client: Client) -> None:
        """Load them as a refresh does."""
        rows = [
            [at(0, 0, start), f"{start}", at(0, 0, start), at(0, 0, end), at(0), [at(start // 3600)]]
            for start, end in self.batches
        ]
        # A batch of old events has its interval at the time of the replay, of which it covers nothing.
        rows.append(
            [at(29, 30), "replay", at(29, 30), at(29, 35), at(0), [at(minute // 60) for minute in (60, 399)]]
        )
        rows = [[*row, at(0)] for row in rows]
        client.insert("batches", rows, column_names=BATCHES, database="ops")
        if self.minutes:
            events = [[DAY.date(), at(0, minute), "likes", "create", 1] for minute in self.minutes]
            client.insert("events_by_minute", events, database="firehose")
        gaps = [
            gap(
                at(0, 0, span[0]),
                (span[1] - span[0]) / 60,
                f"{n}",
                queue=queue,
                filled="archive" if filled else "",
            )
            for n, (queue, filled, span) in enumerate(self.gaps)
        ]
        load_gaps(client, gaps)

    def replayed(self) -> list[Span]:
        """The span of each hour with replayed events."""
        hours = {minute // 60 for minute in self.minutes}
        of_hour = [[m for m in self.minutes if m // 60 == hour] for hour in hours]
        return [(min(each) * 60, max(each) * 60 + 60) for each in of_hour]

    def expected(self) -> dict[tuple[datetime, str], tuple[float, int, int, bool]]:
        """Share, seconds missing and unaccounted, and whether it is running, of each hour and type."""
        spans = [*self.batches, *self.replayed()]
        known = (min(start for start, _ in spans), max(end for _, end in spans))
        whole = (self.batches[0][0], self.batches[-1][1])
        found: dict[tuple[datetime, str], tuple[float, int, int, bool]] = {}
        for queue, types in BY_QUEUE.items():
            if not types[-1].is_event:
                continue
            of = [each for each in self.gaps if each[0] in ("", queue)]
            shown = seconds(known)
            lost = shown & seconds(*(span for _, filled, span in of if not filled))
            covered = seconds(*spans) | shown & seconds(*(span for _, filled, span in of if filled))
            unknown = seconds(whole) & ~covered & ~lost
            for hour in range(HOURS):
                part = slice(hour * 3600, hour * 3600 + 3600)
                if (covered | lost | unknown)[part].any():
                    share = (covered & ~lost)[part].sum() / 3600
                    running = hour * 3600 < whole[1] < hour * 3600 + 3600
                    row = (share, lost[part].sum(), unknown[part].sum(), running)
                    found |= {(at(hour), name.name): row for name in types}
        return found


@pytest.mark.parametrize("seed", range(1, 4))
def test_every_hour_and_type_has_its_share(client: Client, seed: int) -> None:
    world = World(seed)
    world.load(client)
    rows = client.query(
        "SELECT hour_start, type, share, seconds_missing, seconds_unaccounted, running, date"
        " FROM firehose.completeness",
        tz_mode="aware",
    ).result_rows
    assert len({(hour, name) for hour, name, *_ in rows}) == len(rows)
    found = {(hour, name): (pytest.approx(share), *rest) for hour, name, share, *rest, _ in rows}
    assert world.expected() == found
    assert all(hour.date() == day for hour, *_, day in rows)


@pytest.mark.parametrize(
    ("gaps", "lacks"),
    [
        ([gap(at(9), 60, filled="replay")], False),
        ([gap(at(8), 90, filled="replay"), gap(at(9), 65, "other", filled="archive")], False),
        ([gap(at(9), 59, filled="replay")], True),
        ([gap(at(9), 60, filled="replay", queue="posts")], True),
        ([gap(at(9), 60, filled="replay"), gap(at(10), 1, "open")], True),
        ([], True),
    ],
)
def test_a_lake_without_a_loss_is_told_by_one_request(client: Client, gaps: list[Gap], lacks: bool) -> None:
    starts = [at(8, minute) for minute in range(0, 60, 5)] + [at(10, minute) for minute in range(0, 30, 5)]
    rows = [[start, f"{start}", start, start + timedelta(minutes=5), at(0), [], at(0)] for start in starts]
    client.insert("batches", rows, column_names=BATCHES, database="ops")
    load_gaps(client, gaps)
    assert incomplete.may_lack(client) == lacks
    assert bool(incomplete.warning(client, "SELECT 1 FROM events")) == lacks


def test_nothing_loaded_is_no_row(client: Client) -> None:
    load_gaps(client, [gap(at(9), 5)])
    assert client.command("SELECT count() FROM firehose.completeness") == 0


@pytest.fixture(scope="module")
def home(engine: Settings) -> Settings:
    """Settings of a loaded lake: likes lack ten minutes from 20:10 on, all types lack the batch of 21:30."""
    settings = msgspec.structs.replace(engine, lake=str(Path(engine.lake) / "lossy"))
    lake, client = LakeBuilder(settings.local_lake), connect(settings)
    drop_databases(client)
    migrate(client, settings)
    publish(lake, at(18), at(21, 30))
    publish(lake, at(21, 35), at(23))
    write(lake, at(18), gap(at(20, 10), 10, queue="likes"), gap(at(18), 30, queue="posts", filled="replay"))
    refresh(settings)
    client.close()
    return settings


@pytest.fixture
def analyst(home: Settings) -> Iterator[Client]:
    client = connect(home, "analyst")
    yield client
    client.close()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELECT 1 FROM likes", "0:15:00 (h:mm:ss) of likes, from 2026-11-23 20:00 to 2026-11-23 22:00 UTC"),
        ("SELECT count() FROM likes WHERE date = '2026-11-22'", ""),
        ("SELECT count() FROM posts WHERE hour_start < '2026-11-23 21:00:00'", ""),
        ("SELECT count() FROM likes WHERE hour_start < '2026-11-23 21:00:00';", "0:10:00 (h:mm:ss) of likes"),
        ("SELECT count() FROM events WHERE hour_start = '2026-11-23 20:00:00' AND type = 'posts'", ""),
        ("SELECT count() FROM events WHERE hour_start = '2026-11-23 20:00:00'", "0:10:00 (h:mm:ss) of likes"),
        ("SELECT 1 FROM active_accounts_by_hour WHERE type = 'all' AND hour = '2026-11-23 20:00:00'", "of likes"),
        ("SELECT 1 FROM events_by_minute WHERE minute >= '2026-11-23 21:59:00'", "0:05:00 (h:mm:ss) of all types"),
        ("SELECT count() FROM events_by_minute WHERE minute >= '2026-11-23 22:00:00'", ""),
        ("SELECT count() FROM events_by_minute WHERE day = (SELECT max(day) FROM events_by_minute)", ""),
        ("SELECT 1 FROM likes WHERE witnessed_at >= toDateTime64('2026-11-23 22:00:00.5', 6, 'UTC')", ""),
        ("SELECT 1 FROM likes WHERE witnessed_at >= toDateTime64('2026-11-23 21:59:59.5', 6, 'UTC')", "of likes"),
        ("SELECT 1 FROM likes WHERE time_us < 1795464000000001", "0:10:00 (h:mm:ss) of likes"),
        ("SELECT 1 FROM likes WHERE time_us < 1795464000000000", ""),
        ("SELECT 1 FROM likes WHERE '2026-11-23' < date OR did = 'x'", "counted over all hours"),
        ("SELECT 1 FROM likes WHERE toDate(witnessed_at) IN ('2026-11-22', '2026-11-24')", ""),
        ("SELECT 1 FROM likes WHERE year = 2026 AND day = 23 AND hour BETWEEN 20 AND 20", "0:10:00"),
        ("SELECT * FROM likes WHERE date = {day:Date}", "0:15:00"),
        ("WITH toDate('2026-11-22') AS d, c AS (SELECT 1 FROM likes WHERE date = d) SELECT * FROM c", ""),
        ("SELECT 1 FROM posts WHERE hour < 21 AND did IN (SELECT did FROM likes)", "of likes"),
        ("SELECT 1 FROM posts AS p JOIN likes AS l USING did WHERE l.hour = 20 AND p.hour = 20", "0:10:00"),
        ("SELECT 1 FROM current_likes", "counted over all hours where the query names no span"),
        ("SELECT count() FROM ops.events", "0:15:00"),
        ("SELECT count() FROM ops.edges WHERE hour = '2026-11-23 20:00:00'", "0:10:00"),
        ("SELECT 1 FROM ops.events WHERE at >= toDateTime64('2026-11-23 22:00:00', 6, 'UTC')", ""),
        ("SELECT 1 FROM post_texts WHERE hour = '2026-11-23 20:00:00'", ""),
        ("SELECT 1 FROM account_events(did = 'did:plc:a')", "0:15:00"),
        ("SELECT 1 FROM account_events(did = 'did:plc:a') WHERE hour_start = '2026-11-23 20:00:00'", "0:10:00"),
        ("SELECT 1 FROM account_events(did = 'did:plc:a') WHERE date = '2026-11-22'", ""),
        ("SELECT 1 FROM records(did = 'did:plc:a')", "0:15:00"),
        ("SELECT 1 FROM account_history", "0:05:00 (h:mm:ss) of accounts, identities"),
        ("SELECT 1 FROM who_had(handle = 'a.test')", "of accounts, identities"),
        ("SELECT 1 FROM firehose.search(q = 'x') WHERE hour = '2026-11-23 20:00:00'", ""),
        ("SELECT 1 FROM numbers(3)", ""),
        ("SELECT 1 FROM completeness", ""),
        ("SHOW TABLES", ""),
        ("SELECT 1 -- of nothing", ""),
    ],
)  # fmt: skip
def test_who_reads_a_span_with_a_loss_is_told(analyst: Client, statement: str, said: str) -> None:
    found = incomplete.warning(analyst, statement, {"day": DAY.date()})
    assert said in found and bool(said) == bool(found)
    assert "\n" not in found


def test_the_command_warns_in_one_line_after_the_answer(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    environment(home, monkeypatch)
    app = typer.Typer()
    app.command()(command)
    for statement in ("SELECT count() AS n FROM likes", "SELECT count() AS n FROM likes FORMAT CSV"):
        answer = CliRunner().invoke(app, [statement], catch_exceptions=False)
        *_, last = answer.stderr.splitlines()
        assert last.startswith("warning: events are missing in this answer: up to 0:15:00 (h:mm:ss) of likes,")
        assert last.endswith("firehose query 'SELECT * FROM completeness WHERE share < 1' shows the hours")
        assert answer.stdout.splitlines()[-1].strip() == "0"
    whole = CliRunner().invoke(app, ["SELECT count() FROM posts WHERE hour = 18"], catch_exceptions=False)
    assert len(whole.stderr.splitlines()) == 1


def test_the_python_client_warns_and_answers(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    environment(home, monkeypatch)
    with pytest.warns(analysts.IncompleteData, match=r"^events are missing .* of likes") as told:
        frame = analysts.query("SELECT {n:UInt8} AS n, count() AS likes FROM likes", {"n": 7})
    assert frame.to_dict("records") == [{"n": 7, "likes": 0}]
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(analysts.query("SELECT * FROM posts WHERE hour = 18")) == 0


def test_a_check_that_fails_spoils_no_answer(analyst: Client, home: Settings) -> None:
    loader = connect(home)
    loader.command("DROP VIEW firehose.completeness")
    said = incomplete.warning(analyst, "SELECT count() FROM likes")
    assert said.startswith("warning: whether events are missing in this answer is not known: ClickHouse: Code 60")
    assert incomplete.warning(analyst, "SELECT count() FROM ops.gaps") == ""
    migrate(loader, home)
    loader.close()


def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of the test, where a user would set them."""
    for name in ("home", "lake", "clickhouse_url", "clickhouse_analyst_password"):
        monkeypatch.setenv(f"FIREHOSE_{name.upper()}", str(msgspec.structs.asdict(settings)[name]))
