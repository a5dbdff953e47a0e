"""Lines of an import: what the old system kept of a record, and where its row is filed. Pure.

Lives here: the form of a line in a raw file, both ways, and the row of one. Must not: read a store, decide where a
row is filed (:mod:`firehose.legacy.filing`).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from firehose.events.envelope import Undecodable, revive
from firehose.records.rules import EARLIEST_US, LATEST_US


class ImportedLine(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A line: the columns of the type's rows, in their order, but for those that are computed.

    ``created_at`` is the client's text.
    """

    time_us: int
    did: str
    filed_by: str
    store: str
    path: str
    place: str = ""
    role: str = ""
    collection: str = ""
    operation: str = "create"
    rkey: str = ""
    rev: str | None = None
    cid: str | None = None
    received_us: int | None = None
    created_at: str | None = None
    text: str | None = None
    langs: list[str] | None = None
    tags: list[str] | None = None
    labels: list[str] | None = None
    facets: list[str] | None = None
    entities: list[str] | None = None
    embeds: list[str] | None = None
    alts: list[str] | None = None
    embed_uri: str | None = None
    embed_cid: str | None = None
    external_uri: str | None = None
    external_title: str | None = None
    external_description: str | None = None
    reply_root: str | None = None
    reply_parent: str | None = None
    subject_uri: str | None = None
    subject_cid: str | None = None
    subject_did: str | None = None


_decode: Final = msgspec.json.Decoder(ImportedLine).decode


def row(line: bytes) -> tuple[Any, ...]:
    """The values of a row, as the type's columns name them.

    Raises:
        Undecodable: it is not such a line, or stands for what an import refused.
    """
    try:
        found = _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        if letter := revive(line):
            # Listed by the import, which an operator has seen: however many they are, they stop nothing.
            raise Undecodable(letter.reason, letter.raw, letter.time_us, new_kind=True) from None
        raise Undecodable(f"line of an import: {error}", line) from None
    if found.received_us is not None and not EARLIEST_US <= found.received_us <= LATEST_US:
        raise Undecodable("received_us: outside the years of Bluesky", line, found.time_us)
    return msgspec.structs.astuple(found)
