"""What people ask of a post's facets and embed, taken out of them: hashtags, links, mentions, quotes.

What was written is kept, and next to it its one spelling: tags, hosts and registered domains of links.

Shapes: app.bsky.richtext.facet, app.bsky.embed.*. Whatever has another shape gives nothing, never an error.
"""

from __future__ import annotations

from typing import NamedTuple

from firehose.records.links import site
from firehose.records.spelling import tag

_FEATURE = "app.bsky.richtext.facet#"
_RECORD_EMBEDS = ("app.bsky.embed.record", "app.bsky.embed.recordWithMedia")


class Derived(NamedTuple):
    """The derived columns of a post, in the schema's order; None where a list would be empty."""

    embed_type: str | None
    quoted_uri: str | None
    hashtags: list[str] | None
    links: list[str] | None
    mentions: list[str] | None
    tags: list[str] | None
    link_hosts: list[str] | None
    link_domains: list[str] | None


_NOTHING = Derived(None, None, None, None, None, None, None, None)


def derive(embed: object, facets: object, tags: object) -> Derived:
    """The derived columns of a post whose decoded record has these parts; None for those it lacks."""
    if embed is None and facets is None and tags is None:
        return _NOTHING
    written, uris, dids = _featured(facets)
    if isinstance(tags, list):
        written += [each for each in tags if isinstance(each, str)]
    embed_type, quoted, link = _embedded(embed)
    if link:
        uris.append(link)
    hashtags = spelt = hosts = domains = None
    if written:
        hashtags = _distinct([each.removeprefix("#").lower() for each in written])
        spelt = _distinct([once for each in written if (once := tag(each))])
    if uris:
        sites = [to for uri in uris if (to := site(uri))]
        hosts, domains = _distinct([to.host for to in sites]), _distinct([to.domain for to in sites])
    return Derived(embed_type, quoted, hashtags, _distinct(uris), _distinct(dids), spelt, hosts, domains)


def _distinct(values: list[str]) -> list[str] | None:
    return list(dict.fromkeys(values)) if values else None


def _featured(facets: object) -> tuple[list[str], list[str], list[str]]:
    """Tags, URLs and DIDs of the facets' features."""
    tags: list[str] = []
    uris: list[str] = []
    dids: list[str] = []
    for facet in facets if isinstance(facets, list) else ():
        features = facet.get("features") if isinstance(facet, dict) else None
        for feature in features if isinstance(features, list) else ():
            if not isinstance(feature, dict) or not str(feature.get("$type", "")).startswith(_FEATURE):
                continue
            if isinstance(value := feature.get("tag"), str):
                tags.append(value)
            if isinstance(value := feature.get("uri"), str):
                uris.append(value)
            if isinstance(value := feature.get("did"), str):
                dids.append(value)
    return tags, uris, dids


def _embedded(embed: object) -> tuple[str | None, str | None, str | None]:
    """Type, quoted record's URI, and external link of an embed."""
    if not isinstance(embed, dict):
        return None, None, None
    kind, media = embed.get("$type"), embed.get("media")
    quoted = None
    if kind in _RECORD_EMBEDS:
        quoted = _at(embed, "record", "uri") or _at(embed, "record", "record", "uri")
    link = _at(media if isinstance(media, dict) else embed, "external", "uri")
    return kind if isinstance(kind, str) else None, quoted, link


def _at(value: object, *path: str) -> str | None:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None
