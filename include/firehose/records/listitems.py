"""List items: app.bsky.graph.listitem, an account on a list."""

from __future__ import annotations

from typing import Final

from firehose.records.columns import STRING, Column, Edge, Packing
from firehose.records.fields import Text
from firehose.records.operations import operations
from firehose.records.rules import written
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

LISTITEMS: Final = operations(
    "listitems",
    wire.OTHER,
    "app.bsky.graph.listitem",
    _FIELDS,
    sort="list_uri",
    claim_asked=False,
    edges=[Edge("member", "subject_did"), Edge("list", "list_uri")],
    rules=[written("subject_did", DID), written("list_uri", AT_URI)],
)
