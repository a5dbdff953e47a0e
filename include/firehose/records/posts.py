"""Posts: app.bsky.feed.post."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from firehose.records.cbor import Maker, Part
from firehose.records.columns import STRING, STRINGS, Column, Derivation, Edge, Packing
from firehose.records.facets import Derived, derive
from firehose.records.fields import Columns, Json, Strings, Text
from firehose.records.json_sql import ref_in, text_in
from firehose.records.kept_parent import PARENT_CID
from firehose.records.operations import operations
from firehose.records.posts_view import SHOWN, VIEW
from firehose.records.references import Ref, cbor_ref, is_plain_ref, ref_of, refs_taken, strong_ref
from firehose.records.rules import written
from firehose.records.spelling import canonical_languages
from ingester.contract import wire


class _PlainReply(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    parent: Ref
    root: Ref


class _Reply(msgspec.Struct, frozen=True):
    """The posts that a reply answers; see :class:`firehose.records.fields.Field`."""

    key: str
    parent: tuple[Column, Column]
    root: tuple[Column, Column]
    plain: Any = _PlainReply | UnsetType
    required: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        return *self.parent, *self.root

    def take(self, value: object) -> tuple[tuple[Any, ...], bool]:
        if not isinstance(value, dict):
            return (None, None, None, None), False
        parent, root = strong_ref(value.get("parent")), strong_ref(value.get("root"))
        held = (
            len(value) == 2 and is_plain_ref(value.get("parent"), parent) and is_plain_ref(value.get("root"), root)
        )
        return (*parent, *root), held

    def taken(self, values: list[Any]) -> Columns:
        parents = [reply if reply is UNSET else reply.parent for reply in values]
        roots = [reply if reply is UNSET else reply.root for reply in values]
        return refs_taken(self.parent, parents) | refs_taken(self.root, roots)

    def give(self, record: dict[str, Any], row: dict[str, Any]) -> None:
        parent, root = ref_of(self.parent, row), ref_of(self.root, row)
        if parent and root:
            record[self.key] = {"parent": parent, "root": root}

    def cbor(self, make: Maker[Part]) -> Part:
        return make.map({"parent": cbor_ref(self.parent, make), "root": cbor_ref(self.root, make)})

    def found_in(self, record: str) -> tuple[str, ...]:
        parts = [(part, name) for part in ("parent", "root") for name in ("uri", "cid")]
        return tuple(text_in(record, self.key, *part) for part in parts)

    def held_in(self, record: str) -> str:
        refs = (ref_in(record, self.key, part) for part in ("parent", "root"))
        return " AND ".join([f"JSONLength({record}, '{self.key}') = 2", *refs])


_FIELDS: Final = (
    Text(
        "text", Column("text", STRING, "The post's text; NULL for a delete", closed=Packing.LENGTHS), required=True
    ),
    Strings("langs", Column("langs", STRINGS, "Languages that the client declared", Packing.SHARED)),
    _Reply(
        "reply",
        (
            Column("reply_parent_uri", STRING, "The post that this one answers", closed=Packing.PREFIXED),
            Column("reply_parent_cid", STRING, "Its content identifier", closed=Packing.PREFIXED),
        ),
        (
            Column("reply_root_uri", STRING, "The post that began the thread", Packing.SHARED),
            Column("reply_root_cid", STRING, "Its content identifier", Packing.SHARED),
        ),
    ),
    Json(
        "embed",
        Column("embed", STRING, "JSON of the embed, as in the record", closed=Packing.LENGTHS),
        in_cid=True,
    ),
    Json(
        "facets",
        Column("facets", STRING, "JSON of the facets, as in the record"),
        shape=list[Any],
        in_cid=True,
    ),
)
# Taken out of embed, facets and tags, so that the usual questions need no JSON. The last ones have one spelling
# for all who meant the same, each value once.
_DERIVED: Final = (
    Column("embed_type", STRING, "Type of the embed, such as app.bsky.embed.images", Packing.FEW),
    Column("quoted_uri", STRING, "The record that the post quotes", closed=Packing.PREFIXED),
    Column(
        "hashtags",
        STRINGS,
        "Tags of facets and of the record in lower case without #, otherwise as written: use tags to count",
        closed=Packing.SHARED,
    ),
    Column(
        "links",
        STRINGS,
        "URLs of facets and of an external embed, as written, each once",
        closed=Packing.SHARED,
    ),
    Column("mentions", STRINGS, "DIDs that the post mentions", closed=Packing.PREFIXED),
    Column(
        "tags",
        STRINGS,
        "Tags of facets and of the record, each once, in one spelling: without #; case, width and composition"
        " folded",
        shown=SHOWN["tags"],
        closed=Packing.SHARED,
    ),
    Column(
        "link_hosts",
        STRINGS,
        "Hosts of links, each once: lower case, punycode, without www., user, port and trailing dot",
        Packing.SHARED,
        shown=SHOWN["link_hosts"],
    ),
    Column(
        "link_domains",
        STRINGS,
        "Registered domains of links by the public suffix list, each once: bbc.co.uk of news.bbc.co.uk",
        Packing.SHARED,
        shown=SHOWN["link_domains"],
    ),
)
_LANGUAGES: Final = Column(
    "languages",
    STRINGS,
    "Declared languages, each once, in canonical form (BCP 47): pt-BR; und where it is not a language tag",
    Packing.SHARED,
    shown=SHOWN["languages"],
    made_of="langs",
    make=canonical_languages,
)


def _of_record(record: dict[str, Any]) -> Derived:
    return derive(record.get("embed"), record.get("facets"), record.get("tags"))


def _of_plain(record: Any) -> Derived:
    return derive(record.embed or None, record.facets or None, None)


POSTS: Final = operations(
    "posts",
    wire.POSTS,
    "app.bsky.feed.post",
    _FIELDS,
    sort="reply_root_uri",
    rules=[written("text")],
    derivation=Derivation(_DERIVED, _of_record, _of_plain),
    made=[_LANGUAGES],
    view=VIEW,
    kept=[PARENT_CID],
    by_user=True,
    edges=[
        Edge("reply", "reply_parent_uri"),
        Edge("root", "reply_root_uri"),
        Edge("quote", "quoted_uri"),
        Edge("mention", "mentions"),
    ],
)
