"""Identity events: an account's handle or its document may have changed."""

from __future__ import annotations

from typing import Final

from firehose.records.base import RecordType
from firehose.records.columns import INTEGER, STRING, Column, Packing
from firehose.records.fields import Number, Text, columns_of
from firehose.records.rules import SEQUENCED
from firehose.records.shared_columns import EXTRA, WITNESSED
from ingester.contract import wire

#: Of identity and account events.
SEQ: Final = Number("seq", Column("seq", INTEGER, "The relay's sequence number", Packing.RISING, nullable=False))
TIME: Final = Text("time", Column("time", STRING, "The relay's time of the event, as sent"))
_FIELDS: Final = (
    SEQ,
    Text("handle", Column("handle", STRING, "The account's handle; NULL where the event has none")),
    TIME,
)

IDENTITIES: Final = RecordType(
    name="identities",
    queue=wire.IDENTITIES,
    kind="identity",
    columns=(*WITNESSED, *columns_of(_FIELDS), EXTRA),
    identity=("did", "time", "seq", "handle", "extra"),
    sort="did",
    rules=SEQUENCED,
    fields=_FIELDS,
)
