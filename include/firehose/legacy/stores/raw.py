"""What the old system's PDS backfill (``raw_sync``) kept: parts of records as JSON in texts, and joined lists.

Lives here: each of these parts. Must not: open a file; its ``synctimestamp``, which was made up, as a time.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from firehose.legacy.stores.texts import Broken

#: Later versions of the backfill put this in the place of what they dropped.
_REMOVED: Final = "<removed>"


def _decoded(column: str, text: str | None, kind: type) -> Any:
    if text is None or text == _REMOVED:
        return None
    try:
        value = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Broken(f"{column}: {error}") from None
    if value is not None and not isinstance(value, kind):
        raise Broken(f"{column}: not what the old system wrote, but {text[:60]!r}")
    return value


def _part(column: str, value: Any, *path: str) -> Any:
    """The text or part at ``path`` within ``value``; None where the record had none."""
    for name in path:
        if value is None:
            return None
        if not isinstance(value, dict):
            raise Broken(f"{column}: no object around {name}")
        value = value.get(name)
    return value


def _text(column: str, value: Any, *path: str) -> str | None:
    found = _part(column, value, *path)
    if found is not None and not isinstance(found, str):
        raise Broken(f"{column}: {path[-1] if path else 'it'} is not a text")
    return found


def _type(value: dict[str, Any]) -> str:
    name = value.get("$type", value.get("py_type"))
    return name if isinstance(name, str) else ""


def embed_fields(text: str | None) -> dict[str, Any]:
    """The fields that follow from a post's embed.

    Raises:
        Broken: it says no kind, or is not what its kind looks like.
    """
    embed = _decoded("embed", text, dict)
    if embed is None:
        return {}
    fields: dict[str, Any] = {"embeds": []}
    if _type(embed) == "app.bsky.embed.recordWithMedia":
        _add_embed(fields, _part("embed", embed, "media"))
        _add_embed(fields, {"$type": "app.bsky.embed.record", **(_part("embed", embed, "record") or {})})
    else:
        _add_embed(fields, embed)
    return fields


def _add_embed(fields: dict[str, Any], embed: Any) -> None:
    kind = _type(embed).removeprefix("app.bsky.embed.") if isinstance(embed, dict) else ""
    if not kind:
        raise Broken("embed: it says no kind")
    fields["embeds"].append(kind)
    if kind == "images":
        images = _part("embed", embed, "images")
        if not isinstance(images, list):
            raise Broken("embed: images is not a list")
        fields["alts"] = [_text("embed", image, "alt") or "" for image in images]
    elif kind == "record":
        record = _part("embed", embed, "record")
        fields["embed_uri"], fields["embed_cid"] = _text("embed", record, "uri"), _text("embed", record, "cid")
    elif kind == "external":
        for name in ("uri", "title", "description"):
            fields[f"external_{name}"] = _text("embed", embed, "external", name)


_FEATURES: Final = {"tag": "tag", "link": "uri", "mention": "did"}


def facets(text: str | None) -> list[str] | None:
    """``kind:value`` of each feature of known kind; features of other kinds have none.

    Raises:
        Broken: it is not a list of facets.
    """
    found = _decoded("facets", text, list)
    if found is None:
        return None
    values = []
    for facet in found:
        features = _part("facets", facet, "features")
        if not isinstance(features, list):
            raise Broken("facets: features is not a list")
        for feature in features:
            if not isinstance(feature, dict):
                raise Broken("facets: a feature is not an object")
            kind = _type(feature).removeprefix("app.bsky.richtext.facet#")
            if kind in _FEATURES:
                values.append(f"{kind}:{_text('facets', feature, _FEATURES[kind])}")
    return values


def labels(text: str | None) -> list[str] | None:
    """The values of a post's labels of itself.

    Raises:
        Broken: it is not what such labels look like.
    """
    return _values("labels", _part("labels", _decoded("labels", text, dict), "values"), "val")


def entities(text: str | None) -> list[str] | None:
    """The values of a post's entities.

    Raises:
        Broken: it is not a list of entities.
    """
    return _values("entities", _decoded("entities", text, list), "value")


def _values(column: str, items: Any, name: str) -> list[str] | None:
    if items is None:
        return None
    if not isinstance(items, list):
        raise Broken(f"{column}: no list of values")
    return [_text(column, item, name) or "" for item in items]


def reply_fields(text: str | None) -> dict[str, Any]:
    """The root and the parent of a reply, by their addresses.

    Raises:
        Broken: it is not an object with these.
    """
    reply = _decoded("reply", text, dict)
    return {f"reply_{end}": _text("reply", reply, end, "uri") for end in ("root", "parent")}


def subject_fields(text: str | None) -> dict[str, Any]:
    """What a like or a repost is of.

    Raises:
        Broken: it is not a strong reference.
    """
    subject = _decoded("subject", text, dict)
    uri, cid = _text("subject", subject, "uri"), _text("subject", subject, "cid")
    if uri is None:
        raise Broken("subject: it has no uri")
    return {"subject_uri": uri, "subject_cid": cid}
