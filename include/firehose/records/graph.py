"""Follows and blocks: records about an account."""

from __future__ import annotations

from typing import Final

from firehose.records.base import STRING, Column, Packing, RecordType
from firehose.records.fast import fast
from firehose.records.fields import Text, columns_of
from firehose.records.rules import OPERATION_RULES, written
from firehose.records.shared_columns import COMMIT, OPERATION, WITNESSED
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


def _edge(name: str, queue: str, collection: str) -> RecordType:
    return RecordType(
        name=name,
        queue=queue,
        collections=(collection,),
        columns=(*WITNESSED, *COMMIT, *columns_of(_FIELDS)),
        identity=OPERATION,
        sort="did",
        rules=(*OPERATION_RULES, written("subject_did", DID)),
        fields=_FIELDS,
        fast=fast(_FIELDS),
    )


FOLLOWS: Final = _edge("follows", wire.FOLLOWS, "app.bsky.graph.follow")
BLOCKS: Final = _edge("blocks", wire.BLOCKS, "app.bsky.graph.block")
