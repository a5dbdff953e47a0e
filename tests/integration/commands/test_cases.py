"""Inputs from the field that went wrong once, through `firehose once`, `verify` and the views.

Made again from the grammar and the simulator's identifiers. The cases that they are modelled on are run as well,
where they are beside the project.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
from clickhouse_connect.driver.client import Client

from devstack.embedded import clickhouse as endpoint
from firehose import schema
from firehose.events.rebuild import record_cid
from firehose.lake import layout
from firehose.lake.rowgroups import RowGroupWriter
from firehose.settings import Settings
from firehose.store import LocalLake
from firehose.warehouse.client import connect
from ingester.contract.settings import read_settings
from jetstream_simulator.identifiers import iso, tid
from tests.support.command import firehose, once, total
from tests.support.recorded import SHARED

CASES = SHARED / "cases"
DID = "did:plc:casebbaaaaaaaaaaaaaaaaaa"
OTHER_DID = "did:web:" + "a.very.long.name." * 20 + "example"
BORN_US, AGAIN_US = 1_779_719_008_000_000, 1_779_729_809_000_000
NSIDS = ("blue.4096.game", "cn.9.lex.stuff", "a.0.c", "m.xn--exmple-cua.pl", "one.two.three.four-and.FiVe")
POST, LIKE = "app.bsky.feed.post", "app.bsky.feed.like"
SYNC_REV = tid(AGAIN_US, 0)


def commit(time_us: int, collection: str, rkey: str, record: dict[str, Any], **more: Any) -> bytes:
    """A create; its revision is of its time, its CID the record's, unless ``more`` says otherwise."""
    whole = {"$type": collection, "createdAt": iso(BORN_US)} | record
    part = {
        "rev": tid(time_us, 1),
        "operation": "create",
        "collection": collection,
        "rkey": rkey,
        "record": whole,
        "cid": record_cid(whole),
    } | more
    return msgspec.json.encode({"did": DID, "time_us": time_us, "kind": "commit", "commit": part})


