"""The locks of hour files: writers of one hour and type exclude each other. Must not: know what a writer does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock

from firehose.batch.lock import locks_folder
from firehose.lake import layout


@contextmanager
def locked(lake: Path, record_type: str, hours: Iterable[int]) -> Iterator[None]:
    """Keep other writers out of these hours' files. In the order of time, or two writers wait for each other."""
    with ExitStack() as held:
        for hour in sorted(set(hours)):
            held.enter_context(FileLock(locks_folder(lake) / f"{record_type}-{layout.hour_name(hour)}.lock"))
        yield
