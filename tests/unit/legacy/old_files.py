"""Files as the old system wrote them, by hand. Must not: use the simulator's old store, which these check."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from firehose.legacy.record import OldRecord, Refused
from firehose.legacy.stores import Found, read, walk

DID, OTHER = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb"
CID: Final = "bafyreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
POST_URI: Final = f"at://{DID}/app.bsky.feed.post/3post"
LIKE_URI: Final = f"at://{DID}/app.bsky.feed.like/3like"
CACHE_1: Final = "services/sync/stream/cache"
CACHE_2: Final = "services/sync/stream/__local_cache__"
POST_FILE: Final = f"study_user_activity/create/post/author_did={DID}_post_uri_suffix=3post.json"
LIKE_FILE: Final = f"study_user_activity/create/like/3liked/like_author_did={DID}_like_uri_suffix=3like.json"
FOLLOW_FILE: Final = f"study_user_activity/create/follow/followee/follower_did={DID}_followee_did={OTHER}.json"


def post(**changed: Any) -> dict[str, Any]:
    nulls = ("indexed_at", "author_handle", "author_avatar", "author_display_name", "embed", "entities", "facets")
    nulls += ("labels", "langs", "reply_parent", "reply_root", "tags", "like_count", "reply_count", "repost_count")
    kept = {"uri": POST_URI, "cid": CID, "author_did": DID, "created_at": "2024-10-05T14:03:07.512Z", "text": "hi"}
    return (
        dict.fromkeys(nulls)
        | kept
        | {
            **{"synctimestamp": "2024-10-05-14:03:09", "url": "", "source": "firehose"},
            **changed,
        }
    )


def like(key: str = "createdAt", *, as_text: bool = False) -> dict[str, Any]:
    subject = {"cid": CID, "uri": POST_URI, "py_type": "com.atproto.repo.strongRef"}
    record = {key: "2024-10-05T14:05:00.000Z", "subject": subject, "py_type": "app.bsky.feed.like"}
    return {"uri": LIKE_URI, "cid": CID, "author": DID, "record": json.dumps(record) if as_text else record}


def follow(key: str = "createdAt") -> dict[str, Any]:
    record = {key: "2024-10-05T14:06:00.000Z", "subject": OTHER, "py_type": "app.bsky.graph.follow"}
    uri = f"at://{DID}/app.bsky.graph.follow/3follow"
    return {"uri": uri, "cid": CID, "record": record, "author": DID, "follower_did": DID, "followee_did": OTHER}


def put(root: Path, path: str, content: object) -> Path:
    """Write ``content``, bytes or what becomes JSON."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return file


def all_of(root: Path) -> list[OldRecord | Refused]:
    """What the stores below ``root`` hold, with what the walk refuses."""
    listed = list(walk(root))
    refused = [each for each in listed if isinstance(each, Refused)]
    return [*read(root, [each for each in listed if isinstance(each, Found)]), *refused]


def digest(root: Path) -> str:
    """Names, contents and times of change of everything below ``root``."""
    state = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        state.update(f"{path.relative_to(root)} {path.lstat().st_mtime_ns}".encode())
        state.update(path.read_bytes() if path.is_file() else b"")
    return state.hexdigest()
