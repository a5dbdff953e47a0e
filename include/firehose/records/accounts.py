"""Account events: whether an account is active, and why not."""

from __future__ import annotations

from typing import Final

from firehose.records.base import RecordType
from firehose.records.columns import FLAG, STRING, Column, Packing
from firehose.records.fields import Flag, Text, columns_of
from firehose.records.identities import SEQ, TIME
from firehose.records.rules import SEQUENCED, Rule
from firehose.records.shared_columns import EXTRA, WITNESSED
from ingester.contract import wire

_FIELDS: Final = (
    SEQ,
    Flag("active", Column("active", FLAG, "Whether the account is active", Packing.FEW)),
    Text(
        "status",
        Column("status", STRING, "Why it is not: deactivated, deleted, takendown, suspended …", Packing.FEW),
    ),
    TIME,
)

ACCOUNTS: Final = RecordType(
    name="accounts",
    queue=wire.ACCOUNTS,
    kind="account",
    columns=(*WITNESSED, *columns_of(_FIELDS), EXTRA),
    identity=("did", "time", "seq", "active", "status", "extra"),
    sort="did",
    rules=(*SEQUENCED, Rule(column="active", required=True)),
    fields=_FIELDS,
)
