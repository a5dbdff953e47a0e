"""Follows and blocks: records about an account."""

from __future__ import annotations

from typing import Final

from firehose.records.base import RecordType
from firehose.records.columns import STRING, Column, Edge, Packing
from firehose.records.fields import Text
from firehose.records.operations import operations
from firehose.records.rules import written
from firehose.syntax import DID
from ingester.contract import wire

_FIELDS: Final = (
    Text(
        "subject",
        Column(
            "subject_did",
            STRING,
            "The account that is followed or blocked; empty for a delete",
            Packing.SHARED,
            nullable=False,
        ),
        required=True,
    ),
)


def _edge(name: str, queue: str, collection: str, kind: str) -> RecordType:
    rules, edges = [written("subject_did", DID)], [Edge(kind, "subject_did")]
    return operations(name, queue, collection, _FIELDS, sort="did", rules=rules, claim_asked=False, edges=edges)


FOLLOWS: Final = _edge("follows", wire.FOLLOWS, "app.bsky.graph.follow", "follow")
BLOCKS: Final = _edge("blocks", wire.BLOCKS, "app.bsky.graph.block", "block")
