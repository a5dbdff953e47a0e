"""What every storage of a lake must do. Another one passes these tests as they are: add it to ``BACKENDS``."""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from firehose.areas import RESTORING
from firehose.errors import DiskFailed, LockTaken, NoSecondNames, RestoreUnfinished
from firehose.store import LakePath, LocalLake
from firehose.store.objects.client import Bucket
from tests.support.disks import small_file_system
from tests.support.object_store import STORE, ObjectStore
from tests.support.waiting import until


class Backend(NamedTuple):
    """A storage: how the root of a lake in an empty folder is made, and what it calls to make something durable.

    ``durable`` has objects and names of their functions, of which one has been called when a write or a removal
    returns. If they raise OSError, what was written has not taken its place. ``settled``: what can be read already
    is durable, so that nothing needs to be called for that.
    """

    lake: Callable[[Path], LakePath]
    durable: tuple[tuple[Any, str], ...] = ((os, "fsync"),)
    settled: bool = False


def _in_a_bucket(folder: Path) -> LakePath:
    """A lake of its own for this folder, in the store that the environment names."""
    return ObjectStore(os.environ[STORE]).lake(folder)


BACKENDS: Final = {
    "local": Backend(LocalLake),
    "objects": Backend(_in_a_bucket, ((Bucket, "copy"), (Bucket, "delete")), settled=True),
}
_FORK: Final = multiprocessing.get_context("fork")


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    if request.param == "objects":
        request.getfixturevalue("bucket_store")
    return BACKENDS[request.param]


@pytest.fixture
def lake(backend: Backend, tmp_path: Path) -> LakePath:
    return backend.lake(tmp_path / "lake")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with small_file_system(tmp_path / "disk", 2) as folder:
        yield folder


def test_what_is_written_is_read_back_whole_and_in_ranges(lake: LakePath) -> None:
    path = lake / "_raw/date=2026-11-25" / "posts.bin"
    content = bytes(range(256)) * 1000
    path.write(b"old")
    path.write(content)
    assert path.exists() and path.size() == len(content) and path.read_bytes() == content
    assert path.sha256() == hashlib.sha256(content).hexdigest()
    with path.reading_by_arrow() as arrow:
        assert arrow.size() == len(content)
        assert arrow.read_at(3, 255) == content[255:258]
    with path.reading() as stream:
        assert stream.seek(255) == 255 and stream.read(3) == content[255:258]
        stream.seek(-5, os.SEEK_END)
        assert stream.read() == content[-5:]
        stream.seek(0)
        assert hashlib.file_digest(stream, "sha256").hexdigest() == path.sha256()
    path.settle()
    assert path.read_bytes() == content


def test_what_is_missing_is_an_error_of_that_kind(lake: LakePath) -> None:
    path = lake / "none"
    assert not path.exists()
    for read in (path.size, path.read_bytes, path.reading, path.sha256, path.settle):
        with pytest.raises(FileNotFoundError):
            read()
    path.remove()
    path.discard()
    path.discard_all()
    assert lake.find("*") == [] and path.find("*/*") == [] and path.folders("*") == []


def test_names(lake: LakePath) -> None:
    path = lake / "year=2026/month=11" / "posts.parquet"
    assert (path.name, path.stem, path.key_in(lake)) == (
        "posts.parquet",
        "posts",
        "year=2026/month=11/posts.parquet",
    )
    assert tuple(path.parts[-3:]) == ("year=2026", "month=11", "posts.parquet")
    assert path.parent == lake / "year=2026/month=11" == path.parents[0]
    assert path.parents[2] == lake
    assert path.with_name("likes.parquet") == path.parent / "likes.parquet"
    assert path.with_suffix(".json") == path.parent / "posts.json"
    assert pickle.loads(pickle.dumps(path)) == path  # noqa: S301  # our own
    assert len({path, lake / "year=2026/month=11/posts.parquet"}) == 1
    assert str(path).endswith("year=2026/month=11/posts.parquet") and "\n" not in str(path)


@pytest.mark.parametrize("key", ["../outside", "a/../../outside", "/etc/passwd", "a/.."])
def test_no_key_leads_out_of_the_lake(lake: LakePath, key: str) -> None:
    for folder in (lake, lake / "a"):
        with pytest.raises(ValueError, match="leads out of the lake"):
            folder / key


def test_files_and_folders_are_listed_in_order_by_pattern(lake: LakePath) -> None:
    keys = ["d=1/b=10/x.json", "d=1/b=2/x.json", "d=1/b=2/y.bin", "d=2/b=1/x.json", "d=2/x.json", "e/x.json"]
    for key in reversed(keys):
        (lake / key).write(key.encode())
    assert [path.key_in(lake) for path in lake.find("d=*/b=*/*.json")] == [keys[0], keys[1], keys[3]]
    assert [path.key_in(lake) for path in (lake / "d=1").find("*/y.bin")] == ["d=1/b=2/y.bin"]
    assert [path.read_bytes().decode() for path in lake.find("d=?/x.json")] == ["d=2/x.json"]
    assert [path.key_in(lake) for path in lake.folders("d=*/b=*")] == ["d=1/b=10", "d=1/b=2", "d=2/b=1"]
    assert [path.name for path in lake.folders("*")] == ["d=1", "d=2", "e"]


