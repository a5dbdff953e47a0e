"""Every collection without a type of its own, where ``extra`` holds the whole record; and the sync events.

A sync event has no collection, and the relay's sequence number in the place of the record key.
"""

from __future__ import annotations

from typing import Final

from firehose.records.base import RecordType
from firehose.records.columns import STRING, SYNC, Column, Packing
from firehose.records.kept import KEY_CLOCK, REVISION
from firehose.records.rules import NO_WRITE, OPERATIONS, ROW, Rule
from firehose.records.shared_columns import COMMIT, WITNESSED
from firehose.syntax import NSID
from ingester.contract import wire

_COLLECTION: Final = Column(
    "collection", STRING, "NSID of the record's collection; empty for a sync event", Packing.FEW, nullable=False
)
_COMMENTS: Final = {
    "operation": "create, update or delete; or sync: the repository is to be fetched again",
    "rkey": "Record key; of a sync event the relay's sequence number",
}
_COMMIT: Final = tuple(column._replace(comment=_COMMENTS.get(column.name, column.comment)) for column in COMMIT)

OTHER: Final = RecordType(
    name="other",
    queue=wire.OTHER,
    columns=(*WITNESSED, _COLLECTION, *_COMMIT),
    identity=("did", "rev", "collection", "rkey", "operation"),
    sort="collection",
    kept=(KEY_CLOCK, REVISION),
    rules=(
        *ROW,
        Rule(column="operation", required=True, among=(*OPERATIONS, SYNC)),
        Rule(column="collection", required=True, exempt=(SYNC,), syntax=NSID),
        Rule(column="extra", required=True, exempt=NO_WRITE),
    ),
)
