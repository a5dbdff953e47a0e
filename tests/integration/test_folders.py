"""Which folders a write syncs: all above it at first, then only those that may have changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from firehose import files, folders
from firehose.errors import DiskFailed

OPEN = Path("/proc/self/fd")
Synced = Callable[[Path], list[Path]]


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> Synced:
    """Writes a file; the folders that were synced for it, in order."""
    found: list[Path] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        real(descriptor)
        found.append(Path(f"/proc/self/fd/{descriptor}").readlink())

    monkeypatch.setattr(os, "fsync", fsync)

    def write(path: Path) -> list[Path]:
        found.clear()
        files.write_bytes(path, b"content")
        return [path for path in found if path.is_dir()]

    return write


def test_a_new_folder_is_synced_up_to_the_first_that_is_known(tmp_path: Path, synced: Synced) -> None:
    lake = tmp_path / "lake"
    first = synced(lake / "day=1" / "hour=1" / "a")
    assert first[:4] == [lake / "day=1" / "hour=1", lake / "day=1", lake, tmp_path]
    assert len(first) > 4, "the folders above are nobody's that we know"
    assert synced(lake / "day=1" / "hour=1" / "b") == [lake / "day=1" / "hour=1"]
    assert synced(lake / "day=1" / "hour=2" / "a") == [lake / "day=1" / "hour=2", lake / "day=1"]
    assert synced(lake / "day=2" / "hour=1" / "a") == [lake / "day=2" / "hour=1", lake / "day=2", lake]


def test_a_folder_that_was_made_again_is_not_the_one_that_is_known(tmp_path: Path, synced: Synced) -> None:
    hour, day = tmp_path / "day=1" / "hour=1", tmp_path / "day=1"
    synced(hour / "a")
    files.remove(hour / "a")
    hour.rmdir()
    assert synced(hour / "a") == [hour, day]
    day.rename(tmp_path / "aside")
    assert synced(hour / "a")[:3] == [hour, day, tmp_path]


def test_what_is_known_does_not_grow(tmp_path: Path, synced: Synced) -> None:
    before = len(list(OPEN.iterdir()))
    for number in range(300):
        synced(tmp_path / f"hour={number}" / "a")
    assert len(list(OPEN.iterdir())) <= before + folders._MOST
    assert synced(tmp_path / "hour=299" / "a") == [tmp_path / "hour=299"]


def test_a_sync_that_fails_makes_nothing_known(
    tmp_path: Path, synced: Synced, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "day=1" / "hour=1" / "a"
    real = os.fsync

    def fails(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink() == tmp_path / "day=1":
            raise OSError(5, "Input/output error")
        real(descriptor)

    with monkeypatch.context() as broken, pytest.raises(DiskFailed):
        broken.setattr(os, "fsync", fails)
        files.write_bytes(path, b"content")
    assert synced(path)[:3] == [tmp_path / "day=1" / "hour=1", tmp_path / "day=1", tmp_path]
