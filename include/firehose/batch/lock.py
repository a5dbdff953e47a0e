"""One step of a batch at a time: a cleared run, a manual run and a scheduled one may meet over an interval."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Concatenate, Final, ParamSpec, TypeVar

from firehose.areas import Area
from firehose.batch.interval import Batch
from firehose.errors import LockTaken
from firehose.settings import Settings
from firehose.store import L, LakePath

P = ParamSpec("P")
R = TypeVar("R")
_LOOK_S: Final = 0.1


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


def step_runs(lake: LakePath, batch_id: str) -> bool:
    """Tell whether a step of the batch is at work now, in any process."""
    return lock_path(lake, batch_id).is_locked()


def exclusive_per_batch(
    step: Callable[Concatenate[Settings, Batch, P], R],
) -> Callable[Concatenate[Settings, Batch, P], R]:
    """Let ``step`` run only while no other step of its batch does, in this process or another one.

    A step may call another one of the same batch: the lock is held once a thread. None begins while the lake is
    :func:`at_rest`.
    """

    @functools.wraps(step)
    def run(settings: Settings, batch: Batch, /, *args: P.args, **kwargs: P.kwargs) -> R:
        while True:
            with lock_path(settings.lake_path, batch.id).lock(reentrant=True):
                # Asked while the batch's lock is held: whoever has taken the other lock waits for this one.
                if not rests(settings.lake_path):
                    return step(settings, batch, *args, **kwargs)
            with _rest(settings.lake_path).lock():
                pass

    return run


@contextmanager
def at_rest(lake: LakePath, wait_s: float) -> Iterator[None]:
    """Wait until no step of any batch runs, and let none begin: for a look at the lake as of one moment.

    Steps that want to begin meanwhile wait. Closings of hours do not: what they replace is whole at any moment.

    Raises:
        LockTaken: a step ran all that time, or another one holds the lake at rest.
    """
    deadline = time.monotonic() + wait_s
    with _rest(lake).lock(wait_s=wait_s):
        for path in locks_folder(lake).locked("batch-*.lock"):
            while path.is_locked():
                if time.monotonic() > deadline:
                    raise LockTaken(f"{path} is locked: a step of this batch still runs; try again later")
                time.sleep(_LOOK_S)
        yield


def rests(lake: LakePath) -> bool:
    """Tell whether the lake is :func:`at_rest`: who holds a batch's lock, and not because a step does, asks."""
    return _rest(lake).is_locked()


def _rest(lake: L) -> L:
    return locks_folder(lake) / "rest.lock"
