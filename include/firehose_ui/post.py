"""The forms of a post: each record as the lake has it, and its CID, computed from that record for this answer.

Lives here: from rows to records, and what their CIDs prove. Must not: routes, SQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from firehose.events.rebuild import record_cid, record_of

#: What became of the CID: it is that of the record, that of another one, cannot be computed, or was not given.
MATCHES: Final = "matches"
DIFFERS: Final = "differs"
IMPOSSIBLE: Final = "impossible"
NOT_GIVEN: Final = "not given"


def forms(answer: bytes) -> list[dict[str, Any]]:
    """The forms of an answer of ``post_forms`` in JSONCompact: when, by which operation, record and proof."""
    told = msgspec.json.decode(answer)
    names = [column["name"] for column in told["meta"]]
    return [_form(dict(zip(names, row, strict=True))) for row in told["data"]]


def _form(row: dict[str, Any]) -> dict[str, Any]:
    form = {name: row[name] for name in ("at", "operation", "rev", "resync", "cid")}
    if row["operation"] == "delete":
        return form | {"record": None, "computed": None, "proof": None}
    record, computed = _recomputed(row)
    return form | {"record": record, "computed": computed, "proof": _proof(row["cid"], computed)}


def _recomputed(row: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """The record, and its CID: None where it has no DAG-CBOR form."""
    computed = None
    for record in _records(row):
        try:
            computed = record_cid(record)
        except ValueError:
            continue
        if computed == row["cid"]:
            return record, computed
    return next(_records(row)), computed


def _records(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What the row may have been: ClickHouse gives an empty list where a record has no languages."""
    created = row["created_at"]
    instant = None if created is None else datetime.fromisoformat(created).replace(tzinfo=UTC)
    values = row | {"created_at": instant}
    yield record_of("posts", values | {"langs": row["langs"] or None})
    if not row["langs"]:
        yield record_of("posts", values)


def _proof(given: str | None, computed: str | None) -> str:
    if computed is None:
        return IMPOSSIBLE
    if given is None:
        return NOT_GIVEN
    return MATCHES if given == computed else DIFFERS
