"""The fast path for records of exactly the lexicon's plain shape: line to struct to columns, no dictionaries.

Takes only what the slow path (:mod:`firehose.events.rows`) stores without ``extra``, and gives the same columns;
whatever else a line holds is left to it. Must not: give reasons why a line is not an event, do I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from firehose.events.envelope import MAX_DEPTH
from firehose.records.fast import PlainEvent
from firehose.records.fields import Columns
from firehose.records.registry import REGISTRY


def divide(record_type: str, lines: Iterable[bytes]) -> tuple[list[PlainEvent], list[bytes], list[bytes]]:
    """The plain events of a chunk, the line of each of them, and the lines that are left for the slow path."""
    plain: list[PlainEvent] = []
    taken: list[bytes] = []
    left: list[bytes] = []
    way = _FAST.get(record_type)
    if way is None:
        return plain, taken, list(lines)
    decode, collection = way.decode, REGISTRY[record_type].collection
    for line in lines:
        try:
            event = decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            left.append(line)
            continue
        commit = event.commit
        is_of_type = commit.record.type == commit.collection == collection
        if is_of_type and commit.operation != "delete" and not _may_be_deep(line):
            plain.append(event)
            taken.append(line)
        else:
            left.append(line)
    return plain, taken, left


def _may_be_deep(line: bytes) -> bool:
    # As in the envelope: only a long line with many brackets needs the slow path's walk.
    return len(line) > 2 * MAX_DEPTH and line.count(b"[") + line.count(b"{") > MAX_DEPTH


def columns(record_type: str, events: list[PlainEvent]) -> Columns:
    """The columns of plain events by name; those that are null, or false, in all of them are not there.

    ``created_at`` is still the claimed text, and columns that are made of others are for the caller to make.
    """
    commits = [event.commit for event in events]
    return {
        "time_us": [event.time_us for event in events],
        "did": [event.did for event in events],
        "rev": [commit.rev for commit in commits],
        "operation": [commit.operation for commit in commits],
        "rkey": [commit.rkey for commit in commits],
        "cid": [commit.cid for commit in commits],
        **_rare(events, commits),
        **_FAST[record_type].columns([commit.record for commit in commits]),
    }


def _rare(events: list[PlainEvent], commits: list[Any]) -> Columns:
    """Columns that nearly no event has: each is there only where one of these events has it."""
    resync = [commit.resync for commit in commits]
    displayed = [event.displayed_us for event in events]
    found: Columns = {"resync": [mark is True for mark in resync]} if any(resync) else {}
    return found | ({"displayed_us": displayed} if any(shown is not None for shown in displayed) else {})


_FAST = {name: of.fast for name, of in REGISTRY.items() if of.fast is not None}
