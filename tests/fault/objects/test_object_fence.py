"""A lock in an object store never lets two writers through, also where a holder was silent and goes on."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import pytest

from firehose.errors import LockLost, LockTaken
from firehose.store import LakePath, LocalLake
from firehose.store.objects import fencing, locks
from firehose.store.objects.client import Bucket
from tests.support.object_store import ObjectStore, fence_all
from tests.support.waiting import until

_FORK: Final = multiprocessing.get_context("fork")
Act = Callable[[LakePath, Callable[[], None]], None]


def _replace(path: LakePath, pause: Callable[[], None]) -> None:
    def ready(_: LocalLake) -> None:
        pause()

    with path.replacing(ready) as draft:
        draft.write_bytes(b"of the silent holder")


def _replace_after_another(path: LakePath, pause: Callable[[], None]) -> None:
    path.with_name("first").write(b"so that there is a slot")
    _replace(path, pause)


def _upload(path: LakePath, pause: Callable[[], None]) -> None:
    copy = Bucket.copy

    def copy_later(self: Bucket, *given: str) -> None:
        pause()
        copy(self, *given)

    Bucket.copy = copy_later  # type: ignore[method-assign, assignment]  # in the forked process only
    path.write(b"of the silent holder")


def _remove(path: LakePath, pause: Callable[[], None]) -> None:
    pause()
    path.remove()


def _hold(path: LakePath, act: Act, connection: Connection) -> None:
    def pause() -> None:
        connection.send("at the point")
        os.kill(os.getpid(), signal.SIGSTOP)

    try:
        with path.with_name("lock").lock():
            act(path, pause)
    except LockLost as error:
        connection.send(str(error))
    else:
        connection.send("it was written")


@pytest.mark.parametrize("act", [_replace, _replace_after_another, _upload, _remove])
def test_a_silent_holder_writes_nothing_once_another_has_its_lock(
    act: Act, bucket_store: ObjectStore, tmp_path: Path
) -> None:
    lake = bucket_store.lake(tmp_path / "lake")
    path = lake / "year=2026/posts.parquet"
    path.write(b"old")
    ours, theirs = _FORK.Pipe()
    holder = _FORK.Process(target=_hold, args=(path, act, theirs))
    holder.start()
    assert holder.pid is not None
    assert ours.recv() == "at the point"
    until(lambda: _state(holder.pid) == "T", what="it is stopped")
    with pytest.raises(LockTaken), path.with_name("lock").lock(wait_s=0):
        pass
    with path.with_name("lock").lock():
        assert path.read_bytes() == b"old", "what the silent one began is not there"
        os.kill(holder.pid, signal.SIGCONT)
        said = ours.recv()
        assert "another one has taken its locks" in said and "\n" not in said
        assert path.read_bytes() == b"old", "the silent one writes although this one has not written yet"
        path.write(b"new")
    holder.join()
    assert path.read_bytes() == b"new"


def _state(pid: int | None) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_holder_that_was_silent_goes_on_where_no_other_wanted_its_lock(
    bucket_store: ObjectStore, tmp_path: Path
) -> None:
    path = bucket_store.lake(tmp_path / "lake") / "year=2026/posts.parquet"
    ours, theirs = _FORK.Pipe()
    holder = _FORK.Process(target=_hold, args=(path, _replace, theirs))
    holder.start()
    assert holder.pid is not None and ours.recv() == "at the point"
    until(lambda: not path.with_name("lock").is_locked(), what="its lease is old")
    os.kill(holder.pid, signal.SIGCONT)
    assert ours.recv() == "it was written"
    holder.join()
    assert path.read_bytes() == b"of the silent holder"


def test_a_session_that_was_fenced_writes_again_only_when_it_holds_no_lock_of_then(
    bucket_store: ObjectStore, tmp_path: Path
) -> None:
    lake = bucket_store.lake(tmp_path / "lake")
    lock, path = lake / ".locks/batch-1.lock", lake / "file"
    with lock.lock():
        path.write(b"1")
        fence_all(lake)
        for _ in range(2):
            with pytest.raises(LockLost):
                path.write(b"2")
    path.write(b"3")
    assert path.read_bytes() == b"3"


def test_a_forked_child_is_fenced_with_its_parent(bucket_store: ObjectStore, tmp_path: Path) -> None:
    lake = bucket_store.lake(tmp_path / "lake")
    with (lake / ".locks/batch-1.lock").lock():
        ours, theirs = _FORK.Pipe()
        child = _FORK.Process(target=_write_twice, args=(lake / "file", theirs))
        child.start()
        assert ours.recv() == "written"
        fence_all(lake)
        ours.send("go on")
        assert "another one has taken its locks" in ours.recv()
        child.join()
    assert (lake / "file").read_bytes() == b"1"


def _write_twice(path: LakePath, connection: Connection) -> None:
    path.write(b"1")
    connection.send("written")
    connection.recv()
    try:
        path.write(b"2")
    except LockLost as error:
        connection.send(str(error))


def test_a_task_that_was_forked_leaves_nothing(bucket_store: ObjectStore, tmp_path: Path) -> None:
    lake = bucket_store.lake(tmp_path / "lake")
    locks.end_sessions()
    task = _FORK.Process(target=_end_as_airflow_does, args=(lake / "file",))
    task.start()
    task.join()
    assert (lake / "file").read_bytes() == b"1"
    assert not Bucket(lake.place).page(f"{fencing.FOLDER}/").keys


def _end_as_airflow_does(path: LakePath) -> None:
    """Forget what is to run at the end, work, then run what was registered since."""
    atexit._clear()
    with path.with_name("lock").lock():
        path.write(b"1")
    atexit._run_exitfuncs()


def test_nothing_is_left_of_processes_that_ended_or_were_killed(bucket_store: ObjectStore, tmp_path: Path) -> None:
    lake = bucket_store.lake(tmp_path / "lake")
    ours, theirs = _FORK.Pipe()
    killed = _FORK.Process(target=_write_twice, args=(lake / "file", theirs))
    killed.start()
    assert ours.recv() == "written"
    killed.kill()
    killed.join()
    bucket = Bucket(lake.place)
    assert bucket.page(f"{fencing.FOLDER}/").keys

    def swept() -> bool:
        fencing.sweep(bucket, silent_s=0)
        return not bucket.page(f"{fencing.FOLDER}/").keys

    until(swept, what="its objects are removed")
    assert lake.find("*") == [lake / "file"]
