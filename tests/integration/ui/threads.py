"""A deep thread and a wide one, with answers and quotes that were edited, deleted, or are none any more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from jetstream_simulator.identifiers import tid

BEGAN: Final = datetime(2026, 5, 28, 11, 40, tzinfo=UTC)
POST: Final = "app.bsky.feed.post"
LEVELS: Final = 200
_CID: Final = "bafyreib" + "a" * 51


def _us(number: float) -> int:
    return int((BEGAN + timedelta(seconds=number / 10)).timestamp() * 1e6)


def address(number: int, of: int) -> str:
    """Post ``number`` of a thread, 0: its first; each is of an account of its own, in thread ``of``."""
    return f"at://did:plc:thread{of}{number:017d}/{POST}/{tid(_us(number), of)}"


DEEP: Final = address(0, 1)
WIDE: Final = address(0, 2)
#: In the deep thread: edited within it, deleted with answers below, and edited so that it answers nobody.
EDITED, DELETED, LEFT = address(50, 1), address(100, 1), address(150, 1)
#: Quotes of the first post of the deep thread, to which the same happened, and one that was made again.
QUOTES: Final = tuple(address(number, 3) for number in range(1, 5))


def threads(width: int) -> Iterator[dict[str, Any]]:
    """The events of both; ``width``: how many answers the first post of the wide one got."""
    for of, last in ((1, LEVELS), (2, width)):
        yield _wrote(0, of, _post(f"first of {of}"))
        for number in range(1, last + 1):
            parent = address(number - 1 if of == 1 else 0, of)
            yield _wrote(number, of, _answer(f"answer {number}", parent, address(0, of)))
    edited = _answer("edited answer 50", address(49, 1), DEEP)
    yield _wrote(50, 1, edited, "update", LEVELS + 10)
    yield _wrote(100, 1, None, "delete", LEVELS + 11)
    yield _wrote(150, 1, _post("now on its own"), "update", LEVELS + 12)
    for number in range(1, 5):
        yield _wrote(number, 3, _quote(f"quote {number}"))
    yield _wrote(1, 3, _quote("edited quote"), "update", 21)
    yield _wrote(2, 3, None, "delete", 22)
    yield _wrote(3, 3, _post("no quote now"), "update", 23)
    yield _wrote(4, 3, None, "delete", 24)
    yield _wrote(4, 3, _quote("quoted again"), "create", 25)


def _post(text: str) -> dict[str, Any]:
    return {"$type": POST, "text": text, "createdAt": "2026-05-28T11:40:00.000Z"}


def _answer(text: str, parent: str, root: str) -> dict[str, Any]:
    return _post(text) | {"reply": {"root": {"uri": root, "cid": _CID}, "parent": {"uri": parent, "cid": _CID}}}


def _quote(text: str) -> dict[str, Any]:
    return _post(text) | {"embed": {"$type": "app.bsky.embed.record", "record": {"uri": DEEP, "cid": _CID}}}


def _wrote(
    number: int, of: int, record: dict[str, Any] | None, operation: str = "create", late: int = 0
) -> dict[str, Any]:
    _, _, did, collection, rkey = address(number, of).split("/")
    time_us = _us(late or number) + of
    body: dict[str, Any] = {"rev": tid(time_us, 7), "operation": operation, "collection": collection, "rkey": rkey}
    if record is not None:
        body |= {"record": record, "cid": _CID}
    return {"did": did, "time_us": time_us, "kind": "commit", "commit": body}
