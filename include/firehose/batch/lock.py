"""One step of a batch at a time: a cleared run, a manual run and a scheduled one may meet over an interval."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from firehose.areas import Area
from firehose.batch.interval import Batch
from firehose.settings import Settings
from firehose.store import L

P = ParamSpec("P")
R = TypeVar("R")


def locks_folder(lake: L) -> L:
    """The folder of the lake's locks. All that writes into the lake asks for it first, and is refused an old lake.

    Raises:
        LakeOutdated: the lake has the folder names of an earlier version.
    """
    lake.require_current()
    return Area.LOCKS.of(lake)


def lock_path(lake: L, batch_id: str) -> L:
    """The name by which the steps of a batch exclude each other."""
    return locks_folder(lake) / f"batch-{batch_id}.lock"


def exclusive_per_batch(
    step: Callable[Concatenate[Settings, Batch, P], R],
) -> Callable[Concatenate[Settings, Batch, P], R]:
    """Let ``step`` run only while no other step of its batch does, in this process or another one.

    A step may call another one of the same batch: the lock is held once a thread.
    """

    @functools.wraps(step)
    def run(settings: Settings, batch: Batch, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with lock_path(settings.lake_path, batch.id).lock(reentrant=True):
            return step(settings, batch, *args, **kwargs)

    return run
