"""Lists: app.bsky.graph.list, a list of accounts; who is on it, its list items say."""

from __future__ import annotations

from typing import Any, Final

from firehose.records.columns import STRING, Column, Packing
from firehose.records.fields import Json, Text
from firehose.records.operations import operations
from firehose.records.rules import written
from firehose.records.view import blob_cid, self_labels
from ingester.contract import wire

#: Of lists and starter packs.
DESCRIPTION: Final = (
    Text("description", Column("description", STRING, "Its description; NULL where it has none")),
    Json(
        "descriptionFacets",
        Column("description_facets", STRING, "JSON of the description's facets, as in the record"),
        shape=list[Any],
    ),
)
_FIELDS: Final = (
    Text(
        "purpose",
        Column(
            "purpose",
            STRING,
            "What it is for: app.bsky.graph.defs#modlist, #curatelist or #referencelist; NULL for a delete",
            Packing.FEW,
        ),
        required=True,
    ),
    Text("name", Column("name", STRING, "Its name; NULL for a delete"), required=True),
    *DESCRIPTION,
    Json("avatar", Column("avatar", STRING, "JSON of the blob of its picture, as in the record")),
)

LISTS: Final = operations(
    "lists",
    wire.OTHER,
    "app.bsky.graph.list",
    _FIELDS,
    sort="did",
    rules=[written("purpose"), written("name")],
    view=[blob_cid("avatar_cid", "avatar", "its picture"), self_labels("the list")],
)
