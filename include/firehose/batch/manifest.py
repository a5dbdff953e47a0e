"""The manifest of a raw batch: what was copied out of Redis, and the proof that the copy is whole."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Final

import msgspec

from firehose import metrics
from firehose.areas import Area, F
from firehose.batch.interval import Batch
from firehose.errors import CorruptBatch, RawExpired
from firehose.store import LakePath
from ingester.contract.logs import get_logger

log = get_logger(__name__)

NAME = "manifest.json"
# The rest has a line for each value. With one for each number of an index it would be mostly spaces.
_INDEX: Final = re.compile(rb'"index": (?P<pairs>\[[][\d,\s]*\])')


class QueueFile(msgspec.Struct, frozen=True, kw_only=True):
    """One queue's part of a raw batch. ``ranges`` are the first and last entry ids of its frames, in order:

    those of the interval, before them those of older frames that no other batch took, and after them those of
    frames whose ids are far in the future. ``frames`` are entries; ``foreign`` of them were not frames, and are in
    the file as dead letters, which count as events; ``miscounted`` held another number of events than they said.
    ``late`` of the frames lay outside the interval. ``index`` has the bytes of each entry's frames, in order,
    compressed and decompressed; manifests of earlier versions have none.
    """

    name: str
    frames: Annotated[int, metrics.DRAINED_FRAMES]
    events: Annotated[int, metrics.DRAINED]
    size: Annotated[int, metrics.DRAINED_BYTES]
    sha256: str
    ranges: list[tuple[str, str]]
    first_us: int
    last_us: int
    foreign: Annotated[int, metrics.FOREIGN] = 0
    miscounted: Annotated[int, metrics.MISCOUNTED] = 0
    late: Annotated[int, metrics.LATE] = 0
    index: list[tuple[int, int]] = []


class Expired(msgspec.Struct, frozen=True, kw_only=True):
    """Why a raw batch has no files any more: their time was over, and the lake holds all that was in them.

    ``audit`` is the key of the file of the audit log that says what was removed. ``source_differs`` are digests,
    by record type, of the rows whose source sent another CID than their record gives: the raw lines showed it.
    """

    at: datetime
    by: str
    audit: str
    manifest_sha256: str
    source_differs: dict[str, list[str]] = {}


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known of a raw batch. Written last: a batch without one does not exist yet.

    ``cursor`` is of ``host`` and ``protocol`` alone; ``time_us`` is when its event was witnessed, by which
    any other host may be asked to go on. ``coverage_sha256`` is of the batch's file in the coverage ledger,
    empty if it had none. ``first_start_ms`` is when the ingester was first started, as far as Redis or an
    earlier manifest knew (0: unknown): a Redis that was lost begins again.
    ``expired``: the files are gone. All else stays true: the interval was drained, and Redis is not read again.
    """

    batch: str
    start: datetime
    end: datetime
    created_at: datetime
    cursor: int
    host: str
    protocol: str
    time_us: int
    minutes_heard: Annotated[int, metrics.MINUTES_HEARD]
    queues: dict[str, QueueFile]
    coverage_sha256: str = ""
    first_start_ms: int = 0
    expired: Expired | None = None

    @property
    def events(self) -> int:
        """Events of all queues, duplicates and bad ones included."""
        return sum(queue.events for queue in self.queues.values())


def folder_of(lake: F, batch: Batch) -> F:
    """The folder of a raw batch."""
    return batch.folder(lake, Area.RAW)


def read(folder: LakePath) -> Manifest | None:
    """The manifest in ``folder``, or None where there is none.

    Raises:
        CorruptBatch: there is one, and it cannot be read.
    """
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise CorruptBatch(f"{folder / NAME}: not a manifest ({error}); restore it from a backup") from error


def first_start_ms(lake: LakePath) -> int:
    """When the ingester was first started, as the latest manifest has it; 0: no manifest says so."""
    for day in reversed(Area.RAW.of(lake).folders("date=*")):
        for path in reversed(day.find(f"batch=*/{NAME}")):
            try:
                manifest = read(path.parent)
            except CorruptBatch as error:  # its own batch's steps fail for it, others need not
                log.error("manifest cannot be used", reason=error)
                continue
            if manifest is not None:
                return manifest.first_start_ms
    return 0


def write(folder: LakePath, manifest: Manifest) -> None:
    """Write the manifest durably: from here on Redis is not read again for this batch."""
    text = msgspec.json.format(msgspec.json.encode(manifest))
    (folder / NAME).write(_INDEX.sub(_on_one_line, text))


def _on_one_line(found: re.Match[bytes]) -> bytes:
    return b'"index": ' + b"".join(found["pairs"].split())


def settle(folder: LakePath) -> None:
    """Make the manifest that an earlier drain left durable: it may have died before the name was on the disk.

    To be called before anything is deleted from Redis on the word of a manifest that this process did not write.
    """
    (folder / NAME).settle()


def expire(folder: LakePath, manifest: Manifest, expired: Expired) -> None:
    """Say durably that the files are gone, before they are removed. Indexes go: they are most of a manifest."""
    queues = {
        name: msgspec.structs.replace(queue, index=[]) if queue.index else queue
        for name, queue in manifest.queues.items()
    }
    write(folder, msgspec.structs.replace(manifest, queues=queues, expired=expired))


def require_files(folder: LakePath, manifest: Manifest) -> None:
    """See that the batch still has its raw files.

    Raises:
        RawExpired: they were removed because their time was over.
    """
    if gone := manifest.expired:
        raise RawExpired(
            f"{folder}: its raw files expired on {gone.at:%Y-%m-%dT%H:%M:%SZ} ({gone.audit} says which); the "
            "lake holds all that was in them, and nothing was changed. To process them again, restore the folder "
            "from a backup"
        )


def coverage_sha256(folder: LakePath) -> str:
    """The SHA-256 of a raw batch's file in the coverage ledger, empty if it has none."""
    path = _coverage_path(folder)
    return path.sha256() if path.exists() else ""


def _coverage_path(folder: LakePath) -> LakePath:
    return Area.COVERAGE.of(folder.parents[2]) / folder.parent.name / f"{folder.name}.json"


def check(folder: LakePath, manifest: Manifest) -> None:
    """Compare each file with what the manifest says of it; none once they have expired.

    Raises:
        CorruptBatch: a file is missing, or differs in size or SHA-256.
    """
    if coverage_sha256(folder) != manifest.coverage_sha256:
        raise CorruptBatch(f"{_coverage_path(folder)}: differs from {folder / NAME}; restore it from a backup")
    for queue in () if manifest.expired else manifest.queues.values():
        path = folder / queue.name
        if not path.exists():
            raise CorruptBatch(f"{path}: named in the manifest, but missing; restore it from a backup")
        if path.size() != queue.size or path.sha256() != queue.sha256:
            raise CorruptBatch(f"{path}: differs from its manifest; restore it from a backup")
