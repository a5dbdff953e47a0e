"""Events of accounts that were taken down, edit and delete, answer and quote, and share a handle."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from jetstream_simulator.identifiers import tid

BEGAN: Final = datetime(2026, 5, 28, 12, tzinfo=UTC)
EDITOR: Final = "did:plc:editoreditoreditoredito2"
GONE: Final = "did:plc:gonegonegonegonegonego22"
HANDLE: Final = "shared.example"
POST: Final = "app.bsky.feed.post"
SECRET: Final = "what somebody wrote who was taken down"
#: The CID of the first form, computed by hand: CBOR by RFC 8949 and SHA-256. All others have that of nothing.
FIRST: Final[dict[str, Any]] = {"$type": POST, "createdAt": "2026-05-28T12:00:00.000Z", "text": "first, ümläuted"}
FIRST_CID: Final = "bafyreifn5lmwwx3nk7yz5yxrm6c3xe5rikunirzww7ci2retilii5t2hoq"


def _us(second: float) -> int:
    return int((BEGAN + timedelta(seconds=second)).timestamp() * 1e6)


EDITED: Final = f"at://{EDITOR}/{POST}/{tid(_us(0), 1)}"
DELETED: Final = f"at://{EDITOR}/{POST}/{tid(_us(10), 1)}"
ANSWER: Final = f"at://{GONE}/{POST}/{tid(_us(40), 1)}"
QUOTE: Final = f"at://{GONE}/{POST}/{tid(_us(50), 1)}"
_NO_CID: Final = "bafyreib" + "a" * 51


def strangers(hostile: str) -> Iterator[dict[str, Any]]:
    """Their events; ``hostile`` is markup, for the one who has the post that is edited, answered and quoted."""
    reference = {"uri": EDITED, "cid": FIRST_CID}
    yield _wrote(0, EDITED, FIRST, cid=FIRST_CID)
    yield _wrote(10, DELETED, _post("soon deleted"))
    yield _wrote(20, EDITED, _post(f"edited {hostile}"), "update")
    yield _wrote(30, DELETED, None, "delete")
    yield _wrote(40, ANSWER, _post(f"{SECRET} (answer)") | {"reply": {"root": reference, "parent": reference}})
    yield _wrote(
        50, QUOTE, _post(f"{SECRET} (quote)") | {"embed": {"$type": "app.bsky.embed.record", "record": reference}}
    )
    for second, did, handle in ((60, GONE, HANDLE), (70, GONE, "other.example"), (80, EDITOR, HANDLE)):
        identity = {"did": did, "handle": handle, "seq": second, "time": "2026-05-28T12:01:00.000Z"}
        yield {"did": did, "time_us": _us(second), "kind": "identity", "identity": identity}
    account = {"did": GONE, "active": False, "status": "takendown", "seq": 90, "time": "2026-05-28T12:01:30.000Z"}
    yield {"did": GONE, "time_us": _us(90), "kind": "account", "account": account}
    name = "com.example.hostile"
    like = f"at://{EDITOR}/{name}/{tid(_us(100), 1)}"
    yield _wrote(100, like, {"$type": name, "about": hostile})


def _post(text: str) -> dict[str, Any]:
    return {"$type": POST, "text": text, "createdAt": "2026-05-28T12:00:00.000Z"}


def _wrote(
    second: float, uri: str, record: dict[str, Any] | None, operation: str = "create", cid: str = _NO_CID
) -> dict[str, Any]:
    _, _, did, collection, rkey = uri.split("/")
    time_us = _us(second)
    body: dict[str, Any] = {"rev": tid(time_us, 7), "operation": operation, "collection": collection, "rkey": rkey}
    if record is not None:
        body |= {"record": record, "cid": cid}
    return {"did": did, "time_us": time_us, "kind": "commit", "commit": body}
