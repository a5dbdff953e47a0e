"""What the old system kept of a record, as it kept it: the register of an import, in no way a witnessed event.

Most is null, as the old system kept little; nothing of it is filled in from elsewhere. ``time_us`` says in which
hour a row is filed (:mod:`firehose.legacy.filing`), and is never shown as a time. Whole events, which the old
queue kept, are rows of their own types as well. Must not: read a store.
"""

from __future__ import annotations

from typing import Final

from firehose.records.base import RecordType
from firehose.records.columns import INTEGER, STRING, STRINGS, Column, Packing, ViewColumn
from firehose.records.kept import KEY_CLOCK
from firehose.records.rules import EVENT, Rule
from firehose.records.shared_columns import COMMIT, WITNESSED
from firehose.syntax import NSID, RECORD_KEY, Syntax

#: Its queue: lines of an import, which never come through Redis.
QUEUE: Final = "imported"
#: Kinds of the old system's stores, as firehose.legacy.record names them.
STORES: Final = ("cache-1", "cache-2", "queue", "parquet")
#: By which a row was filed: the event's own time, the record key's clock, the receipt, the claim; or nothing.
FILED_BY: Final = ("event", "key", "receipt", "claim", "nothing")
#: Operations on no record: the old queue kept these events too, and the catch-all's of Jetstream.
_OF_ACCOUNTS: Final = ("identity", "account", "sync")
_KEY: Final = Syntax("a record key, or nothing", f"{RECORD_KEY.pattern}|^$", RECORD_KEY.longest)
_COMMIT: Final = {column.name: column for column in COMMIT}


def _text(name: str, comment: str, packing: Packing = Packing.PLAIN, *, nullable: bool = True) -> Column:
    return Column(name, STRING, comment, packing, nullable=nullable)


def _texts(name: str, comment: str) -> Column:
    return Column(name, STRINGS, comment)


_BATCH, _TIME, _DID = WITNESSED
_FILED: Final = _TIME._replace(
    comment="Where the row is filed, microseconds since 1970: not a time at which anyone saw anything",
    view_name="filed_us",
)
_KEPT: Final = (
    _text("text", "The post's text"),
    _texts("langs", "Languages that the client named; empty also where the old system kept none"),
    _texts("tags", "Hashtags outside the text"),
    _texts("labels", "Labels that the author put on it"),
    _texts("facets", "tag:…, link:… and mention:… of the text; their places in it were not kept"),
    _texts("entities", "The values of a forerunner of facets"),
    _texts("embeds", "Kinds of embed: images, record, external, video"),
    _texts("alts", "Alternative texts of images"),
    _text("embed_uri", "Address of the quoted record"),
    _text("embed_cid", "Content identifier of the quoted record"),
    _text("external_uri", "Address of the linked page"),
    _text("external_title", "Its title"),
    _text("external_description", "Its description"),
    _text("reply_root", "Address of the thread's first post"),
    _text("reply_parent", "Address of the post that it replies to"),
    _text("subject_uri", "Address of the record that is liked or reposted"),
    _text("subject_cid", "Content identifier of that record"),
    _text("subject_did", "The account that is followed or blocked"),
)

IMPORTED: Final = RecordType(
    name="imported",
    queue=QUEUE,
    kind="imported",
    columns=(
        *(_BATCH, _FILED, _DID),
        _text("filed_by", f"What it is filed by: {', '.join(FILED_BY)}", Packing.FEW, nullable=False),
        _text("store", f"Kind of store: {', '.join(STORES)}", Packing.FEW, nullable=False),
        _text("path", "The old system's file, below its root", Packing.PREFIXED, nullable=False),
        _text("place", "Number or id in that file; empty: the file is the record", nullable=False),
        _text("role", "The folder that says why the study kept it", Packing.FEW, nullable=False),
        _text(
            "collection",
            "NSID of the record's collection; empty for events of accounts",
            Packing.FEW,
            nullable=False,
        ),
        _text(
            "operation", "create; in the queue also update, delete, identity, account", Packing.FEW, nullable=False
        ),
        _text("rkey", "Record key; empty where the old system kept none", Packing.PREFIXED, nullable=False),
        _text("rev", "Revision of the repository; only the queue kept it", Packing.PREFIXED),
        _text("cid", "Content identifier of the record"),
        Column(
            "received_us",
            INTEGER,
            "When the old system took it in, microseconds since 1970, to the second; NULL: it did not keep that",
            Packing.RISING,
        ),
        *(_COMMIT[name] for name in ("tid_us", "created_at", "created_at_raw")),
        *_KEPT,
    ),
    # One row a kind of store; in the queue one an event. A list of follows had accounts and no record keys.
    identity=("did", "collection", "rkey", "operation", "cid", "store", "rev", "subject_did"),
    sort="collection",
    kept=(KEY_CLOCK,),
    rules=(
        *EVENT,
        Rule(column="filed_by", required=True, among=FILED_BY),
        Rule(column="store", required=True, among=STORES),
        Rule(column="path", required=True),
        Rule(column="operation", required=True, among=("create", "update", "delete", *_OF_ACCOUNTS)),
        Rule(column="collection", required=True, exempt=_OF_ACCOUNTS, syntax=NSID),
        Rule(column="rkey", required=True, syntax=_KEY),
    ),
    view=(
        ViewColumn(
            "received_at",
            "Nullable(DateTime64(6, 'UTC'))",
            "received_us as an instant",
            "fromUnixTimestamp64Micro(received_us, 'UTC')",
        ),
    ),
)
