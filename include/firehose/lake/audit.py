"""The audit log: what was removed from the lake because its time was over, why, by whom, and what covers it.

``_audit/date=YYYY-MM-DD/<time>-<tier>-<day>.jsonl``, one file for what goes together. It is durable, with all that
is about to be removed, before the first removal, and is written again when it is known what became of each. Must
not: decide or remove anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from firehose.areas import Area
from firehose.errors import CorruptLake
from firehose.store import L, LakePath


class State(StrEnum):
    """What became of it. After a death it stays ``begun``: the lake itself shows how far it came."""

    BEGUN = "begun"
    DONE = "done"
    KEPT = "kept"


class AuditedFile(msgspec.Struct, frozen=True):
    """A file that is removed: its key in the lake (a path, if it lies elsewhere), its bytes and their SHA-256.

    ``sha256`` is empty where nobody had taken it and the file is not worth reading again: a log.
    """

    key: str
    bytes: int
    sha256: str


class AuditLine(msgspec.Struct, frozen=True, kw_only=True):
    """One removal: ``what`` of which ``tier``, with its files. ``by`` is a command or a run of Airflow."""

    at: datetime
    by: str
    tier: str
    what: str
    why: str
    state: State
    files: list[AuditedFile]


def log_path(lake: L, at: datetime, name: str) -> L:
    """Where the lines of some removals lie that begin now."""
    return Area.AUDIT.of(lake) / f"date={at:%Y-%m-%d}" / f"{at:%H%M%S.%f}-{name}.jsonl"


def write(path: LakePath, lines: Sequence[AuditLine]) -> None:
    """Write the lines durably."""
    path.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))


def tidy(lake: LakePath) -> None:
    """Remove files that a killed writer has left unfinished. The caller is the only writer.

    Their names have a time, so no later file takes their place.
    """
    for folder in Area.AUDIT.of(lake).folders("date=*"):
        for name in folder.unfinished():
            (folder / name).discard()


def read(path: LakePath) -> Iterator[AuditLine]:
    """The lines of one file.

    Raises:
        CorruptLake: it cannot be read.
    """
    for line in path.read_bytes().splitlines():
        try:
            yield msgspec.json.decode(line, type=AuditLine)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise CorruptLake(f"{path}: not an audit log ({error}); restore it from a backup") from error


def log_paths(lake: L) -> list[L]:
    """Every file of the log, in the order of time."""
    return Area.AUDIT.of(lake).find("date=*/*.jsonl")
