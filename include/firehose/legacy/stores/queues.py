"""Reads a SQLite queue of the old Jetstream connector: whole events, a hundred to a row.

The old system kept its queues in WAL mode. A database that has a log beside it is copied to a temporary folder
with it, and read there: opening it where it lies would make or change files beside it, and ignoring the log would
lose the rows in it. Must not: write beside the database, judge an event beyond its envelope.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote

import msgspec

from firehose.legacy.record import OldRecord, Refused
from firehose.legacy.stores.cache import UNDECODABLE, refused
from firehose.legacy.stores.folders import QUEUE_LOGS
from firehose.legacy.stores.found import Found
from firehose.legacy.stores.texts import Broken, received_us

_COLUMNS: Final = {"id", "payload", "metadata", "created_at", "status"}
_TRIES: Final = 3


class _Item(msgspec.Struct, forbid_unknown_fields=True):
    """An event as the connector stored it; the part that its kind has is kept as the bytes that it came in."""

    did: str
    time_us: str
    kind: Literal["commit", "identity", "account"]
    created_at: str
    collection: str | None = None
    commit_data: msgspec.Raw = msgspec.Raw(b"null")
    identity_data: msgspec.Raw = msgspec.Raw(b"null")
    account_data: msgspec.Raw = msgspec.Raw(b"null")


class _Commit(msgspec.Struct):
    """The names in a commit. ``record`` is read on its own: a record may be anything."""

    operation: str
    collection: str
    rkey: str
    cid: str | None = None
    record: msgspec.Raw = msgspec.Raw(b"null")


class _Claim(msgspec.Struct):
    createdAt: Any = None


_items: Final = msgspec.json.Decoder(list[_Item]).decode
_item: Final = msgspec.json.Decoder(_Item).decode
_raw_items: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_commit: Final = msgspec.json.Decoder(_Commit).decode
_claim: Final = msgspec.json.Decoder(_Claim).decode


class _Changing(Exception):
    """The database was written to while it was copied."""


def read_queue(root: str, found: Found) -> Iterator[OldRecord | Refused]:
    """The events of a queue in the order of its rows, whatever their status."""
    path = Path(root, found.path)
    try:
        before = _state(path)
        with _opened(path) as database:
            columns = {name.decode() for _, name, *_ in database.execute("PRAGMA table_info(queue)")}
            if columns != _COLUMNS:
                yield Refused(
                    path=found.path,
                    reason=f"not a queue: its table has the columns {sorted(columns)}",
                    unknown=True,
                )
                return
            for row, payload in database.execute("SELECT id, payload FROM queue ORDER BY id"):
                yield from _row(found, row, payload)
        if _state(path) != before:
            yield Refused(path=found.path, reason="was written to while it was read: read it again")
    except _Changing:
        yield Refused(path=found.path, reason="is being written to: read it again when the old system pauses")
    except OSError as error:
        yield Refused(path=found.path, reason=f"cannot be read: {error.strerror}")
    except (sqlite3.Error, UnicodeError) as error:
        yield Refused(path=found.path, reason=f"broken database: {error}")


def _state(path: Path) -> list[tuple[int, int]]:
    files = [path, *(path.with_name(path.name + log) for log in QUEUE_LOGS)]
    states = [each.stat() for each in files if each.exists()]
    return [(state.st_size, state.st_mtime_ns) for state in states]


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    logs = [path.with_name(path.name + log) for log in QUEUE_LOGS]
    if not any(log.exists() and log.stat().st_size for log in logs):
        # Nothing is pending, and immutable keeps SQLite from making files beside it.
        with closing(_connected(f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1")) as database:
            yield database
        return
    with tempfile.TemporaryDirectory(prefix="firehose-legacy-") as folder:
        copy = Path(folder, "queue.db")
        _copied(path, copy)
        with closing(_connected(f"file:{quote(str(copy))}?mode=rw")) as database:
            yield database


def _copied(path: Path, copy: Path) -> None:
    """Copy a database and its logs as they are at one moment."""
    for _ in range(_TRIES):
        before = _state(path)
        for ending in ("", *QUEUE_LOGS):
            target = copy.with_name(copy.name + ending)
            target.unlink(missing_ok=True)
            if (source := path.with_name(path.name + ending)).exists():
                shutil.copyfile(source, target)
        if _state(path) == before:
            return
    raise _Changing


def _connected(uri: str) -> sqlite3.Connection:
    database = sqlite3.connect(uri, uri=True)
    database.text_factory = bytes
    return database


def _row(found: Found, row: Any, payload: Any) -> Iterator[OldRecord | Refused]:
    """The events of one row; where the row as a whole cannot be read, each on its own."""
    if not isinstance(payload, bytes):
        yield Refused(path=found.path, place=str(row), reason="its payload is not a text")
        return
    try:
        items: Sequence[_Item | msgspec.Raw] = _items(payload)
    except UNDECODABLE:
        try:
            items = _raw_items(payload)
        except UNDECODABLE as error:
            yield refused(found.path, error, str(row))
            return
    for at, item in enumerate(items):
        place = f"{row}/{at}"
        try:
            yield _event(found, place, _item(item) if isinstance(item, msgspec.Raw) else item)
        except Broken as error:
            yield Refused(path=found.path, place=place, reason=str(error))
        except UNDECODABLE as error:
            yield refused(found.path, error, place)


def _event(found: Found, place: str, item: _Item) -> OldRecord:
    if not (item.time_us.isascii() and item.time_us.isdigit() and len(item.time_us) <= 18):
        raise Broken(f"time_us {item.time_us[:40]!r} is not a number of microseconds")
    inner = {"commit": item.commit_data, "identity": item.identity_data, "account": item.account_data}[item.kind]
    body = bytes(inner)
    if not body.startswith(b"{"):
        raise Broken(f"{item.kind}_data is not an object")
    names = _commit(body) if item.kind == "commit" else None
    return OldRecord(
        store=found.store,
        path=found.path,
        place=place,
        role=found.role,
        did=item.did,
        collection=names.collection if names else "",
        rkey=names.rkey if names else "",
        operation=names.operation if names else item.kind,
        cid=names.cid if names else None,
        received_us=received_us(item.created_at),
        created_at=_claimed(names.record) if names else None,
        event=_line(item, body),
    )


def _line(item: _Item, body: bytes) -> bytes:
    """The event as Jetstream's v1 sends it; the bytes of its part are those of the queue."""
    did = msgspec.json.encode(item.did)
    kind = item.kind.encode()
    line = b'{"did":%b,"time_us":%d,"kind":"%b","%b":%b}' % (did, int(item.time_us), kind, kind, body)
    return line.replace(b"\n", b" ").replace(b"\r", b" ")  # in JSON only between its parts


def _claimed(record: msgspec.Raw) -> str | None:
    try:
        text = _claim(record).createdAt
    except UNDECODABLE:
        return None
    return text if isinstance(text, str) else None
