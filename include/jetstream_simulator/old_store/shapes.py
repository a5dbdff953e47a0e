"""A record of the stream as the old system wrote it: what it kept, under its own names.

Lives here: pure functions from a commit to keys and values. Must not: choose a store, write.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]
_FEATURES = {"tag": "tag", "link": "uri", "mention": "did"}
_NULL = dict.fromkeys(("author_handle", "author_avatar", "author_display_name", "entities"))
_COUNTS = dict.fromkeys(("like_count", "reply_count", "repost_count"))


def stamp(time_us: int) -> str:
    """A time as the old system wrote it: UTC, to the second."""
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%d-%H:%M:%S")


def post(uri: str, did: str, commit: Object, received_us: int, joint: str = ";") -> Object:
    """A post, flattened to 23 keys."""
    record = commit["record"]
    reply = record.get("reply") or {}
    labels = [label["val"] for label in (record.get("labels") or {}).get("values", [])]
    return {
        **{"uri": uri, "cid": commit["cid"], "indexed_at": None, "author_did": did},
        **{"created_at": record["createdAt"], "text": record["text"], "embed": _embed(record.get("embed"))},
        **_NULL,
        "facets": joint.join(_facets(record)) or None,
        "labels": joint.join(labels) or None,
        "langs": joint.join(record.get("langs") or []) or None,
        "reply_parent": reply.get("parent", {}).get("uri"),
        "reply_root": reply.get("root", {}).get("uri"),
        "tags": joint.join(record.get("tags") or []) or None,
        **{"synctimestamp": stamp(received_us), "url": "", "source": "firehose"},
        **_COUNTS,
    }


def _facets(record: Object) -> list[str]:
    kinds = [
        (feature["$type"].rpartition("#")[2], feature)
        for facet in record.get("facets") or []
        for feature in facet["features"]
    ]
    return [f"{kind}:{feature[_FEATURES[kind]]}" for kind, feature in kinds if kind in _FEATURES]


def _embed(embed: Object | None) -> str | None:
    if embed is None:
        return None
    kind = embed["$type"].rpartition(".")[2]
    media = embed["media"] if kind == "recordWithMedia" else embed
    quoted = embed["record"]["record"] if kind == "recordWithMedia" else embed.get("record")
    images, external = media.get("images"), media.get("external")
    return json.dumps(
        {
            "has_image": images is not None,
            "image_alt_text": None if images is None else ";".join(image["alt"] for image in images),
            "has_embedded_record": quoted is not None,
            "embedded_record": quoted and {"cid": quoted["cid"], "uri": quoted["uri"]},
            "has_external": external is not None,
            "external": external and {name: external[name] for name in ("description", "title", "uri")},
        }
    )


def like(uri: str, did: str, commit: Object, generation: int, key: str) -> Object:
    """A like; the first generation wrote its record as a text. ``key`` is the key of its time."""
    record = commit["record"]
    subject = {"cid": record["subject"]["cid"], "uri": record["subject"]["uri"]}
    body: Any = {
        key: record["createdAt"],
        "subject": {**subject, "py_type": "com.atproto.repo.strongRef"},
        "py_type": "app.bsky.feed.like",
    }
    return {
        "uri": uri,
        "cid": commit["cid"],
        "author": did,
        "record": json.dumps(body) if generation == 1 else body,
    }


def follow(uri: str, did: str, commit: Object, key: str) -> Object:
    """A follow, with both accounts."""
    record = commit["record"]
    body = {key: record["createdAt"], "subject": record["subject"], "py_type": "app.bsky.graph.follow"}
    pair = {"author": did, "follower_did": did, "followee_did": record["subject"]}
    return {"uri": uri, "cid": commit["cid"], "record": body, **pair}


def network(did: str, commit: Object, exported_us: int) -> Object:
    """A follow as an export left it: two accounts, without its key."""
    names = dict.fromkeys(("follow_handle", "follow_url", "follower_handle", "follower_url"))
    return {
        **{"follow_did": commit["record"]["subject"], "follower_did": did, **names},
        **{"insert_timestamp": stamp(exported_us), "relationship_to_study_user": "follow"},
    }


def raw(uri: str, did: str, commit: Object, kind: str) -> Object:
    """A record as the backfill from PDSes kept it; its time of receipt is made up."""
    record = commit["record"]
    row = {"uri": uri, "cid": commit["cid"], "author": did, "py_type": "record", "record_type": kind}
    row |= {"created_at": record["createdAt"], "synctimestamp": _made_up(uri)}
    if kind in ("post", "reply"):
        parts = ("embed", "facets", "entities", "labels", *(("reply",) if kind == "reply" else ()))
        row |= {part: json.dumps(record[part]) if record.get(part) else None for part in parts}
        row |= {part: ",".join(record.get(part) or []) or None for part in ("langs", "tags")}
        return row | {"text": record["text"]}
    subject = record["subject"]
    return row | {"subject": subject if isinstance(subject, str) else json.dumps(subject)}


def _made_up(uri: str) -> str:
    return f"2024-10-{'01' if len(uri) % 2 else '15'}-00:00:00"


def queued(event: Object, received_us: int) -> Object:
    """An event as the connector stored it."""
    kind = event["kind"]
    return {
        **{"did": event["did"], "time_us": str(event["time_us"]), "kind": kind},
        **{f"{each}_data": event.get(each) for each in ("commit", "identity", "account")},
        "collection": event["commit"]["collection"] if kind == "commit" else "",
        "created_at": stamp(received_us),
    }
