"""Records of app.bsky.feed.post: text, languages, facets, replies and embeds.

Lives here: building post records with keys in the order in which Jetstream's Go code sorts them. Must not:
choosing who posts, or making events.
"""

from __future__ import annotations

from random import Random
from typing import Any

from jetstream_simulator import identifiers, text
from jetstream_simulator.population import Population, Post
from jetstream_simulator.words import COPIED

_MIME = ("image/jpeg", "image/jpeg", "image/png", "image/webp")


def post(
    rng: Random, people: Population, created_at: str, now_us: int, link: str = ""
) -> tuple[dict[str, Any], Post | None]:
    """A post record, and the post that it answers (None: it starts a thread). With ``link`` it has that card."""
    language, langs = text.languages(rng)
    body = _body(rng, language)
    drawn = rng.random()
    embed = _external(rng, language, link) if link else None
    if not link and drawn < 0.45:
        embed = _embed(rng, people, language, now_us)
    facets: list[dict[str, Any]] = []
    if rng.random() < 0.20:
        body, facets = _with_facets(rng, people, body, embed)
    parent = people.recent_post(now_us) if rng.random() < 0.52 else None
    record: dict[str, Any] = {"$type": "app.bsky.feed.post", "createdAt": created_at}
    if embed is not None:
        record["embed"] = embed
    if facets:
        record["facets"] = facets
    if rng.random() < 0.01:
        record["labels"] = {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "porn"}]}
    if langs is not None:
        record["langs"] = langs
    if parent is not None:
        record["reply"] = {
            "parent": {"cid": parent.cid, "uri": parent.uri},
            "root": {"cid": parent.root_cid, "uri": parent.root_uri},
        }
    if rng.random() < 0.01:
        record["tags"] = [text.hashtag(rng)]
    record["text"] = body
    return record, parent


def blob(rng: Random) -> dict[str, Any]:
    """A reference to an image."""
    return {
        "$type": "blob",
        "ref": {"$link": identifiers.blob_cid(rng.randbytes(32))},
        "mimeType": rng.choice(_MIME),
        "size": rng.randint(20_000, 976_000),
    }


def _body(rng: Random, language: str) -> str:
    drawn = rng.random()
    if drawn < 0.03:
        return ""
    if drawn < 0.04:
        return rng.choice(COPIED)
    if drawn < 0.0401:  # one in 10,000 posts is far over the 300 characters that the app allows
        return text.sentence(rng, language, rng.randint(700, 1900))
    return text.sentence(rng, language, 1 + int(rng.expovariate(1 / 14)) % 48)


def _with_facets(
    rng: Random, people: Population, body: str, embed: dict[str, Any] | None
) -> tuple[str, list[dict[str, Any]]]:
    """``body`` with one to three tags, links or mentions behind it, and their byte ranges.

    A link is often the one of the post's card as well.
    """
    facets = []
    card = (embed or {}).get("external", {}).get("uri", "")
    for _ in range(1 + int(rng.expovariate(1.6)) % 3):
        drawn = rng.random()
        feature: dict[str, str]
        if drawn < 0.5:
            tag = text.hashtag(rng)
            shown, feature = "#" + tag.removeprefix("#"), {"$type": "app.bsky.richtext.facet#tag", "tag": tag}
        elif drawn < 0.8:
            uri = card if card and rng.random() < 0.6 else people.link()
            shown, feature = uri[8:32] + "...", {"$type": "app.bsky.richtext.facet#link", "uri": uri}
        else:
            did = people.did(people.account())
            shown, feature = (
                "@" + text.handle(rng),
                {"$type": "app.bsky.richtext.facet#mention", "did": did},
            )
        body = f"{body} {shown}" if body else shown
        end = len(body.encode())
        start = end - len(shown.encode())
        facets.append({"features": [feature], "index": {"byteEnd": end, "byteStart": start}})
    return body, facets


def _embed(rng: Random, people: Population, language: str, now_us: int) -> dict[str, Any]:
    drawn = rng.random()
    if drawn < 0.45:
        return _images(rng, language)
    if drawn < 0.65:
        return _external(rng, language, text.gif(rng) if drawn < 0.48 else people.link())
    if drawn < 0.93:
        quoted = people.recent_post(now_us)
        return {"$type": "app.bsky.embed.record", "record": {"cid": quoted.cid, "uri": quoted.uri}}
    if drawn < 0.97:
        ratio = {"height": rng.choice((720, 1080, 1920)), "width": rng.choice((720, 1080, 1280))}
        video: dict[str, Any] = {"$type": "app.bsky.embed.video"}
        if rng.random() < 0.3:
            video["alt"] = text.sentence(rng, language, rng.randint(3, 12))
        return video | {"aspectRatio": ratio, "video": blob(rng) | _VIDEO}
    quoted = people.recent_post(now_us)
    return {
        "$type": "app.bsky.embed.recordWithMedia",
        "media": _images(rng, language),
        "record": {
            "$type": "app.bsky.embed.record",
            "record": {"cid": quoted.cid, "uri": quoted.uri},
        },
    }


_VIDEO = {"mimeType": "video/mp4"}


def _images(rng: Random, language: str) -> dict[str, Any]:
    images = []
    for _ in range(rng.choice((1, 1, 1, 1, 2, 4))):
        alt = text.sentence(rng, language, rng.randint(3, 25)) if rng.random() < 0.35 else ""
        size = {"height": rng.randint(400, 2000), "width": rng.randint(400, 2000)}
        images.append({"alt": alt, "aspectRatio": size, "image": blob(rng)})
    return {"$type": "app.bsky.embed.images", "images": images}


def _external(rng: Random, language: str, link: str) -> dict[str, Any]:
    external: dict[str, Any] = {"description": text.sentence(rng, language, rng.randint(0, 24))}
    if rng.random() < 0.7:
        external["thumb"] = blob(rng)
    external["title"] = text.sentence(rng, language, rng.randint(2, 9))
    external["uri"] = link
    return {"$type": "app.bsky.embed.external", "external": external}
