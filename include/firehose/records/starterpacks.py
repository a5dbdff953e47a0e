"""Starter packs: app.bsky.graph.starterpack, accounts (a list of them) and feeds for somebody new."""

from __future__ import annotations

from typing import Any, Final

from firehose.records.base import STRING, Column, RecordType, ViewColumn
from firehose.records.fast import fast
from firehose.records.fields import Json, Text, columns_of
from firehose.records.rules import OPERATION_RULES, written
from firehose.records.shared_columns import COMMIT, OPERATION, WITNESSED
from firehose.syntax import AT_URI
from ingester.contract import wire

_FIELDS: Final = (
    Text("name", Column("name", STRING, "Its name; NULL for a delete"), required=True),
    Text("description", Column("description", STRING, "Its description; NULL where it has none")),
    Json(
        "descriptionFacets",
        Column("description_facets", STRING, "JSON of the description's facets, as in the record"),
        shape=list[Any],
    ),
    Text("list", Column("list_uri", STRING, "The list of its accounts; NULL for a delete"), required=True),
    Json("feeds", Column("feeds", STRING, "JSON of its feeds, as in the record"), shape=list[Any]),
)

STARTERPACKS: Final = RecordType(
    name="starterpacks",
    queue=wire.OTHER,
    collections=("app.bsky.graph.starterpack",),
    columns=(*WITNESSED, *COMMIT, *columns_of(_FIELDS)),
    identity=OPERATION,
    sort="did",
    rules=(*OPERATION_RULES, written("name"), written("list_uri", AT_URI)),
    fields=_FIELDS,
    fast=fast(_FIELDS),
    view=(
        ViewColumn(
            "feed_uris",
            "Array(String)",
            "at:// addresses of its feeds, in order",
            "arrayMap(x -> JSONExtractString(x, 'uri'), JSONExtractArrayRaw(ifNull(feeds, '')))",
        ),
    ),
)
