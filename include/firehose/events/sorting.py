"""Which record type each line of a queue is of. Reads no more of a line than says that; must not judge it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from firehose.records.registry import BY_QUEUE, REGISTRY


class _CollectionOf(msgspec.Struct, gc=False):
    collection: str = ""


class _Line(msgspec.Struct, gc=False):
    kind: str = ""
    commit: _CollectionOf | None = None


_decode = msgspec.json.Decoder(_Line).decode


def by_type(queue: str, lines: Sequence[bytes], known: Collection[str] = REGISTRY) -> dict[str, Sequence[bytes]]:
    """The lines of each record type of a queue, in order; only types that have any.

    ``known``: the types to sort into. The lines of others, and those that cannot be read, go to the catch-all.
    """
    *others, last = BY_QUEUE[queue]
    named = {collection: of.name for of in others if of.name in known for collection in of.collections}
    if not named:
        return {last.name: lines} if lines else {}
    found: dict[str, list[bytes]] = {}
    for line in lines:
        found.setdefault(named.get(_collection(line), last.name), []).append(line)
    return {of.name: found[of.name] for of in BY_QUEUE[queue] if of.name in found}


def _collection(line: bytes) -> str:
    try:
        event = _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return event.commit.collection if event.commit is not None and event.kind == "commit" else ""
