"""Likes and reposts: records about a record."""

from __future__ import annotations

from typing import Final

from firehose.records.base import RecordType
from firehose.records.columns import STRING, Column, Edge, Packing
from firehose.records.operations import operations
from firehose.records.references import StrongRef
from firehose.records.rules import written
from firehose.records.view import account
from firehose.syntax import AT_URI
from ingester.contract import wire

_FIELDS: Final = (
    StrongRef(
        "subject",
        Column("subject_uri", STRING, "The record that is liked or reposted; NULL for a delete", Packing.SHARED),
        Column("subject_cid", STRING, "Its content identifier", Packing.SHARED),
        required=True,
    ),
    StrongRef(
        "via",
        Column(
            "via_uri", STRING, "The repost through which the account found the record", closed=Packing.PREFIXED
        ),
        Column("via_cid", STRING, "Its content identifier", closed=Packing.PREFIXED),
    ),
)
_SUBJECT_DID: Final = account(
    "subject_did", "Account of the record that is liked or reposted; empty for a delete", "subject_uri"
)


def _interaction(name: str, queue: str, collection: str, kind: str) -> RecordType:
    rules = [written("subject_uri", AT_URI), written("subject_cid")]
    return operations(
        name,
        queue,
        collection,
        _FIELDS,
        sort="subject_uri",
        rules=rules,
        claim_asked=False,
        view=[_SUBJECT_DID],
        by_user=True,
        edges=[Edge(kind, "subject_uri")],
    )


LIKES: Final = _interaction("likes", wire.LIKES, "app.bsky.feed.like", "like")
REPOSTS: Final = _interaction("reposts", wire.REPOSTS, "app.bsky.feed.repost", "repost")
