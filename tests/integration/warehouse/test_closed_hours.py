"""The views show closed hours as they showed them open: plain columns, CIDs, revisions, of every row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pyarrow.compute as pc
import pytest
from clickhouse_connect.driver.client import Client

from firehose import parquet
from firehose.events.rebuild import record_cid
from firehose.lake import closed_form
from firehose.store import LocalLake
from jetstream_simulator import generate
from tests.integration.warehouse.lakes import DAY, LakeBuilder, at, commit

POST = "app.bsky.feed.post"
SHOWN = ("posts", "likes", "follows", "accounts", "events")
#: Keys that are TIDs of the same time, of another, and none.
KEYS = ("3mmoojp7etg2g", "2222222222222", "self")
LINK = {"$link": "bafkreieajxclqzwk2mczx7hxmoboqpuiveqlbm35gsda5xlaqfmlryu4ri"}
#: Whose DAG-CBOR SQL builds: numbers and texts with every length of head, escapes, keys that sort by their length.
SHAPED: tuple[dict[str, Any], ...] = (
    *({"size": size, "ref": LINK} for size in (0, 23, 24, 255, 256, 65_535, 65_536, 976_000, 2**32 - 1)),
    *({"alt": text} for text in ("", 'a "b" \\ {c}: [1]', "\n\u0001é🙂", "x" * 300, "y" * 65_535, '"}', "\\")),
    {"b": [], "a": {}, "long key": [True, False, None, [1, ["x"]], {"b": "2", "a": 1}], "-5": "true"},
    {"": "", 'k"e:y': "v", "é": ["null", "1", "{}"], "$type": "app.bsky.embed.images"},
    {"images": [{"alt": "a", "image": {"$type": "blob", "ref": LINK, "mimeType": "image/png", "size": 9}}] * 4},
)
#: Whose CID is stored.
STORED: tuple[dict[str, Any], ...] = (
    *({"n": number} for number in (-1, 2**32, 1.5)),
    {"bytes": {"$bytes": "AAEC"}},
    {"alt": "y" * 65_536},
    {"many": list(range(256))},
)
EMBEDS = (*SHAPED, *STORED)
FACETS = [
    {"features": [{"$type": "app.bsky.richtext.facet#tag", "tag": "x"}], "index": {"byteEnd": 2, "byteStart": 0}}
]


def events() -> Iterator[dict[str, Any]]:
    """Simulated events; then posts with texts of every length of head, and with claims of every kind."""
    start = int(at(0).timestamp()) * 1_000_000
    yield from map(msgspec.json.decode, generate.events(1_500, seed=4, start_us=start, rate=1_500 / 3_000))
    ref = {"uri": f"at://did:plc:root/{POST}/3r", "cid": "bafyreib" + "a" * 51}
    other = {**ref, "uri": ref["uri"] + "x"}
    records: list[dict[str, Any]] = [
        *(
            {"text": "é" * (length // 2) + "x" * (length % 2)}
            for length in (0, 1, 23, 24, 255, 256, 65_535, 65_536)
        ),
        *({"text": "", "langs": langs} for langs in ([], ["en"], ["x" * 30, ""])),
        *({"text": "", "reply": {"root": ref, "parent": parent}} for parent in (ref, other)),
        {"text": "", "reply": {"root": ref, "parent": {"uri": ref["uri"]}}},
        *({"text": "", "createdAt": claim} for claim in ("1969-12-31T23:59:59.999Z", "0001-01-01T00:00:00.000Z")),
        *({"text": "", "createdAt": claim} for claim in ("2026-05-25T14:23:28.123456Z", "yesterday", 7)),
        {"text": "", "more": {"of": 1}},
        *({"text": "", "embed": embed} for embed in EMBEDS),
        {
            "text": "#x",
            "embed": EMBEDS[0],
            "facets": FACETS,
            "langs": ["en", "de"],
            "reply": {"root": ref, "parent": ref},
        },
    ]
    for number, fields in enumerate(records):
        record = {"createdAt": "2026-11-23T00:00:00.000Z", **fields}
        made = commit(POST, "ann", 3_100 + number, KEYS[number % 3] + str(number // 3) * (number % 3 == 2), record)
        made["commit"]["cid"] = record_cid(made["commit"]["record"])
        yield made
    yield commit(POST, "ann", 3_200, "wrong", {"text": "of another CID"})


def as_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def rows(client: Client) -> dict[str, list[Sequence[Any]]]:
    query = "SELECT * FROM firehose.{} ORDER BY ALL"
    return {name: list(client.query(query.format(name)).result_rows) for name in SHOWN}


def test_views_show_the_same_rows(client: Client, lake: LakeBuilder) -> None:
    lake.store(events())
    wanted = rows(client)
    lake.close([DAY])
    with parquet.opened(LocalLake(lake.folder(DAY) / "posts.parquet")) as source:
        assert closed_form.form_of(source.metadata.metadata) == closed_form.CLOSED
        cids = source.read(["cid"])["cid"]
        assert 0 < cids.null_count < len(cids), "some follow from their rows, some are stored"
        embeds = source.read(["embed", "embed_shape", "extra"]).filter(pc.is_null(pc.field("extra"))).to_pylist()
        unshaped = {row["embed"] for row in embeds if not row["embed_shape"]} - {None}
        assert unshaped == {as_json(each) for each in STORED}
    found = rows(client)
    for name in SHOWN:
        assert found[name] == wanted[name], name
    # A second hour in the open form, beside it.
    lake.store([commit(POST, "bob", 3_700, "3k", {"text": "later"})])
    assert client.command("SELECT count() FROM firehose.posts WHERE cid != ''") == 1 + sum(
        row is not None for row in column(client, "SELECT cid FROM firehose.posts WHERE hour = 0")
    )


def column(client: Client, query: str) -> list[Any]:
    return [row[0] for row in client.query(query).result_rows]


@pytest.mark.parametrize("name", ["likes", "posts"])
def test_a_query_reads_no_more_columns_than_it_asks_for(client: Client, lake: LakeBuilder, name: str) -> None:
    lake.store(events())
    lake.close([DAY])
    explained = client.command(
        f"EXPLAIN header = 1 SELECT count(), uniq(did) FROM firehose.{name} WHERE time_us > 0"
    )
    read = str(explained).rpartition("ReadFrom")[2]
    assert "did" in read
    assert not [kept for kept in ("rev_ms", "subject_cid", "rkey", "created") if kept in read]
