"""What the lake keeps of one batch, and its quality pages: read file by file, by names that cannot lead elsewhere.

Lives here: the reading. Must not: write, follow a name out of ``_quality/``.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from firehose.areas import Area
from firehose.batch import manifest as manifests
from firehose.batch.coverage import read_records, records_path
from firehose.batch.interval import Batch
from firehose.batch.manifest import Manifest
from firehose.lake.ledger import LedgerEntry, entry_path, read_entry
from firehose.quality.outcome import ValidateResult
from firehose.quality.pages import pages_of
from firehose.quality.result import read_result
from firehose.settings import Settings
from firehose.store import LakePath
from ingester.contract.gap import Gap

#: A quality page has some hundred kilobytes; nothing larger is read into memory.
LARGEST: Final = 32 * 2**20
#: What is served of the quality pages, by the end of its name.
MEDIA: Final = {
    "css": "text/css",
    "html": "text/html",
    "ico": "image/x-icon",
    "json": "application/json",
    "png": "image/png",
    "ttf": "font/ttf",
    "woff": "font/woff",
    "woff2": "font/woff2",
}
_ID: Final = re.compile(r"\d{8}T\d{6}Z")
_NAME: Final = re.compile(r"[\w.,+=@ -]+", re.ASCII)


class BatchFile(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one batch. None: it is not there, or not kept any more."""

    batch: str
    ledger: LedgerEntry | None
    manifest: Manifest | None
    quality: ValidateResult | None
    gaps: list[Gap]
    pages: dict[str, str]


def batch(settings: Settings, batch_id: str) -> BatchFile | None:
    """A batch by its id; None: there is no such batch.

    Raises:
        CorruptLake, CorruptBatch: a file of it cannot be read.
    """
    if (interval := parsed(batch_id, settings.batch_minutes)) is None:
        return None
    lake = settings.lake_path
    entry = read_entry(entry_path(lake, interval))
    if entry:
        interval = Batch.of(entry.start, entry.end)
    manifest = manifests.read(manifests.folder_of(lake, interval))
    gaps = read_records(records_path(lake, interval))
    if entry is None and manifest is None and not gaps:
        return None
    root = Area.QUALITY.of(lake)
    return BatchFile(
        batch=interval.id,
        ledger=entry,
        manifest=manifest and _without_indexes(manifest),
        quality=read_result(lake, interval),
        gaps=gaps,
        pages={suite: page.key_in(root) for suite, page in pages_of(lake, interval.id).items()},
    )


def parsed(batch_id: str, minutes: int) -> Batch | None:
    """The interval of a batch's id; None: it is not the id of a batch."""
    try:
        return Batch.parse(batch_id, minutes * 60) if _ID.fullmatch(batch_id) else None
    except ValueError:
        return None


def quality_page(lake: LakePath, key: str) -> tuple[bytes, str] | None:
    """A file of the quality pages, and its media type; None: there is none that may be served."""
    media = MEDIA.get(key.rpartition(".")[2])
    if media is None or not all(_NAME.fullmatch(part) and part.strip(".") for part in key.split("/")):
        return None
    path = Area.QUALITY.of(lake) / key
    try:
        return (path.read_bytes(), media) if path.exists() and path.size() <= LARGEST else None
    except FileNotFoundError:  # it was removed at this moment
        return None


def _without_indexes(manifest: Manifest) -> Manifest:
    """An index has a line for each frame, which nobody reads."""
    queues = {name: msgspec.structs.replace(queue, index=[]) for name, queue in manifest.queues.items()}
    return msgspec.structs.replace(manifest, queues=queues)
