"""Lists: app.bsky.graph.list, a list of accounts; who is on it, its list items say."""

from __future__ import annotations

from typing import Any, Final

from firehose.records.base import STRING, Column, Packing, RecordType
from firehose.records.fast import fast
from firehose.records.fields import Json, Text, columns_of
from firehose.records.rules import OPERATION_RULES, written
from firehose.records.shared_columns import COMMIT, OPERATION, WITNESSED
from firehose.records.view import blob_cid, self_labels
from ingester.contract import wire

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
    Text("description", Column("description", STRING, "Its description; NULL where it has none")),
    Json(
        "descriptionFacets",
        Column("description_facets", STRING, "JSON of the description's facets, as in the record"),
        shape=list[Any],
    ),
    Json("avatar", Column("avatar", STRING, "JSON of the blob of its picture, as in the record")),
)

LISTS: Final = RecordType(
    name="lists",
    queue=wire.OTHER,
    collections=("app.bsky.graph.list",),
    columns=(*WITNESSED, *COMMIT, *columns_of(_FIELDS)),
    identity=OPERATION,
    sort="did",
    rules=(*OPERATION_RULES, written("purpose"), written("name")),
    fields=_FIELDS,
    fast=fast(_FIELDS),
    view=(blob_cid("avatar_cid", "avatar", "its picture"), self_labels("the list")),
)
