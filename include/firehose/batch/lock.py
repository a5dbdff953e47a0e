"""One step of a batch at a time: a cleared run, a manual run and a scheduled one may meet over an interval."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from filelock import FileLock

from firehose.areas import Area, require_current
from firehose.batch.interval import Batch
from firehose.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")


def locks_folder(lake: Path) -> Path:
    """Where the lake's lock files lie; it exists afterwards. Whatever writes into the lake begins here.

    Raises:
        LakeOutdated: the lake has the folder names of an earlier version.
    """
    require_current(lake)
    folder = Area.LOCKS.of(lake)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def lock_path(lake: Path, batch_id: str) -> Path:
    """The file by which the steps of a batch exclude each other."""
    return locks_folder(lake) / f"batch-{batch_id}.lock"


def alone(step: Callable[Concatenate[Settings, Batch, P], R]) -> Callable[Concatenate[Settings, Batch, P], R]:
    """Let ``step`` run only while no other step of its batch does, in this process or another one.

    A step may call another one of the same batch: the lock is held once a thread.
    """

    @functools.wraps(step)
    def run(settings: Settings, batch: Batch, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with FileLock(lock_path(settings.lake_path, batch.id), is_singleton=True):
            return step(settings, batch, *args, **kwargs)

    return run
