"""Columns that the view of posts computes: usual questions, so that a query needs no JSON and meets no NULL.

Lives here: SQL over the stored columns, named ``stored.<column>`` where a view's column has the same name. It
costs no storage, and serves files of earlier versions as well. Must not: read files.
"""

from __future__ import annotations

from typing import Final

from firehose.records.columns import ViewColumn
from firehose.records.links import GIF_HOSTS
from firehose.records.view import account, flag, self_labels

_EMBED: Final = "app.bsky.embed."
# The type of the media where an embed has media and a quote; otherwise the embed's own type.
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


#: How the view shows lists that files of earlier versions lack.
SHOWN: Final = {
    "tags": _or_made_of("tags", "hashtags", _TAG),
    "link_hosts": _or_made_of("link_hosts", "links", _HOST),
    "link_domains": _or_made_of("link_domains", "links", _DOMAIN),
    "languages": _or_made_of("languages", "langs", _LANGUAGE),
}
VIEW: Final = (
    flag(
        "is_reply",
        "Whether the post answers another one",
        "isNotNull(reply_parent_uri) OR isNotNull(reply_root_uri)",
    ),
    flag(
        "has_images", "Whether it shows images, GIFs of a picker not counted", f"{_MEDIA_TYPE} = '{_EMBED}images'"
    ),
    flag("has_video", "Whether it shows a video", f"{_MEDIA_TYPE} = '{_EMBED}video'"),
    flag(
        "has_gif",
        "Whether it shows a GIF of a picker, which is a card of a GIF host",
        f"hasAny(link_hosts, {_GIFS})",
    ),
    flag(
        "has_link",
        "Whether it links to anything but GIFs",
        f"length(links) > countEqual(arrayMap(x -> has({_GIFS}, {_HOST.format('x')}), links), true)",
    ),
    flag("has_quote", "Whether it quotes a record", "isNotNull(quoted_uri)"),
    ViewColumn(
        "alt_texts",
        "Array(String)",
        "The alternative text of each image or video in order; empty where there is none",
        f"multiIf({_MEDIA_TYPE} = '{_EMBED}images', arrayMap(x -> JSONExtractString(x, 'alt'),"
        f" JSONExtractArrayRaw({_MEDIA}, 'images')), {_MEDIA_TYPE} = '{_EMBED}video',"
        f" [JSONExtractString({_MEDIA}, 'alt')], [])",
    ),
    self_labels("the post"),
    account("parent_did", "Account of the post that this one answers; empty: none", "reply_parent_uri"),
    account("root_did", "Account of the post that began the thread; empty: none", "reply_root_uri"),
    account("quoted_did", "Account of the record that the post quotes; empty: none", "quoted_uri"),
)
