"""A cleanup of any state of the old files moves what is covered, and never anything else; a restore undoes it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from firehose.legacy.cleanup.run import Cleanup
from firehose.settings import Settings
from firehose.store import LocalLake
from tests.support.old_files import DAYS, AllHeld, compared, keep, write

CACHED = "cache/study_user_activity/create/post/author_did=did:plc:a_post_uri_suffix={}.json"
PATHS = (
    *(CACHED.format(number) for number in range(3)),
    "queue/jetstream_sync.db",
    "raw_sync/create/like/cache/partition_date=2024-10-01/one-0.parquet",
    "raw_sync/create/like/cache/partition_date=2024-10-01/two-0.parquet",
)
TOGETHER = PATHS[-2:]


class File(msgspec.Struct):
    """The state of an old file: its days, and what is wrong with it."""

    days: list[int]
    known: bool
    refused: bool
    imported: bool
    changed: bool
    log: bool


FILES = st.builds(
    File,
    days=st.lists(st.sampled_from(range(3)), min_size=1, unique=True),
    known=st.integers(0, 5).map(bool),
    refused=st.integers(0, 5).map(lambda n: n == 0),
    imported=st.integers(0, 5).map(bool),
    changed=st.integers(0, 5).map(lambda n: n == 0),
    log=st.integers(0, 5).map(lambda n: n == 0),
)
# Of a day: it passed, it did not, it was not compared.
STATES = st.lists(st.sampled_from([True, True, True, False, None]), min_size=3, max_size=3)


def may_go(path: str, files: dict[str, File], days: list[bool | None]) -> bool:
    """The rule, said once more: each condition of each file that goes together."""
    return all(
        file.known
        and not (file.refused or file.changed or (file.log and other.endswith(".db")))
        and file.imported
        and all(days[number] for number in file.days)
        for other, file in files.items()
        if other == path or {other, path} <= set(TOGETHER)
    )


@settings(max_examples=60, deadline=None)
@given(states=st.lists(FILES, min_size=len(PATHS), max_size=len(PATHS)), days=STATES, backup=st.booleans())
def test_it_never_removes_what_is_not_covered(states: list[File], days: list[bool | None], backup: bool) -> None:
    files = dict(zip(PATHS, states, strict=True))
    with tempfile.TemporaryDirectory() as folder:
        root, lake = Path(folder) / "old", LocalLake(Path(folder) / "lake")
        for path in PATHS:
            write(root, path, path)
        register = {
            path: compared(
                root, path, [DAYS[n] for n in sorted(file.days)], refused=int(file.refused), imported=file.imported
            )
            for path, file in files.items()
            if file.known
        }
        keep(lake, root, register, {DAYS[n]: good for n, good in enumerate(days) if good is not None})
        for path, file in files.items():
            if file.changed:
                write(root, path, path.upper())
            if file.log and path.endswith(".db"):
                write(root, path + "-wal", "")
        before = content(root)
        work = Cleanup(Settings(lake=str(lake)), root, "a test", AllHeld() if backup else None)
        planned = work.plan()
        assert content(root) == before
        done = work.do()
        gone = {path for path in PATHS if not (root / path).exists()}
        assert gone == {path for path in PATHS if backup and may_go(path, files, days)}
        assert (done.files, done.stays) == (planned.files, planned.stays)
        assert done.files == len(gone)
        assert work.restore() == []
        assert content(root) == before


def test_a_day_of_which_no_import_has_brought_a_record_stays(tmp_path: Path) -> None:
    root, lake = tmp_path / "old", LocalLake(tmp_path / "lake")
    write(root, PATHS[0], "a record")
    keep(lake, root, {PATHS[0]: compared(root, PATHS[0], DAYS[:1])}, {DAYS[0]: True}, imported=False)
    done = Cleanup(Settings(lake=str(lake)), root, "a test", AllHeld()).do()
    assert (done.files, done.stays) == (0, {"no import has brought a record of 2024-10-01": 1})


def content(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}
