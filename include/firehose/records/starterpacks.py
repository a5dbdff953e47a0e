"""Starter packs: app.bsky.graph.starterpack, accounts (a list of them) and feeds for new people."""

from __future__ import annotations

from typing import Any, Final

from firehose.records.columns import STRING, Column, ViewColumn
from firehose.records.fields import Json, Text
from firehose.records.lists import DESCRIPTION
from firehose.records.operations import operations
from firehose.records.rules import written
from firehose.syntax import AT_URI
from ingester.contract import wire

_FIELDS: Final = (
    Text("name", Column("name", STRING, "Its name; NULL for a delete"), required=True),
    *DESCRIPTION,
    Text("list", Column("list_uri", STRING, "The list of its accounts; NULL for a delete"), required=True),
    Json("feeds", Column("feeds", STRING, "JSON of its feeds, as in the record"), shape=list[Any]),
)

STARTERPACKS: Final = operations(
    "starterpacks",
    wire.OTHER,
    "app.bsky.graph.starterpack",
    _FIELDS,
    sort="did",
    rules=[written("name"), written("list_uri", AT_URI)],
    view=(
        ViewColumn(
            "feed_uris",
            "Array(String)",
            "at:// addresses of its feeds, in order",
            "arrayMap(x -> JSONExtractString(x, 'uri'), JSONExtractArrayRaw(ifNull(feeds, '')))",
        ),
    ),
)