def test_a_listing_has_every_file_and_tells_a_replaced_one_by_its_stamp(lake: LakePath) -> None:
    keys = ["_hours/date=1/hour=2/x.json", "_hours/watched.json", "year=1/a/b/c.parquet", "year=1/z.parquet"]
    for key in keys:
        (lake / key).write(key.encode())
    before = {listed.key: listed for listed in lake.listing()}
    assert {key: listed.size for key, listed in before.items()} == {key: len(key) for key in keys}
    assert [listed.key for listed in (lake / "_hours/date=1").listing()] == ["hour=2/x.json"]
    (lake / keys[0]).write(keys[0].upper().encode())
    assert [key for key, listed in before.items() if listed not in set(lake.listing())] == [keys[0]]
    with (lake / keys[3]).replacing() as draft:
        draft.write_bytes(b"not in place yet")
        assert {listed.key for listed in lake.listing()} == set(keys)
    assert list((lake / "none").listing()) == []


def test_a_lake_that_is_half_restored_is_refused(lake: LakePath) -> None:
    lake.require_current()
    (lake / RESTORING).write(b"{}")
    with pytest.raises(RestoreUnfinished, match="repeat firehose restore"):
        lake.require_current()


def test_a_file_is_renamed_copied_and_removed(lake: LakePath) -> None:
    one, two, copy = lake / "_hours/a.next.json", lake / "_hours/a.json", lake / "_aside/date=1/a.json"
    two.write(b"old")
    one.write(b"new")
    one.rename_to(two)
    two.copy_to(copy)
    assert not one.exists() and two.read_bytes() == copy.read_bytes() == b"new"
    copy.remove()
    two.discard()
    assert lake.find("*/*") == [] and lake.find("*/*/*") == []
    for number in range(3):
        (lake / f"_staged/batch=1/{number}").write(b"")
    (lake / "_staged/batch=2/0").write(b"")
    (lake / "_staged/batch=1").discard_all()
    assert [path.key_in(lake) for path in lake.find("*/*/*")] == ["_staged/batch=2/0"]


def test_a_second_name_keeps_the_content_whatever_becomes_of_the_first(lake: LakePath) -> None:
    path, other = lake / "year=2026/posts.parquet", lake / "_iceberg/posts/data/1.parquet"
    with pytest.raises(FileNotFoundError):
        path.name_also(other)
    path.write(b"old")
    path.name_also(other)
    path.write(b"new")
    assert other.read_bytes() == b"old"
    path.remove()
    assert other.read_bytes() == b"old"
    assert other.uri == f"{lake.uri}/_iceberg/posts/data/1.parquet"
    assert other.uri.split("://")[0] in ("file", "s3")


def test_where_a_file_has_one_name_only_that_is_one_line(small_disk: Path, tmp_path: Path) -> None:
    path = LocalLake(tmp_path / "posts.parquet")
    path.write(b"x")
    with pytest.raises(
        NoSecondNames, match=r"^[^\n]*hard links, and hour files of this user; or unset FIREHOSE_ICEBERG[^\n]*$"
    ):
        path.name_also(LocalLake(small_disk / "posts.parquet"))


@pytest.mark.parametrize("fails", ["while it is written", "when it is ready"])
def test_a_replacement_that_fails_changes_nothing(lake: LakePath, fails: str) -> None:
    path = lake / "year=2026/posts.parquet"
    path.write(b"old")
    seen: list[bytes] = []

    def ready(draft: LocalLake) -> None:
        seen.append(draft.read_bytes())
        assert path.read_bytes() == b"old", "it takes the place after that"
        raise RuntimeError("when it is ready")

    with pytest.raises(RuntimeError, match=fails), path.replacing(ready) as draft:
        draft.write_bytes(b"new")
        if fails == "while it is written":
            raise RuntimeError(fails)
    assert seen == ([] if fails == "while it is written" else [b"new"])
    assert path.read_bytes() == b"old"
    assert lake.find("*/*") == [path] and path.parent.unfinished() == []


def _write_for_ever(path: LakePath) -> None:
    number = 0
    while True:
        number += 1
        path.write(bytes([number % 251]) * (100_000 + number % 7))


def test_a_reader_sees_whole_files_whenever_the_writer_is_killed(lake: LakePath) -> None:
    path = lake / "year=2026/posts.parquet"
    path.write(b"\0" * 100_000)
    for _ in range(3):
        writer = _FORK.Process(target=_write_for_ever, args=(path,))
        writer.start()
        seen = set[int]()

        def look(seen: set[int] = seen) -> bool:
            content = path.read_bytes()
            assert len(content) >= 100_000 and content == content[:1] * len(content)
            assert lake.find("*/*") == [path]
            seen.add(content[0])
            return len(seen) > 3

        until(look, what="the file is replaced", pause_s=0)
        writer.kill()
        writer.join()
    path.write(b"whole")
    assert lake.find("*/*") == [path] and path.read_bytes() == b"whole"


