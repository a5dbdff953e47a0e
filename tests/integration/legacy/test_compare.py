"""A comparison of an old JSON cache with a lake says what was planted, and what DuckDB says of the same files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pytest

from firehose import schema
from firehose.batch.coverage import records_path
from firehose.batch.interval import Batch
from firehose.events.rows import decode_rows, to_table
from firehose.events.sorting import by_type
from firehose.lake import layout
from firehose.lake.hourfile import HourCommit, merge
from firehose.lake.ledger import LedgerEntry, entry_path, write_entry
from firehose.legacy.compare import kept
from firehose.legacy.compare.outcome import Comparison, Explained, Found
from firehose.legacy.compare.page import page
from firehose.legacy.compare.run import compare
from firehose.settings import Settings
from firehose.store import LocalLake
from ingester.contract import crash, wire
from ingester.contract.crash import Point
from ingester.contract.gap import Gap, Reason, encoded_list
from jetstream_simulator import generate
from tests.support.command import firehose
from tests.support.frames import queue_of
from tests.support.old_posts import write_post

HOUR = 494_452
START_US = HOUR * layout.HOUR_US
START = datetime.fromtimestamp(HOUR * 3600, UTC)
DAY = START.date()
EVENTS = list(generate.events(4_000, seed=9, start_us=START_US, rate=4_000 / 3_500))
#: Nothing is in the lake of this span, and a gap says so; of the other one the old system has nothing.
GAP = (START_US + 600_000_000, START_US + 700_000_000)
DOWN = (START_US + 1_200_000_000, START_US + 2_300_000_000)
POST, LIKE = "app.bsky.feed.post", "app.bsky.feed.like"


def creations(collection: str) -> list[dict[str, Any]]:
    decoded = [json.loads(line) for line in EVENTS]
    return [
        event
        for event in decoded
        if event.get("commit", {}).get("collection") == collection and event["commit"]["operation"] == "create"
    ]


def within(event: dict[str, Any], span: tuple[int, int]) -> bool:
    moment: int = event["time_us"]
    return span[0] <= moment < span[1]


def uri_of(event: dict[str, Any]) -> str:
    return f"at://{event['did']}/{event['commit']['collection']}/{event['commit']['rkey']}"


class World:
    """An old cache and a lake of one hour, which differ in what is named here, by URI."""

    def __init__(self, folder: Path) -> None:
        self.root, self.lake = folder / "old", LocalLake(folder / "lake")
        self.settings = Settings(lake=str(self.lake))
        posts, likes = creations(POST), creations(LIKE)
        usual = [each for each in posts if not within(each, GAP) and not within(each, DOWN)]
        study = {each["did"] for number, each in enumerate(usual) if number % 3 == 0}
        study |= {each["did"] for each in posts if within(each, GAP)}
        mine = [each for each in posts if each["did"] in study and not within(each, DOWN)]
        outside = [each for each in mine if not within(each, GAP)]
        self.only_old = {uri_of(each) for each in outside[3:60:9]}
        self.differs = {uri_of(each) for each in outside[4:60:9]}
        self.dropped = {uri_of(each) for each in outside[5:60:9]}  # the old system lost them
        for each in mine:
            if uri_of(each) not in self.dropped:
                self._write_post(each)
        for each in likes:
            if each["did"] in study and not within(each, DOWN):
                self._write_like(each)
        self._publish([line for line in EVENTS if self._arrives(json.loads(line))])

    def _arrives(self, event: dict[str, Any]) -> bool:
        if within(event, GAP):
            return False
        return (
            "commit" not in event or uri_of(event) not in self.only_old or event["commit"]["operation"] != "create"
        )

    def _write(self, path: str, value: dict[str, Any]) -> None:
        target = self.root / "__local_cache__" / "study_user_activity" / "create" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(value))

    def _write_post(self, event: dict[str, Any]) -> None:
        commit, record = event["commit"], event["commit"]["record"]
        reply = record.get("reply") or {}
        received = datetime.fromtimestamp(event["time_us"] // 1_000_000, UTC)
        text = record["text"] + (" (another)" if uri_of(event) in self.differs else "")
        self._write(
            f"post/author_did={event['did']}_post_uri_suffix={commit['rkey']}.json",
            {
                "uri": uri_of(event),
                "cid": commit["cid"],
                "author_did": event["did"],
                "created_at": record["createdAt"],
                "text": text,
                "langs": ";".join(record["langs"]) if record.get("langs") else None,
                "reply_parent": reply.get("parent", {}).get("uri"),
                "reply_root": reply.get("root", {}).get("uri"),
                "synctimestamp": f"{received:%Y-%m-%d-%H:%M:%S}",
                "url": "",
                "source": "firehose",
            },
        )

    def _write_like(self, event: dict[str, Any]) -> None:
        commit, record = event["commit"], event["commit"]["record"]
        subject = {"uri": record["subject"]["uri"], "cid": record["subject"]["cid"]}
        value = {"created_at": record["createdAt"], "subject": subject}
        liked = subject["uri"].split("/")[-1]
        self._write(
            f"like/{liked}/author_did={event['did']}_like_uri_suffix={commit['rkey']}.json",
            {"uri": uri_of(event), "cid": commit["cid"], "author": event["did"], "record": value},
        )

    def _publish(self, events: Sequence[bytes]) -> None:
        batch = Batch.of(START, START + timedelta(hours=1))
        for queue in wire.QUEUES:
            for kind, lines in by_type(queue, [line for line in events if queue_of(line) == queue]).items():
                rows, _, _ = decode_rows(kind, lines)
                table = to_table(kind, rows, batch.start)

                def again(_: Sequence[str] | None = None, table: pa.Table = table) -> Iterator[pa.Table]:
                    yield table

                merge(layout.hour_file(self.lake, kind, HOUR), HourCommit(kind, batch.start, again))
        entry = LedgerEntry(
            batch=batch.id, start=batch.start, end=batch.end, published_at=START, counts={}, hours={}
        )
        write_entry(entry_path(self.lake, batch), entry)
        gap = Gap(id="a", reason=Reason.LATE, from_us=GAP[0], to_us=GAP[1], noted_us=GAP[1])
        records_path(self.lake, batch).write(encoded_list([gap]))

    def compare(self) -> Comparison:
        return compare(self.settings, self.root)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("compared"))


@pytest.fixture(scope="module")
def report(world: World) -> Comparison:
    return world.compare()


def examples(report: Comparison, name: str, found: Found) -> set[str]:
    return {each.uri for each in report.days[0].types[name].examples if each.found is found}


def test_it_reports_exactly_what_was_planted(world: World, report: Comparison) -> None:
    posts = report.days[0].types["posts"]
    assert [day.day for day in report.days] == [DAY]
    assert report.refused == 0, report.refusals
    assert len(world.only_old) > 5
    assert posts.only_old == len(world.only_old)
    assert examples(report, "posts", Found.ONLY_OLD) == world.only_old
    assert posts.differs == len(world.differs)
    assert posts.fields == {"text": len(world.differs)}
    assert examples(report, "posts", Found.DIFFERS) == world.differs
    assert posts.explained[Explained.GAP] > 0
    assert posts.explained[Explained.DOWN] > 0
    assert report.days[0].types["likes"].only_old == report.days[0].types["likes"].differs == 0
    assert not report.days[0].passed
    assert len(report.problems) == 2


def test_duckdb_says_the_same_of_the_same_files(world: World, report: Comparison) -> None:
    """Both sides by URI, and the scope by the rule that is documented, in SQL."""
    old, hour = world.root / "__local_cache__", layout.hour_file(world.lake, "posts", HOUR)
    engine = duckdb.connect()
    engine.execute(f"""
        CREATE VIEW posts AS SELECT 'at://' || did || '/{POST}/' || rkey AS uri, * FROM '{hour}';
        CREATE VIEW old_posts AS SELECT * FROM read_json('{old}/study_user_activity/create/post/*.json',
            columns={{uri: 'VARCHAR', author_did: 'VARCHAR', text: 'VARCHAR', synctimestamp: 'VARCHAR'}});
        CREATE VIEW old_likes AS SELECT * FROM read_json('{old}/study_user_activity/create/like/*/*.json',
            columns={{uri: 'VARCHAR', author: 'VARCHAR'}});
        CREATE VIEW study AS SELECT author_did AS did FROM old_posts UNION SELECT author FROM old_likes;
        CREATE VIEW created AS SELECT * FROM posts WHERE operation = 'create';
        CREATE VIEW wanted AS SELECT * FROM posts WHERE did IN (FROM study)
            OR split_part(reply_root_uri, '/', 3) IN (FROM study)
            OR split_part(reply_parent_uri, '/', 3) IN (FROM study)
    """)

    def ask(sql: str) -> Any:
        row = engine.execute(sql).fetchone()
        assert row
        return row[0]

    posts = report.days[0].types["posts"]
    assert posts.both == ask("SELECT count(*) FROM old_posts WHERE uri IN (SELECT uri FROM created)")
    missing = ask("SELECT count(*) FROM old_posts WHERE uri NOT IN (SELECT uri FROM created)")
    assert posts.only_old + posts.explained[Explained.GAP] == missing
    # A key may be created twice: a row that is the same is enough.
    same = "EXISTS (FROM created WHERE created.uri = old_posts.uri AND created.text = old_posts.text)"
    differ = f"SELECT count(*) FROM old_posts WHERE uri IN (SELECT uri FROM created) AND NOT {same}"
    assert posts.differs == ask(differ)
    low, high = DOWN
    unmatched = "FROM wanted WHERE operation = 'create' AND NOT resync AND uri NOT IN (SELECT uri FROM old_posts)"
    received = "epoch(strptime(synctimestamp, '%Y-%m-%d-%H:%M:%S'))"
    last = ask(f"SELECT max({received}) FROM old_posts WHERE {received} * 1e6 < {low}")
    following = ask(f"SELECT min({received}) FROM old_posts WHERE {received} * 1e6 >= {high} - 1e6")
    up = f"time_us // 1000000 <= {last} OR time_us // 1000000 > {following}"
    once = f"(SELECT uri, min(time_us) AS time_us {unmatched} GROUP BY uri)"
    assert posts.only_new == ask(f"SELECT count(*) FROM {once} WHERE {up}")
    assert posts.explained[Explained.DOWN] == ask(f"SELECT count(DISTINCT uri) {unmatched}") - posts.only_new
    deleted = ask("SELECT count(DISTINCT uri) FROM wanted WHERE operation = 'delete'")
    assert posts.explained.get(Explained.DELETE, 0) == deleted


def test_its_page_asks_for_nothing_and_takes_no_text_for_markup(report: Comparison) -> None:
    day = report.days[0]
    made = page([day])
    assert "http" not in made.replace("http-equiv", "")
    assert day.types["posts"].examples[0].uri in made
    worst = day.types["posts"].examples[0]
    for_all = msgspec.structs.replace(worst, fields={"text": ("<script>alert(1)</script>", None)})
    day.types["blocks"].examples.append(for_all)
    assert "<script" not in page([day])
    day.types["blocks"].examples.remove(for_all)


def test_a_killed_comparison_is_as_if_it_had_not_begun_and_repeated_it_says_the_same(
    world: World, report: Comparison, tmp_path: Path
) -> None:
    before = kept.read(world.lake, world.root, DAY)
    assert before is not None
    code = (
        "import sys; from pathlib import Path; from firehose.settings import Settings\n"
        "from firehose.legacy.compare.run import compare\n"
        "compare(Settings(lake=sys.argv[1]), Path(sys.argv[2]))"
    )
    told = {crash.AT: Point.COMPARED, crash.PROOF: str(tmp_path / "proof"), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", code, str(world.lake), str(world.root)]
    assert subprocess.run(command, env=os.environ | told, check=False).returncode == -signal.SIGKILL
    again = world.compare()
    assert [msgspec.structs.replace(day, compared_at=START) for day in again.days] == [
        msgspec.structs.replace(day, compared_at=START) for day in report.days
    ]
    assert kept.read(world.lake, world.root, DAY) == again.days[0]
    registered = Counter(file.path for file in kept.files(world.lake, world.root, DAY))
    assert registered == Counter(str(path.relative_to(world.root)) for path in world.root.rglob("*.json"))
    assert not any(file.imported for file in kept.files(world.lake, world.root, DAY))


def test_types_can_be_chosen_and_such_a_result_is_no_verdict(world: World) -> None:
    found = compare(world.settings, world.root, types=frozenset({schema.LIKES})).days[0]
    assert set(found.types) == {"likes"}
    assert found.problems == []
    assert not found.passed


def test_a_day_on_which_the_lake_did_not_listen_is_not_comparable(world: World, report: Comparison) -> None:
    heard = report.days[0].heard_us
    assert heard == pytest.approx(3_600_000_000 - (GAP[1] - GAP[0]), abs=121_000_000)
    missed = compare(world.settings, world.root, begin=DAY - timedelta(days=1), end=DAY)
    assert missed.problems == [
        f"{DAY - timedelta(days=1)}: not comparable, since the lake did not listen on that day"
    ]


def test_days_of_which_the_store_has_nothing_are_not_called_compared(tmp_path: Path) -> None:
    write_post(tmp_path / "old" / "cache", 0)
    (tmp_path / "lake").mkdir()
    command = ("legacy", "compare", str(tmp_path / "old"), "--from", "2030-01-01")
    done = firehose(*command, home=tmp_path, lake=str(tmp_path / "lake"))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "nothing was compared" in done.stderr, done.stderr
