"""FIREHOSE_READERS on the real engine: what the views show of both systems, each record once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from firehose.settings import Settings
from firehose.warehouse import mixed
from firehose.warehouse.client import connect
from firehose.warehouse.columns import OF_BOTH_SYSTEMS
from firehose.warehouse.migrate import migrate
from jetstream_simulator.identifiers import tid
from tests.integration.warehouse.lakes import LakeBuilder, at, emptied, forget, in_lake, row
from tests.integration.warehouse.old_records import FOLLOW, LIKE, bring, entry, old
from tests.integration.warehouse.test_views import files_opened

Ask = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="module")
def loaded(engine: Settings) -> Iterator[Client]:
    """A loader's client of a lake that both systems have put records in: for all tests here, which only ask."""
    settings = emptied(engine)
    with closing(connect(settings)) as client:
        migrate(client, settings)
        forget(client)
        _fill(client, LakeBuilder(settings.local_lake))
        yield client
        migrate(client, settings)
        forget(client)


@pytest.fixture(scope="module")
def both(engine: Settings, loaded: Client) -> Ask:
    """Asks with a setting of FIREHOSE_READERS."""
    settings = in_lake(engine)
    shown = settings.readers

    def ask(readers: str, query: str) -> list[dict[str, Any]]:
        nonlocal shown
        if readers != shown:
            migrate(loaded, msgspec.structs.replace(settings, readers=readers))
            shown = readers
        return list(loaded.query(query).named_results())

    return ask


def _fill(client: Client, lake: LakeBuilder) -> None:
    lake.write(
        "posts",
        [
            row("posts", at(5, 10), "ann", rkey="p1", cid="c-p1", text="both have it"),
            row("posts", at(5, 11), "bob", rkey="p2", cid="c-p2", text="only the firehose"),
            row("posts", at(6, 12), "cyd", rkey="p3", cid="c-p3b", text="edited", operation="update"),
            row("posts", at(7, 13), "dan", rkey="q1", cid="c-q1", text="of the queue", batch=at(7, 0, 1)),
            row("posts", at(8, 1), "eve", rkey="p5", operation="delete", cid=None),
        ],
    )
    lake.write("likes", [row("likes", at(5, 9), "ann", rkey="l1", cid="c-l1", subject_uri="at://did:plc:x/a/b")])
    lake.write("follows", [row("follows", at(8, 9), "fan", rkey="f1", subject_did="did:plc:x")])
    lake.write(
        "imported",
        [
            # Filed a day later than the firehose saw it, and by two stores.
            old(30, "ann", "p1", text="both have it"),
            old(30, "ann", "p1", "parquet", text="both have it"),
            old(
                6,
                "cyd",
                "p3",
                text="before the edit",
                langs=["en", "pt-BR"],
                facets=["tag:Tea", "link:https://a.b/"],
            ),
            old(6, "dan", "p4", "cache-2", text="lost", received_us=int(at(6, 30).timestamp() * 1e6)),
            old(6, "dan", "p4", "parquet", text="lost", created_at=at(6, 29, 58)),
            old(7, "dan", "q1", "queue", batch=at(7, 0, 1)),
            old(8, "eve", "p5", text="deleted since"),
            old(
                9,
                "ann",
                tid(int(at(9).timestamp()) * 1_000_000, 3),
                text="not received",
                cid=None,
                tid_us=int(at(9).timestamp()) * 1_000_000,
            ),
            old(5, "ann", "l1", collection=LIKE, cid=None, subject_uri="at://did:plc:x/a/b"),
            # A list of follows, without record keys: one that the firehose has, two that it lacks.
            *(
                old(9, "fan", "", "parquet", collection=FOLLOW, cid=None, subject_did=f"did:plc:{n}")
                for n in "xyz"
            ),
            old(5, "bob", "l2", collection=LIKE, subject_uri="at://did:plc:x/a/c"),
        ],
    )
    for hour in (5, 6, 7, 8):
        bring(client, lake, entry(lake, at(hour), "posts", "likes", "follows"))
    for hour in (5, 6, 7, 8, 9, 30):
        bring(client, lake, entry(lake, at(hour), "imported"))


POSTS = "SELECT did, rkey, cid, rev, text, provenance, witnessed_at FROM firehose.posts ORDER BY rkey, cid, did"


