"""The locks of hour files: writers of one hour and type exclude each other. Must not: know what a writer does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from firehose.batch.lock import locks_folder
from firehose.lake import layout
from firehose.store import LakePath


@contextmanager
def locked(lake: LakePath, hours: Iterable[tuple[int, str]]) -> Iterator[None]:
    """Keep other writers out of all files of these hours, each of one type.

    In the order of time, and of types within an hour, or two writers wait for each other.
    """
    folder = locks_folder(lake)
    with ExitStack() as held:
        for hour, record_type in sorted(set(hours)):
            held.enter_context((folder / f"{record_type}-{layout.hour_name(hour)}.lock").lock())
        yield
