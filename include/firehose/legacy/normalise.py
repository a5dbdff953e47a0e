"""What of a record can be compared between the old system and the lake, and in which form.

Lives here: one form for both, out of what the old system kept and out of a whole record. Pure. What the old system
did not keep (None) is not compared. Must not: read a store or the lake, decide what a difference means.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from firehose.legacy.record import OldRecord

#: Compared as they are.
EXACT: Final = ("cid", "subject_uri", "subject_cid", "subject_did", "embed_uri", "embed_cid")
#: Compared in the form that this module gives them.
NORMALISED: Final = (
    *("text", "created_at", "langs", "tags", "labels", "facets", "embeds", "alts"),
    *("external_uri", "external_title", "external_description", "reply_root", "reply_parent"),
)
#: Never compared: the old system made them itself, or made them up.
NEVER: Final = (
    *("synctimestamp", "partition_date", "url", "indexed_at", "like_count", "reply_count", "repost_count"),
)
#: These are sets: the old system kept neither their order nor how often each is there, or wrote them by ``;``.
_SETS: Final = frozenset({"langs", "tags", "labels", "facets", "embeds", "alts"})
#: What separates the values of a list in the old system's files; it may also be a part of one, as in a URL.
_SEPARATOR: Final = ";"
_KINDS: Final = {"tag": "tag", "uri": "link", "did": "mention"}
_RECORD_EMBEDS: Final = ("app.bsky.embed.record", "app.bsky.embed.recordWithMedia")

Fields = dict[str, Any]


def of_old(old: OldRecord) -> Fields:
    """What the old system kept of a record, in the form that is compared."""
    if old.event is not None:
        return of_event(old.event)
    kept = ((name, getattr(old, name)) for name in (*EXACT, *NORMALISED))
    return {name: _form(name, value) for name, value in kept if value is not None}


def of_event(event: bytes) -> Fields:
    """The same of a whole event, in Jetstream's form. Of a delete there is nothing."""
    commit = msgspec.json.decode(event).get("commit") or {}
    record = commit.get("record")
    return of_record(record, commit.get("cid")) if isinstance(record, dict) else {}


def of_record(record: dict[str, Any], cid: str | None) -> Fields:
    """The same of a whole record; what it does not have is empty."""
    subject = record.get("subject")
    ref = subject if isinstance(subject, dict) else {}
    found: Fields = {
        "cid": cid,
        "subject_uri": ref.get("uri"),
        "subject_cid": ref.get("cid"),
        "subject_did": subject if isinstance(subject, str) else None,
        "text": record.get("text"),
        "created_at": record.get("createdAt"),
        "langs": record.get("langs"),
        "tags": record.get("tags"),
        "labels": [each.get("val") for each in _dicts(_at(record, "labels", "values"))],
        "facets": _facets(record.get("facets")),
        "reply_root": _at(record, "reply", "root", "uri"),
        "reply_parent": _at(record, "reply", "parent", "uri"),
        **_embed(record.get("embed")),
    }
    return {name: _form(name, value) for name, value in found.items()}


def differences(old: Fields, new: Fields) -> dict[str, tuple[Any, Any]]:
    """What the old system kept otherwise than the lake has it: each field with both values."""
    return {name: (value, new.get(name)) for name, value in old.items() if value != new.get(name)}


def _form(name: str, value: Any) -> Any:
    if name in _SETS:
        parts = _SEPARATOR.join(map(str, value or ())).split(_SEPARATOR)
        return sorted({part.strip() for part in parts} - {""})
    return value or None  # an empty text and none are one in the old files


def _facets(facets: object) -> list[str]:
    features = [feature for facet in _dicts(facets) for feature in _dicts(facet.get("features"))]
    return [f"{kind}:{feature[key]}" for feature in features for key, kind in _KINDS.items() if feature.get(key)]


def _embed(embed: object) -> Fields:
    if not isinstance(embed, dict):
        return {}
    kind, media = embed.get("$type"), embed.get("media")
    shown = media if isinstance(media, dict) else embed
    images, external = _dicts(shown.get("images")), _at(shown, "external")
    quoted = None
    if kind in _RECORD_EMBEDS:
        quoted = _at(embed, "record", "record") or _at(embed, "record")
    of = {"images": images, "record": quoted, "external": external}
    return {
        "embeds": [name for name, part in of.items() if part],
        "alts": [str(image.get("alt") or "") for image in images],
        "embed_uri": _at(quoted, "uri"),
        "embed_cid": _at(quoted, "cid"),
        "external_uri": _at(external, "uri"),
        "external_title": _at(external, "title"),
        "external_description": _at(external, "description"),
    }


def _dicts(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _at(value: object, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
