"""List items: app.bsky.graph.listitem, an account on a list."""

from __future__ import annotations

from typing import Final

from firehose.records.base import STRING, Column, Packing, RecordType
from firehose.records.fast import fast
from firehose.records.fields import Text, columns_of
from firehose.records.rules import OPERATION_RULES, written
from firehose.records.shared_columns import COMMIT, OPERATION, WITNESSED
from firehose.syntax import AT_URI, DID
from ingester.contract import wire

_FIELDS: Final = (
    Text(
        "subject",
        Column(
            "subject_did",
            STRING,
            "The account that is on the list; empty for a delete",
            Packing.SHARED,
            nullable=False,
        ),
        required=True,
    ),
    Text(
        "list",
        Column("list_uri", STRING, "The list that it is on; NULL for a delete", Packing.SHARED),
        required=True,
    ),
)

LISTITEMS: Final = RecordType(
    name="listitems",
    queue=wire.OTHER,
    collections=("app.bsky.graph.listitem",),
    columns=(*WITNESSED, *COMMIT, *columns_of(_FIELDS)),
    identity=OPERATION,
    sort="list_uri",
    rules=(*OPERATION_RULES, written("subject_did", DID), written("list_uri", AT_URI)),
    fields=_FIELDS,
    fast=fast(_FIELDS),
)
