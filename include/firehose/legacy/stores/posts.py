"""A post as the old system flattened it: 23 keys in its cache, the same columns in its Parquet files.

Lives here: these keys, and what each means. Must not: open a file; the raw posts of the PDS backfill (raw.py).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from firehose.legacy.stores.texts import Broken, facets, split

COLLECTION: Final = "app.bsky.feed.post"


class Post(msgspec.Struct, forbid_unknown_fields=True):
    """The keys of a post. The counts and what says who the author is were null for all of the firehose."""

    uri: str
    cid: str
    author_did: str
    created_at: str
    text: str
    synctimestamp: str
    source: str
    indexed_at: str | None = None
    author_handle: str | None = None
    author_avatar: str | None = None
    author_display_name: str | None = None
    embed: str | None = None
    entities: str | None = None
    facets: str | None = None
    labels: str | None = None
    langs: str | None = None
    reply_parent: str | None = None
    reply_root: str | None = None
    tags: str | None = None
    url: str | None = None
    like_count: int | float | None = None
    reply_count: int | float | None = None
    repost_count: int | float | None = None


class _Embedded(msgspec.Struct, forbid_unknown_fields=True):
    cid: str | None = None
    uri: str | None = None


class _External(msgspec.Struct, forbid_unknown_fields=True):
    description: str | None = None
    title: str | None = None
    uri: str | None = None


class _Embed(msgspec.Struct, forbid_unknown_fields=True):
    has_image: bool
    has_embedded_record: bool
    has_external: bool
    image_alt_text: str | None = None
    embedded_record: _Embedded | None = None
    external: _External | None = None


_embed: Final = msgspec.json.Decoder(_Embed).decode
_NO_EMBED: Final[dict[str, Any]] = {}


def embed_fields(text: str | None) -> dict[str, Any]:
    """The fields of a record that follow from ``embed``, JSON in a text.

    Raises:
        Broken: it is not what the old system wrote.
    """
    if text is None:
        return _NO_EMBED
    try:
        embed = _embed(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Broken(f"embed: {error}") from None
    kinds = (("images", embed.has_image), ("record", embed.has_embedded_record), ("external", embed.has_external))
    fields: dict[str, Any] = {"embeds": [kind for kind, has in kinds if has]}
    if embed.image_alt_text is not None:
        fields["alts"] = split(embed.image_alt_text)
    if (record := embed.embedded_record) is not None:
        fields |= {"embed_uri": record.uri, "embed_cid": record.cid}
    if (external := embed.external) is not None:
        fields["external_uri"] = external.uri
        fields |= {"external_title": external.title, "external_description": external.description}
    return fields


def post_fields(post: Post, separators: str = ";") -> dict[str, Any]:
    """The fields of a record that follow from a post, but for its names and the time of receipt.

    ``separators`` as for :func:`~firehose.legacy.stores.texts.split`.

    Raises:
        Broken: a part of it is not what the old system wrote.
    """
    return {
        "cid": post.cid,
        "created_at": post.created_at,
        "text": post.text,
        "langs": split(post.langs, separators),
        "tags": split(post.tags, separators),
        "labels": split(post.labels, separators),
        "entities": split(post.entities, separators),
        "facets": facets(post.facets),
        "reply_root": post.reply_root,
        "reply_parent": post.reply_parent,
        **embed_fields(post.embed),
    }
