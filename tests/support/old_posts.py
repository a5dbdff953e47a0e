"""Posts as the old system's cache kept them: a file of JSON each, on two days in turn.

Lives here: set-up. Must not: bring them over.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from jetstream_simulator.identifiers import tid

_DAY_US = 86_400_000_000
_BEGIN_US = 1_728_129_600_000_000  # 2024-10-05T12:00:00Z
_CID = "bafyreid2mdxzxlnlbkxi4hqqvgvcvbahjhrqnlwf3l3dmi6vlaml5u7x6e"


def post_path(cache: Path, number: int) -> Path:
    """Where a post is."""
    name = f"author_did=did:plc:old_post_uri_suffix={key(number)}.json"
    return cache / "study_user_activity" / "create" / "post" / name


def key(number: int) -> str:
    """Its record key: even numbers are of 2024-10-05, odd ones of the day after."""
    return tid(_BEGIN_US + number % 2 * _DAY_US + number, 0)


def write_post(cache: Path, number: int) -> None:
    """Write it."""
    names = "uri cid indexed_at author_did author_handle author_avatar author_display_name created_at text embed"
    names += " entities facets labels langs reply_parent reply_root tags synctimestamp url source"
    post: dict[str, Any] = dict.fromkeys([*names.split(), "like_count", "reply_count", "repost_count"])
    post |= {"uri": f"at://did:plc:old/app.bsky.feed.post/{key(number)}", "author_did": "did:plc:old"}
    post |= {"cid": _CID, "text": f"post {number}", "langs": "en;ja", "source": "firehose", "url": ""}
    day = f"2024-10-{5 + number % 2:02}"
    post |= {"created_at": f"{day}T12:00:00.000Z", "synctimestamp": f"{day}-12:00:01"}
    path = post_path(cache, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(post))
