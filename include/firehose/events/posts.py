"""What people ask of a post's facets and embed, taken out of them: hashtags, links, mentions, quotes.

Beside what was written stands its one spelling: tags, hosts and registered domains of links, languages.

Shapes: app.bsky.richtext.facet, app.bsky.embed.*. Whatever has another shape gives nothing, never an error.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from firehose.events.links import site
from firehose.events.spelling import language, tag

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
    """The derived columns of a post whose decoded record has these parts; None for what it has not."""
    if embed is None and facets is None and tags is None:
        return _NOTHING
    found: dict[str, list[str]] = {"tag": [], "uri": [], "did": []}
    for feature in _features(facets):
        for key, values in found.items():
            if isinstance(value := feature.get(key), str):
                values.append(value)
    found["tag"] += [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
    embed_type, quoted, link = _embedded(embed)
    if link:
        found["uri"].append(link)
    written = found["tag"]
    sites = [to for uri in found["uri"] if (to := site(uri))]
    return Derived(
        embed_type,
        quoted,
        _distinct([each.removeprefix("#").lower() for each in written]),
        _distinct(found["uri"]),
        _distinct(found["did"]),
        _distinct([spelt for each in written if (spelt := tag(each))]),
        _distinct([to.host for to in sites]),
        _distinct([to.domain for to in sites]),
    )


def canonical_languages(declared: list[str] | None) -> list[str] | None:
    """The languages that a post declares, each once and in canonical form; None where it declares none."""
    return _distinct([language(each) for each in declared]) if declared else None


def _distinct(values: list[str]) -> list[str] | None:
    return list(dict.fromkeys(values)) or None


def _features(facets: object) -> list[dict[str, Any]]:
    if not isinstance(facets, list):
        return []
    return [
        feature
        for facet in facets
        if isinstance(facet, dict) and isinstance(features := facet.get("features"), list)
        for feature in features
        if isinstance(feature, dict) and str(feature.get("$type", "")).startswith(_FEATURE)
    ]


def _embedded(embed: object) -> tuple[str | None, str | None, str | None]:
    """Type, quoted record's URI, and external link of an embed."""
    if not isinstance(embed, dict):
        return None, None, None
    kind = embed.get("$type")
    quoted = _at(embed, "record", "uri") or _at(embed, "record", "record", "uri")
    media = embed.get("media") if isinstance(embed.get("media"), dict) else embed
    link = _at(media, "external", "uri")
    return (
        kind if isinstance(kind, str) else None,
        quoted if kind in _RECORD_EMBEDS else None,
        link,
    )


def _at(value: object, *path: str) -> str | None:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None
