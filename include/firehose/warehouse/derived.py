"""Columns that the views compute: the answers to usual questions, so that a query needs no JSON and meets no NULL.

Lives here: expressions over the stored columns, named ``stored.<column>`` where a view's column has the same name.
Must not: read files. They cost no storage, and serve files of earlier versions as well.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from firehose import schema
from firehose.events.links import GIF_HOSTS


class Column(NamedTuple):
    """A column of a view. ``expression`` is empty where it is read from the file as it is."""

    name: str
    type: str
    comment: str
    expression: str = ""


_EMBED: Final = "app.bsky.embed."
# Of an embed with media beside a quote, the media's type; else the embed's own.
_MEDIA_TYPE: Final = (
    f"if(ifNull(embed_type, '') = '{_EMBED}recordWithMedia',"
    " JSONExtractString(ifNull(embed, ''), 'media', '$type'), ifNull(embed_type, ''))"
)
_MEDIA: Final = (
    f"if(ifNull(embed_type, '') = '{_EMBED}recordWithMedia',"
    " JSONExtractRaw(ifNull(embed, ''), 'media'), ifNull(embed, ''))"
)
_GIFS: Final = "[" + ", ".join(f"'{host}'" for host in GIF_HOSTS) + "]"
_ONE: Final = "arrayDistinct(arrayFilter(x -> x != '', arrayMap({map}, {of})))"
# For files from before a column was stored: the engine's own functions, which know no punycode and no list of
# public suffixes, but lose no row.
_HOST: Final = (
    "replaceRegexpOne(trimRight(lower(domainRFC(if(position({0}, ':') = 0, concat('//', {0}), {0}))), '.'),"
    " '^www[.]', '')"
)
_DOMAIN: Final = (
    f"if(cutToFirstSignificantSubdomain({_HOST}) = '', {_HOST}, cutToFirstSignificantSubdomain({_HOST}))"
)
_TAG: Final = "trimBoth(replaceRegexpOne(normalizeUTF8NFKCCasefold({0}), '^[#\\\\s]+', ''))"
_LANGUAGE: Final = (
    "concat(lower(splitByChar('-', replaceAll({0}, '_', '-'))[1]),"
    " arrayStringConcat(arrayMap(p -> concat('-', multiIf(length(p) = 2, upper(p), length(p) = 4, initcap(p),"
    " lower(p))), arraySlice(splitByChar('-', replaceAll({0}, '_', '-')), 2))))"
)


def _or_made_of(name: str, source: str, expression: str) -> str:
    """A stored list; where it is empty although its source is not, the file is older than the column."""
    made = _ONE.format(map="x -> " + expression.format("x"), of=f"stored.{source}")
    return f"if(empty(stored.{name}) AND notEmpty(stored.{source}), {made}, stored.{name})"


def _did_of(uri: str) -> str:
    return f"extract(ifNull({uri}, ''), '^at://(did:[^/]+)')"


_CLAIM: Final = "concat(replaceOne(substring(toString(stored.created_at), 1, 23), ' ', 'T'), 'Z')"
# What Date and DateTime hold: a function that returns one of them turns any other instant into a wrong day.
_IN_CALENDAR: Final = (
    "stored.created_at >= toDateTime64('1970-01-01 00:00:00', 6, 'UTC')"
    " AND stored.created_at < toDateTime64('2106-02-07 00:00:00', 6, 'UTC')"
)

SAMPLE: Final = Column(
    "sample",
    "Float64",
    "A number in [0, 1) that is the account's own: sample < 0.01 takes one account in a hundred with all that it"
    " did. It is the first 32 bits of MD5(did), divided by 2^32",
    "reinterpretAsUInt32(reverse(substring(MD5(did), 1, 4))) / 4294967296",
)
#: Columns of a file that a view shows in another way, by name.
SHOWN: Final = {
    "extra": Column(
        "extra",
        "String",
        "JSON object of every part of the record that no other column gives back exactly; {} where there is none."
        " It is the whole record in other, and where the record's $type is not its collection",
        "multiIf(stored.extra IS NULL, '{}', startsWith(assumeNotNull(stored.extra), '['),"
        " substring(assumeNotNull(stored.extra), 2, length(assumeNotNull(stored.extra)) - 2),"
        " assumeNotNull(stored.extra))",
    ),
    "created_at": Column(
        "created_at",
        "Nullable(DateTime64(6, 'UTC'))",
        "When the client claims that the record was made; NULL where it gave no instant between 1970 and 2106",
        f"if({_IN_CALENDAR}, stored.created_at, NULL)",
    ),
    "created_at_raw": Column(
        "created_at_raw",
        "Nullable(String)",
        "That claim as text, where created_at in canonical form does not give it back",
        f"if(stored.created_at_raw IS NULL AND NOT ({_IN_CALENDAR}), {_CLAIM}, stored.created_at_raw)",
    ),
    "tags": Column(
        "tags",
        "Array(String)",
        "Tags of facets and of the record, each once, in one spelling: without #; case, width and composition"
        " folded",
        _or_made_of("tags", "hashtags", _TAG),
    ),
    "link_hosts": Column(
        "link_hosts",
        "Array(String)",
        "Hosts of links, each once: lower case, punycode, without www., user, port and trailing dot",
        _or_made_of("link_hosts", "links", _HOST),
    ),
    "link_domains": Column(
        "link_domains",
        "Array(String)",
        "Registered domains of links by the public suffix list, each once: bbc.co.uk of news.bbc.co.uk",
        _or_made_of("link_domains", "links", _DOMAIN),
    ),
    "languages": Column(
        "languages",
        "Array(String)",
        "Declared languages, each once, in canonical form (BCP 47): pt-BR; und where it is not a language tag",
        _or_made_of("languages", "langs", _LANGUAGE),
    ),
}


def _flag(name: str, comment: str, expression: str) -> Column:
    return Column(name, "Bool", comment, expression)


def _account(name: str, comment: str, expression: str) -> Column:
    return Column(name, "String", comment, expression)


_NOT_NULL: Final = "{} IS NOT NULL"
_POSTS: Final = (
    _flag(
        "is_reply",
        "Whether the post answers another one",
        "isNotNull(reply_parent_uri) OR isNotNull(reply_root_uri)",
    ),
    _flag(
        "has_images", "Whether it shows images, GIFs of a picker not counted", f"{_MEDIA_TYPE} = '{_EMBED}images'"
    ),
    _flag("has_video", "Whether it shows a video", f"{_MEDIA_TYPE} = '{_EMBED}video'"),
    _flag(
        "has_gif",
        "Whether it shows a GIF of a picker, which is a card of a GIF host",
        f"hasAny(link_hosts, {_GIFS})",
    ),
    _flag(
        "has_link",
        "Whether it links to anything but GIFs",
        f"length(links) > countEqual(arrayMap(x -> has({_GIFS}, {_HOST.format('x')}), links), true)",
    ),
    _flag("has_quote", "Whether it quotes a record", "isNotNull(quoted_uri)"),
    Column(
        "alt_texts",
        "Array(String)",
        "The alternative text of each image or video in order; empty where there is none",
        f"multiIf({_MEDIA_TYPE} = '{_EMBED}images', arrayMap(x -> JSONExtractString(x, 'alt'),"
        f" JSONExtractArrayRaw({_MEDIA}, 'images')), {_MEDIA_TYPE} = '{_EMBED}video',"
        f" [JSONExtractString({_MEDIA}, 'alt')], [])",
    ),
    Column(
        "self_labels",
        "Array(String)",
        "Labels that the author put on the post, such as porn; labels of moderators are another stream",
        "arrayMap(x -> JSONExtractString(x, 'val'), JSONExtractArrayRaw(extra, 'labels', 'values'))",
    ),
    _account("parent_did", "Account of the post that this one answers; empty: none", _did_of("reply_parent_uri")),
    _account("root_did", "Account of the post that began the thread; empty: none", _did_of("reply_root_uri")),
    _account("quoted_did", "Account of the record that the post quotes; empty: none", _did_of("quoted_uri")),
)
_SUBJECT_DID: Final = _account(
    "subject_did", "Account of the record that is liked or reposted; empty for a delete", _did_of("subject_uri")
)
#: Columns that a view adds, by record type.
ADDED: Final[dict[str, tuple[Column, ...]]] = {
    **dict.fromkeys(schema.TYPES, (SAMPLE,)),
    schema.POSTS: (SAMPLE, *_POSTS),
    schema.LIKES: (SAMPLE, _SUBJECT_DID),
    schema.REPOSTS: (SAMPLE, _SUBJECT_DID),
}
