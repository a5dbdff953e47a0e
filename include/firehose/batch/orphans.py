"""Raw files that no manifest names: what a drain leaves that died before it could say what it had copied.

Reads only. Must not: remove or adopt them (their events are still in Redis, or come again from the source).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from firehose import files
from firehose.areas import Area
from firehose.batch import manifest as manifests
from firehose.batch.lock import step_runs
from firehose.errors import CorruptBatch
from firehose.store import LakePath

_DRAFT: Final = files.part_of(Path(manifests.NAME)).name


def orphans(lake: LakePath) -> Iterator[str]:
    """A line for each raw batch with such files, saying what to do; not for one that is just being drained."""
    for folder in Area.RAW.of(lake).folders("date=*/batch=*"):
        try:
            manifest = manifests.read(folder)
        except CorruptBatch:  # told with the manifests
            continue
        # Beside a manifest its own draft is of one that was about to replace it: it is written again.
        named = {_DRAFT, *(queue.name for queue in manifest.queues.values())} if manifest else set()
        there = {*(path.name for path in folder.find("*")), *folder.unfinished()}
        if names := sorted(there - named - {manifests.NAME}):
            if step_runs(lake, folder.name.removeprefix("batch=")):
                continue
            where = folder.key_in(lake)
            yield f"{where}: {_left_over(names)}" if manifest else f"{where}: {_died(names)}"


def _died(names: list[str]) -> str:
    return (
        f"{len(names)} files and no manifest, so its drain died; clear the batch's run, which copies from Redis "
        "again. If Redis was lost since, the ingester has asked the source for these events again (redis_lost in "
        "`firehose coverage`): remove the folder when the batches from then are published"
    )


def _left_over(names: list[str]) -> str:
    return f"its manifest does not name {', '.join(names)}, left of a drain that died; remove it"