def provenances(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """By CID, or by record key where there is none."""
    found = {each["cid"] or each["rkey"]: sorted(each["provenance"]) for each in rows}
    assert len(found) == len(rows), "a record has more than one row"
    return found


def test_both_show_each_record_once_and_who_has_it(both: Ask) -> None:
    rows = both("both", POSTS)
    found = provenances(rows)
    without = next(key for key in found if key.startswith("3"))
    assert found == {
        "c-p1": ["cache-1", "firehose", "parquet"],
        "c-p2": ["firehose"],
        "c-p3": ["cache-1"],
        "c-p3b": ["firehose"],
        "c-p4": ["cache-2", "parquet"],
        "c-p5": ["cache-1"],
        "c-q1": ["queue"],
        "p5": ["firehose"],
        without: ["cache-1"],
    }
    by_cid = {each["cid"]: each for each in rows}
    assert by_cid["c-p4"]["rev"] is None
    assert by_cid["c-p4"]["witnessed_at"] == at(6, 30)
    assert by_cid["c-p3"]["witnessed_at"] is None
    likes = both("both", "SELECT rkey, cid, provenance FROM firehose.likes ORDER BY rkey")
    assert [(each["rkey"], sorted(each["provenance"])) for each in likes] == [
        ("l1", ["cache-1", "firehose"]),
        ("l2", ["cache-1"]),
    ]


def test_follows_without_a_record_key_are_known_by_their_accounts(both: Ask) -> None:
    rows = both("both", "SELECT subject_did, rkey, provenance FROM firehose.follows ORDER BY subject_did")
    assert [(each["subject_did"][-1], each["rkey"], sorted(each["provenance"])) for each in rows] == [
        ("x", "f1", ["firehose", "parquet"]),
        ("y", "", ["parquet"]),
        ("z", "", ["parquet"]),
    ]


def test_new_is_the_firehose_and_legacy_the_old_system(both: Ask) -> None:
    assert provenances(both("new", POSTS)) == {
        "c-p1": ["firehose"],
        "c-p2": ["firehose"],
        "c-p3b": ["firehose"],
        "c-q1": ["queue"],
        "p5": ["firehose"],
    }
    kept = provenances(both("legacy", POSTS))
    assert {key for key in kept if key.startswith("c-")} == {"c-p1", "c-p3", "c-p4", "c-p5", "c-q1"}
    assert "firehose" not in {name for names in kept.values() for name in names}
    assert provenances(both("both", POSTS.replace(".posts", ".seen_posts"))) == provenances(both("new", POSTS))


def test_by_day_and_by_share(both: Ask) -> None:
    until = both("legacy<2026-11-24,new", POSTS)
    assert {each["cid"] for each in until} >= {"c-p3", "c-p4", "c-p5", "c-q1"}
    assert not {"c-p2", "c-p3b"} & {each["cid"] for each in until}
    sample = {each["did"]: each["sample"] for each in both("new", "SELECT did, sample FROM firehose.imported")}
    part = both("both:40%,new", POSTS)
    shown = {each["did"] for each in part if "firehose" not in each["provenance"] and each["cid"] != "c-q1"}
    assert shown == {did for did, number in sample.items() if number < 0.4} - {"did:plc:bob"}


def test_a_record_on_both_sides_of_a_rules_day_is_shown_once_by_the_day_on_which_it_was_seen(both: Ask) -> None:
    of_p1 = POSTS.replace(" ORDER", " WHERE rkey = 'p1' ORDER")
    for readers, shown in (
        ("legacy<2026-11-24,both", ["cache-1", "parquet"]),
        ("both<2026-11-24,legacy", ["cache-1", "firehose", "parquet"]),
        ("legacy<2026-11-24,new", ["cache-1", "parquet"]),
    ):
        assert [sorted(each["provenance"]) for each in both(readers, of_p1)] == [shown], readers


def test_what_was_not_kept_is_null(both: Ask) -> None:
    (post,) = both("both", "SELECT * FROM firehose.posts WHERE cid = 'c-p3'")
    nulls = {"rev", "time_us", "witnessed_at", "extra", "has_video", "embed", "facets", "embed_type", "created_at"}
    assert {name for name in nulls if post[name] is not None} == set()
    assert post["languages"] == ["en", "pt-BR"]
    assert (post["tags"], post["links"], post["link_hosts"]) == (["tea"], ["https://a.b/"], ["a.b"])
    assert post["resync"] is False
    keyed = both("both", "SELECT tid_at, uri FROM firehose.posts WHERE text = 'not received'")
    assert keyed[0]["tid_at"] == at(9)


def test_what_exists_follows_the_setting(both: Ask) -> None:
    now = "SELECT rkey, text, rev, first_seen FROM firehose.current_posts ORDER BY rkey"
    assert [each["rkey"] for each in both("new", now)] == ["p1", "p2", "p3", "q1"]
    rows = both("both", now)
    texts = {each["rkey"]: each["text"] for each in rows}
    assert texts.pop(next(key for key in texts if key.startswith("3"))) == "not received"
    assert texts == {
        "p1": "both have it",
        "p2": "only the firehose",
        "p3": "edited",
        "p4": "lost",
        "q1": "of the queue",
    }
    assert {each["rkey"]: each["rev"] for each in rows}["p4"] is None
    assert both("both", "SELECT count() AS n FROM firehose.current_likes") == [{"n": 2}]
    assert both("both", "SELECT count() AS n FROM firehose.edges WHERE kind = 'like'") == [{"n": 2}]


def test_columns_are_as_declared_in_every_mode(both: Ask, loaded: Client) -> None:
    names = [f"{prefix}{kind}" for kind in OF_BOTH_SYSTEMS for prefix in ("", "current_")] + ["edges"]
    both("new", "SELECT 1")
    declared = [loaded.query(f"DESCRIBE firehose.{name}").result_rows for name in names]
    both("both", "SELECT 1")
    for name, of_new in zip(names, declared, strict=True):
        loaded.query(f"SELECT * FROM firehose.{name}")
        shown = loaded.query(f"DESCRIBE firehose.{name}").result_rows
        assert [each[0] for each in shown] == [each[0] for each in of_new]
        differ = {new[0] for new, other in zip(of_new, shown, strict=True) if new[1] != other[1]}
        assert differ <= {*mixed.NULLABLE, "since", "first_seen"}


def test_conditions_on_time_open_only_their_files(both: Ask, loaded: Client) -> None:
    both("both", "SELECT 1")
    assert files_opened(loaded, "SELECT text FROM firehose.posts WHERE hour_start = '2026-11-23 06:00:00'") == 2
    both("legacy<2026-11-24,new", "SELECT 1")
    # Of the old system: what is filed on that day may have been seen before.
    assert files_opened(loaded, "SELECT text FROM firehose.posts WHERE date = '2026-11-24'") == 1
