"""Gives the areas of an earlier version's lake today's names, one rename each. May be killed, and run again.

Hour files stay where they are, and no file's content changes. Must not: run beside a step of the pipeline.
"""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from firehose import crash, files
from firehose.areas import Area, earlier_areas
from firehose.errors import DiskFailed, FirehoseError, ServiceUnavailable


def upgrade(lake: Path) -> dict[str, str]:
    """Rename what has the name of an earlier version. Returns the new names by the old ones; empty: nothing had.

    Raises:
        ServiceUnavailable: a step of the pipeline is at work in this lake.
        FirehoseError: there are folders of both names for one area, and what is in them differs; or one cannot be
            renamed.
    """
    if not earlier_areas(lake):
        return {}
    with _alone(lake):
        found = earlier_areas(lake)
        for area, earlier in found.items():
            _check(earlier, area.of(lake))
        # First, since a lake without earlier names is not looked at again. Today's partial files have other names,
        # so these would never be replaced.
        _remove_partial(lake)
        for area, earlier in found.items():
            _rename(earlier, area.of(lake))
            crash.reached(crash.Point.AREA_RENAMED)
    return {earlier.name: area.value for area, earlier in found.items()}


@contextmanager
def _alone(lake: Path) -> Iterator[None]:
    """See that no step of either version is at work. Today's steps do not begin before all names are today's."""
    folder = Area.LOCKS.of(lake)
    folder.mkdir(exist_ok=True)
    ours = folder / "upgrade.lock"
    with _free(ours):
        for path in sorted(folder.glob("*.lock")):
            if path != ours:
                with _free(path):
                    pass
        yield


@contextmanager
def _free(path: Path) -> Iterator[None]:
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ServiceUnavailable(
            f"{path.parents[1]}: something is at work there (it holds {path.name}), so nothing was renamed: stop "
            "Airflow, the demo or the command that runs, then try again"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _check(earlier: Path, now: Path) -> None:
    """Of two folders for one area one must have nothing that the other does not have."""
    if not now.exists() or not any(_files(now)):
        return
    for path in _files(earlier):
        other = now / path.relative_to(earlier)
        if not other.is_file() or not filecmp.cmp(path, other, shallow=False):
            raise FirehoseError(
                f"{earlier} and {now} are both there, and {path.relative_to(earlier)} is not the same in both, so "
                f"nothing was renamed: put what is right into {now.name}/, move {earlier.name}/ out of the lake, "
                "then try again"
            )


def _rename(earlier: Path, now: Path) -> None:
    try:
        if now.exists() and any(_files(now)):  # everything of the earlier folder is there, as _check has seen
            shutil.rmtree(earlier)
            return
        if now.exists():
            shutil.rmtree(now)
        files.rename(earlier, now)
    except DiskFailed:
        raise
    except OSError as error:
        raise FirehoseError(
            f"{earlier} cannot become {now.name}/ ({error.strerror}); a disk that is mounted there has to be "
            f"mounted at {now} instead; then try again"
        ) from error


def _remove_partial(lake: Path) -> None:
    for part in lake.rglob(f"[!{files.PART_PREFIX}]*{files.PART_SUFFIX}"):
        part.unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if not path.is_dir())
