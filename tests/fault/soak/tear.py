"""A finished file of the lake loses its end, as no crash of ours can do to it, and is given back later.

Lives here: which files there are, and which step reads them. Must not: run steps.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from firehose.areas import Area
from firehose.batch.interval import Batch
from firehose.lake import recorded
from firehose.lake.ledger import read_ledger
from firehose.store import LocalLake

#: Area of the lake, names of the files, and the step that reads them; without a step, ``verify`` does.
_READERS: Final = (
    (Area.RAW, "*.zst", "drain"),
    (Area.RAW, "*.zst", "validate"),
    (Area.RAW, "manifest.json", "drain"),
    (Area.RAW, "manifest.json", "validate"),
    (Area.STAGED, "*.parquet", "publish"),
    (Area.STAGED, "*.slice.json", "publish"),
    (Area.QUALITY, "result.json", "publish"),
    (Area.QUARANTINE, "*.parquet", ""),
)


class Torn(NamedTuple):
    """A file without its end, what it was, and the step that has to notice."""

    path: Path
    whole: bytes
    torn: bytes
    step: str

    def tear(self) -> None:
        """Take its end away."""
        self.path.write_bytes(self.torn)

    def restore(self) -> bool:
        """Give it back, as from a backup; False: it was written again, or removed, in the meantime."""
        same = self.path.exists() and self.path.read_bytes() == self.torn
        if same:
            self.path.write_bytes(self.whole)
        return same


def choose(lake: Path, batch: Batch, kind: int, number: int, part: float) -> Torn | None:
    """The ``number``-th file of the ``kind``-th kind that a batch has, to be cut at ``part`` of its length.

    None: it has no file at all.
    """
    there = [(step, paths) for step, paths in _kinds(lake, batch) if paths]
    if not there:
        return None
    step, paths = there[kind % len(there)]
    path = paths[number % len(paths)]
    whole = path.read_bytes()
    return Torn(path, whole, whole[: int(part * len(whole))], step)


def _kinds(lake: Path, batch: Batch) -> list[tuple[str, list[Path]]]:
    """The files of each kind, and the step that reads them."""
    kinds = [(step, sorted(batch.folder(lake, area).glob(names))) for area, names, step in _READERS]
    ledger = sorted(Area.LEDGER.of(lake).glob(f"date=*/batch={batch.id}.json"))
    hours = hour_files(lake, batch)
    return [
        *kinds,
        ("publish", ledger),
        ("publish", hours),
        ("publish", [recorded.record_path(LocalLake(one)) for one in hours]),
    ]


def hour_files(lake: Path, batch: Batch) -> list[Path]:
    """The hour files that a published batch has touched, so that publishing it again reads them."""
    touched = [entry.hours for entry in read_ledger(LocalLake(lake)) if entry.batch == batch.id]
    return [
        lake / f"year={hour[:4]}/month={hour[5:7]}/day={hour[8:10]}/hour={hour[11:13]}/{name}.parquet"
        for hours in touched
        for hour, types in hours.items()
        for name in types
    ]