def births() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Five posts with a tag and a link, and three likes: of an account that a resync will send again."""
    tag = {"$type": "app.bsky.richtext.facet#tag", "tag": "again"}
    external = {"uri": "https://again.example/a", "title": "", "description": ""}
    for number in range(5):
        yield (
            *(POST, tid(BORN_US + number, 2)),
            {
                "text": f"once {number}",
                "langs": ["en"],
                "facets": [{"index": {"byteStart": 0, "byteEnd": 1}, "features": [tag]}],
                "embed": {"$type": "app.bsky.embed.external", "external": external},
            },
        )
    for number in range(3):
        uri = f"at://{DID}/{POST}/{tid(BORN_US + number, 2)}"
        yield LIKE, tid(BORN_US + number, 3), {"subject": {"uri": uri, "cid": record_cid({"n": number})}}


def resync() -> list[bytes]:
    """The records as they are born, the sync event, and all of them again under its revision."""
    sync = {"did": DID, "rev": SYNC_REV, "seq": 555, "time": iso(AGAIN_US)}
    return [
        *(commit(BORN_US + 1_000_000 * number, *one) for number, one in enumerate(births(), 1)),
        msgspec.json.encode({"did": DID, "time_us": AGAIN_US, "kind": "sync", "sync": sync}),
        *(commit(AGAIN_US + number, *one, rev=SYNC_REV) for number, one in enumerate(births(), 1)),
    ]


def names() -> list[bytes]:
    """Records of collections, accounts, keys and subjects whose form is unusual, and right."""
    lines = [
        commit(BORN_US + number, nsid, tid(BORN_US, number), {"n": number}) for number, nsid in enumerate(NSIDS)
    ]
    lines += [commit(BORN_US + 50, "com.example.thing", key, {}) for key in ("...", f"{DID}::{DID}", "~" * 512)]
    for number, uri in enumerate(("at://name.example", f"at://{DID}/a.0.c", f"at://name.example/{POST}/self")):
        subject = {"uri": uri, "cid": record_cid({})}
        lines.append(commit(BORN_US + 60 + number, LIKE, tid(BORN_US, 60 + number), {"subject": subject}))
    return [*lines, lines[0].replace(DID.encode(), OTHER_DID.encode())]


def malformed() -> list[bytes]:
    """Records whose CID was made of a CBOR that was not UTF-8, or not in order; and a good one beside them."""
    cut = record_cid({"not": "what JSON says of it"})
    return [
        commit(BORN_US + 70, POST, tid(BORN_US, 70), {"text": "cut \ufffd"}, cid=cut),
        commit(BORN_US + 71, "com.example.thing", tid(BORN_US, 71), {"b": "x"}, cid=cut),
        commit(BORN_US + 72, POST, tid(BORN_US, 72), {"text": "a good one beside them"}),
    ]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline that has taken all of them."""
    made = tmp_path_factory.mktemp("cases")
    for name, lines in (("names", names()), ("resync", resync()), ("malformed", malformed())):
        (made / f"{name}.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    report = once(made / "home", *sorted(made.glob("*.jsonl")))
    assert total(report, "stored") == report["received"] == len([*names(), *resync(), *malformed()])
    return made / "home"


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[Client]:
    """ClickHouse over what they have become."""
    settings = read_settings(Settings, {"FIREHOSE_ENV_FILE": str(home / "firehose.env")})
    with endpoint.start(settings):
        yield connect(settings, "analyst")


def test_names_of_any_valid_form_are_rows(client: Client) -> None:
    found = client.query(
        "SELECT collection FROM firehose.other WHERE collection IN {n:Array(String)}", {"n": list(NSIDS)}
    )
    assert sorted(name for (name,) in found.result_rows) == sorted([*NSIDS, NSIDS[0]])


def test_what_a_resync_sends_again_is_stored_and_new_nowhere(client: Client) -> None:
    def one(query: str) -> Any:
        return client.query(query).result_rows

    for table, born in (("posts", 5), ("likes", 3)):
        counts = f"SELECT countIf(resync), countIf(NOT resync AND time_us < {AGAIN_US}) FROM firehose.{table}"
        mine = f" WHERE did = '{DID}' AND rkey IN (SELECT rkey FROM firehose.{table} WHERE resync)"
        assert one(counts + mine) == [(born, born)]
    assert one("SELECT sum(posts) FROM firehose.hashtags_by_hour WHERE tag = 'again'") == [(5,)]
    assert one("SELECT sum(posts) FROM firehose.link_domains_by_hour WHERE domain = 'again.example'") == [(5,)]
    assert one("SELECT sum(posts) FROM firehose.links_by_hour WHERE url = 'https://again.example/a'") == [(5,)]
    assert one("SELECT sum(posts) FROM firehose.languages_by_hour WHERE lang = 'en'") == [(5,)]
    assert one("SELECT sum(likes) FROM firehose.most_liked_posts_by_hour") == [(6,)]  # three of other names' forms
    done = "SELECT type, sum(events) FROM firehose.events_by_minute WHERE operation = 'resync' GROUP BY type"
    assert sorted(one(done)) == [("likes", 3), ("posts", 5)]
    # In the hour of the resync the account did nothing but to be sent again.
    active = (
        f"SELECT type, accounts FROM firehose.active_accounts_by_hour WHERE hour > toDateTime({BORN_US // 10**6})"
    )
    assert sorted(one(active)) == [("all", 1), ("other", 1)]


def test_the_sources_own_odd_records_are_told_from_damage(home: Path, tmp_path: Path) -> None:
    """Three verdicts: in a copy of the lake one record is changed, and then one raw file is not there any more."""
    said = firehose("verify", "--home", home, home=home)
    assert said.returncode == 0, said.stderr
    assert said.stdout.rstrip().endswith("the source's own records differ")
    assert said.stderr.count("its source sent it so") == 2
    report = json.loads(firehose("verify", "--home", home, "--json", home=home).stdout)
    differs = {
        name: counts["source_differs"] for name, counts in report["types"].items() if counts["source_differs"]
    }
    assert (report["ok"], differs) == (True, {"posts": 1, "other": 1})

    copy = tmp_path / "copy"
    shutil.copytree(home / "lake", copy / "lake")
    change(copy / "lake")
    damaged = firehose("verify", "--home", copy, "--json", home=home)
    assert damaged.returncode == 1
    report = json.loads(damaged.stdout)
    assert (report["types"]["posts"]["mismatched"], report["types"]["posts"]["source_differs"]) == (1, 1)
    of_file, of_row = report["problems"]
    assert "posts: its record says 7 rows" in of_file
    assert "its record gives" in of_row

    [raw] = (home / "lake").glob("_raw/*/*")
    shutil.copytree(home / "lake", tmp_path / "bare" / "lake")
    shutil.rmtree(tmp_path / "bare" / raw.relative_to(home))
    assert firehose("verify", "--home", tmp_path / "bare", home=home).returncode == 1, "no raw batch to ask"


def change(lake: Path) -> None:
    """Another text in one post, as a bad disk would not write it, but a hand might."""
    path = layout.hour_files(LocalLake(lake), schema.POSTS)[0]
    table = pq.ParquetFile(path).read()
    row = table["text"].to_pylist().index("a good one beside them")
    texts = [text if number != row else "another text" for number, text in enumerate(table["text"].to_pylist())]
    kept = pq.read_metadata(path).metadata
    with RowGroupWriter(LocalLake(path), schema.POSTS) as writer:
        position = table.schema.get_field_index("text")
        writer.write(table.set_column(position, "text", [texts]))
        writer.note({name: value for name, value in kept.items() if not name.startswith(b"ARROW")})


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not part of the project")
def test_the_cases_themselves(tmp_path: Path) -> None:
    recordings = [
        CASES / name
        for name in (
            "01-nsid-digit-segments.jsonl",
            "11-v2-resync-creates.jsonl",
            "13-malformed-upstream-cbor.jsonl",
        )
    ]
    report = once(tmp_path, *recordings)
    sent = sum(len(recording.read_bytes().splitlines()) for recording in recordings)
    assert total(report, "stored") == report["received"] == sent
    verified = firehose("verify", "--home", tmp_path, "--json", home=tmp_path)
    assert verified.returncode == 0, verified.stderr
    counts = json.loads(verified.stdout)["types"]
    assert {name: counts[name]["source_differs"] for name in ("posts", "other")} == {"posts": 1, "other": 1}
    rows = [
        row
        for name in (schema.POSTS, schema.LIKES)
        for path in layout.hour_files(LocalLake(tmp_path) / "lake", name)
        for row in pq.ParquetFile(path).read(["resync", "rev"]).to_pylist()
    ]
    assert {row["rev"] for row in rows if row["resync"]} == {"3mmoylkzlm223"}
    assert sum(row["resync"] for row in rows) == 8