def test_what_has_returned_is_durable(backend: Backend, lake: LakePath, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = list[object]()

    def noted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            calls.append(args)
            return real(*args, **named)

        return call

    for owner, name in backend.durable:
        monkeypatch.setattr(owner, name, noted(getattr(owner, name)))
    path, other = lake / "_ledger/date=1/batch=1.json", lake / "_ledger/date=1/batch=2.json"
    steps: list[Callable[[], None]] = [
        lambda: path.write(b"x"),
        path.settle,
        lambda: path.copy_to(other),
        lambda: other.rename_to(path),
        lambda: path.name_also(other),
        path.remove,
    ]
    for number, step in enumerate(steps):
        calls.clear()
        step()
        settles = backend.settled and step == path.settle
        assert calls or settles, f"step {number} has returned, and nothing was made durable"

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    path.write(b"old")
    with monkeypatch.context() as broken:
        for owner, name in backend.durable:
            broken.setattr(owner, name, fail)
        with pytest.raises(DiskFailed, match=r"^[^\n]*not written \(Input/output error\); see to the disk[^\n]*$"):
            path.write(b"new")
    assert path.read_bytes() == b"old"


def test_a_full_disk_is_one_line_and_changes_nothing(backend: Backend, small_disk: Path) -> None:
    lake = backend.lake(small_disk / "lake")
    path = lake / "year=2026/posts.parquet"
    path.write(b"old")
    with pytest.raises(DiskFailed, match=r"^[^\n]*No space left on device[^\n]*$"):
        path.write(b"new" * 1_000_000)
    assert path.read_bytes() == b"old" and lake.find("*/*") == [path] and path.parent.unfinished() == []
    path.write(b"new")
    assert path.read_bytes() == b"new"


def _hold(path: LakePath, connection: Connection) -> None:
    with path.lock():
        connection.send("held")
        connection.recv()


def test_a_lock_excludes_other_processes_until_its_holder_ends(lake: LakePath) -> None:
    path = lake / ".locks/batch-1.lock"
    assert not path.is_locked()
    ours, theirs = _FORK.Pipe()
    holder = _FORK.Process(target=_hold, args=(path, theirs))
    holder.start()
    assert ours.recv() == "held"
    assert path.is_locked() and not (lake / ".locks/batch-2.lock").is_locked()
    with (lake / ".locks/batch-2.lock").lock(), (lake / ".locks/rest.lock").lock():
        assert (lake / ".locks").locked("batch-*.lock") == [path, lake / ".locks/batch-2.lock"]
    (lake / ".locks").forget_locks()
    assert (lake / ".locks").locked("batch-*.lock") == [path]
    with pytest.raises(LockTaken), path.lock(wait_s=0):
        pass
    with (lake / ".locks/batch-2.lock").lock(wait_s=0):
        pass
    holder.kill()
    holder.join()
    with path.lock(reentrant=True), path.lock(reentrant=True):
        assert path.is_locked()
    assert not path.is_locked()


def test_the_scratch_folder_is_empty_local_and_exclusive(lake: LakePath) -> None:
    for _ in range(2):
        with lake.scratch() as folder:
            assert list(folder.iterdir()) == []
            (folder / "year=2026/posts.parquet").write(b"x")
            (folder / "left").write_bytes(b"x")
        assert not folder.exists()
    assert [path.name for path in lake.find("*") if not path.name.startswith(".")] == []


_STREAM: Final = """
import resource, sys
from pathlib import Path
from tests.contract.test_lake_store import BACKENDS
path = BACKENDS[sys.argv[1]].lake(Path(sys.argv[2])) / "year=2026/posts.parquet"
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
path.write(b"warm"); path.sha256(); before = peak()
with path.replacing() as draft, draft.open("wb") as out:
    for _ in range(48):
        out.write(b"x" * (1 << 20))
path.settle(); path.copy_to(path.with_name("copy")); path.with_name("copy").rename_to(path)
with path.reading() as stream:
    while stream.read(1 << 20):
        pass
path.sha256()
print(path.size() >> 20, (peak() - before) >> 10)
"""


@pytest.mark.parametrize("name", BACKENDS)
def test_a_large_file_takes_little_memory(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if name == "objects":
        request.getfixturevalue("bucket_store")
    done = subprocess.run(
        [sys.executable, "-c", _STREAM, name, str(tmp_path / "lake")],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    size, grown = map(int, done.stdout.split())
    assert size == 48 and grown < 32


def test_what_cannot_be_discarded_is_an_error(tmp_path: Path) -> None:
    """A validation begins again from an empty folder: what were left of another one would be taken for its own."""
    lake = LocalLake(tmp_path / "lake")
    (lake / "_staged").write(b"a file where a folder should be")
    with pytest.raises(OSError, match="Not a directory"):
        (lake / "_staged").discard_all()
