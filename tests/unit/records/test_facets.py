"""The derived columns of posts: right where the lexicon is kept, nothing where it is not."""

from __future__ import annotations

from typing import Any

import pytest

from firehose.records.facets import Derived, derive


def derived(record: dict[str, Any]) -> Derived:
    return derive(*map(record.get, ("embed", "facets", "tags")))


def feature(kind: str, **values: str) -> dict[str, Any]:
    return {"features": [{"$type": f"app.bsky.richtext.facet#{kind}", **values}], "index": {}}


def test_facets_give_tags_links_and_mentions_once_each() -> None:
    record = {
        "facets": [
            feature("tag", tag="Sky"),
            feature("tag", tag="sky"),
            feature("link", uri="https://example.org/a"),
            feature("mention", did="did:plc:b"),
        ],
        "tags": ["#Blue"],
    }
    found = derived(record)
    assert found.hashtags == ["sky", "blue"]
    assert found.links == ["https://example.org/a"]
    assert found.mentions == ["did:plc:b"]


@pytest.mark.parametrize(
    ("embed", "expected"),
    [
        ({"$type": "app.bsky.embed.record", "record": {"uri": "at://q", "cid": "c"}}, ("at://q", None)),
        (
            {
                "$type": "app.bsky.embed.recordWithMedia",
                "record": {"record": {"uri": "at://q"}},
                "media": {"$type": "app.bsky.embed.external", "external": {"uri": "https://x"}},
            },
            ("at://q", ["https://x"]),
        ),
        ({"$type": "app.bsky.embed.external", "external": {"uri": "https://x"}}, (None, ["https://x"])),
    ],
)
def test_embeds_give_quotes_and_links(embed: dict[str, Any], expected: tuple[object, object]) -> None:
    found = derived({"embed": embed})
    assert (found.quoted_uri, found.links) == expected
    assert found.embed_type == embed["$type"]


@pytest.mark.parametrize(
    "record",
    [
        {"facets": "text"},
        {"facets": [1, {"features": 2}, {"features": [3]}, {"features": [{"$type": 4, "tag": "x"}]}]},
        {"embed": []},
        {"embed": {"record": "x", "media": 1, "external": {"uri": 5}}},
        {"tags": {"a": 1}},
    ],
)
def test_other_shapes_give_nothing(record: dict[str, Any]) -> None:
    found = derived(record)
    assert (found.quoted_uri, found.hashtags, found.links, found.mentions) == (None, None, None, None)
