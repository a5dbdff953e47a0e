"""Records that do not give the CID beside them: whether they were damaged here, or came so from their source.

A raw line with the same record and the same CID shows that the lake holds what was sent: a client's CBOR was not
canonical, or not UTF-8. Without one it is damage. Of raw files that have expired, the manifest says what their
lines had shown. Must not: decide what a row is (verify.py), change anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from firehose.batch import manifest as manifests
from firehose.batch.interval import Batch
from firehose.batch.raw import read_chunks
from firehose.errors import CorruptBatch
from firehose.events.rebuild import record_cid
from firehose.records.registry import REGISTRY
from firehose.store import LakePath

_LINES: Final = 20_000
_DIGEST: Final = 32  # hex digits
Key = tuple[str, str, str, str, str]
_Told = tuple[Key, str, str]


class Disputed(NamedTuple):
    """A row whose record gives the CID ``gives``, and not ``cid``. ``batch`` wrote the row."""

    where: str
    batch: datetime
    record_type: str
    key: Key
    cid: str
    gives: str

    @property
    def text(self) -> str:
        """A line that says what is wrong."""
        return f"{self.where}: {' '.join(self.key)} says CID {self.cid}, its record gives {self.gives}"

    @property
    def digest(self) -> str:
        """What a manifest keeps of it (:class:`firehose.batch.manifest.Expired`)."""
        return hashlib.sha256("\0".join((*self.key, self.cid, self.gives)).encode()).hexdigest()[:_DIGEST]


class _SentCommit(msgspec.Struct, gc=False):
    rev: str
    operation: str
    collection: str
    rkey: str
    record: msgspec.Raw = msgspec.Raw(b"")
    cid: str | None = None


class _SentEvent(msgspec.Struct, gc=False):
    did: str
    commit: _SentCommit


_decode: Final = msgspec.json.Decoder(_SentEvent).decode
_record: Final = msgspec.json.Decoder(dict[str, Any]).decode
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)


def disputed(where: str, record_type: str, row: dict[str, Any], gives: str) -> Disputed:
    """The dispute of a row of the lake."""
    collection = row.get("collection") or REGISTRY[record_type].collection
    key = (row["did"], row["rev"], collection, row["rkey"], row["operation"])
    return Disputed(where, row["batch"], record_type, key, row["cid"], gives)


def came_so(lake: LakePath, disputes: list[Disputed]) -> set[Disputed]:
    """Those of which a raw line has the same record and the same CID. Reads each raw file once."""
    found: set[Disputed] = set()
    by_file: dict[tuple[datetime, str], dict[Key, Disputed]] = {}
    for dispute in disputes:
        by_file.setdefault((dispute.batch, dispute.record_type), {})[dispute.key] = dispute
    for (batch, record_type), wanted in by_file.items():
        try:
            found.update(_innocent(lake, batch, record_type, wanted))
        except (CorruptBatch, OSError):  # which is reported of the raw batch itself
            continue
    return found


def _innocent(
    lake: LakePath, start: datetime, record_type: str, wanted: dict[Key, Disputed]
) -> Iterator[Disputed]:
    start = start.astimezone(UTC)
    folder = manifests.folder_of(lake, Batch(start, start + timedelta(seconds=1)))  # only its start names it
    manifest = manifests.read(folder)
    queue = REGISTRY[record_type].queue
    if manifest is None or queue not in manifest.queues:
        return
    if manifest.expired:
        known = {*manifest.expired.source_differs.get(record_type, ())}
        yield from (dispute for dispute in wanted.values() if dispute.digest in known)
        return
    for lines in read_chunks(folder / manifest.queues[queue].name, _LINES):
        for line in lines:
            if told := _told(line, wanted):
                key, cid, gives = told
                if (dispute := wanted[key]).cid == cid and dispute.gives == gives:
                    yield dispute


def _told(line: bytes, wanted: dict[Key, Disputed]) -> _Told | None:
    try:
        event = _decode(line)
        commit = event.commit
        key = (event.did, commit.rev, commit.collection, commit.rkey, commit.operation)
        if key not in wanted or commit.cid is None:
            return None
        return key, commit.cid, record_cid(_record(bytes(commit.record)))
    except _UNREADABLE:
        return None
