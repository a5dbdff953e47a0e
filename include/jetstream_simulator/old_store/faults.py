"""What can be wrong in an old store: files and rows that no reader should take for records.

Lives here: one function that plants them all, and their names. Must not: make records that are whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from jetstream_simulator.old_store.files import Caches, Queue

_FOLDER: Final = "study_user_activity/create/post"


def plant(root: Path, caches: Caches, queue: Queue, post: dict[str, Any], count: int) -> Iterator[dict[str, Any]]:
    """Plant each fault ``count`` times, made of the whole ``post``; where each is, and what it is."""
    for i in range(count):
        for fault, content in _contents(post).items():
            changed = {**post, "uri": f"at://{post['author_did']}/app.bsky.feed.post/fault{fault}{i}"}
            name = f"author_did={post['author_did']}_post_uri_suffix=fault{fault}{i}"
            path = caches.write(1, _FOLDER, name, changed) or ""
            if content is not None:
                (root / path).write_bytes(content)
            else:
                (root / path).write_text(json.dumps(changed)[:-40])
            yield {"path": path, "place": "", "fault": fault}
        row = queue.add_payload('[{"did": "did:plc:broken", "time_us": ')
        yield {"path": queue.path, "place": row, "fault": "payload_truncated"}
        row = queue.add_payload('[{"did": "did:plc:x", "time_us": 1, "kind": "commit", "created_at": ""}]')
        yield {"path": queue.path, "place": f"{row}/0", "fault": "time_us_number"}
        path = f"bluesky_research_data/in_network_user_activity/cache/partition_date=2016-01-01/{i:032x}-0.parquet"
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"PAR1 and then nothing")
        yield {"path": path, "place": "", "fault": "parquet_truncated"}


def plant_foreign(caches: Caches) -> dict[str, Any]:
    """A file that the old system never wrote, in one of its folders: an import should stop at it."""
    path = caches.write(1, _FOLDER, "export-of-my-posts", {"posts": []})
    return {"path": path, "place": "", "fault": "foreign_file", "unknown": True}


def _contents(post: dict[str, Any]) -> dict[str, bytes | None]:
    return {
        "empty": b"",
        "not-json": b"<html>502 Bad Gateway</html>",
        "json-list": b"[]",
        "not-utf-8": json.dumps(post).encode().replace(b'"text": "', b'"text": "\xff\xfe', 1),
        "wrong-type": json.dumps({**post, "text": 42}).encode(),
        "truncated": None,
    }
