"""The old system's SQLite queues: events byte by byte, and a log that lies beside one."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from firehose.legacy.record import OldRecord, Refused
from tests.unit.legacy.old_files import CID, DID, all_of, digest, put

TABLE = (
    "CREATE TABLE queue (id INTEGER PRIMARY KEY AUTOINCREMENT, payload TEXT, metadata TEXT, "
    "created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, status TEXT DEFAULT 'pending')"
)
PATH = "queue/jetstream_sync.db"


def _item(**changed: Any) -> dict[str, Any]:
    record = {"$type": "app.bsky.feed.post", "createdAt": "2024-10-05T14:05:00Z", "text": "ü & \n"}
    commit = {"rev": "3rev", "operation": "create", "collection": "app.bsky.feed.post", "rkey": "3post"}
    return {
        **{"did": DID, "time_us": "1728137100000000", "kind": "commit"},
        **{"commit_data": commit | {"record": record, "cid": CID}, "identity_data": None, "account_data": None},
        **{"collection": "app.bsky.feed.post", "created_at": "2024-10-05-14:05:01", **changed},
    }


def _identity() -> dict[str, Any]:
    about = {"did": DID, "handle": "a.example.com", "seq": 1, "time": "2024-10-05T14:05:00Z"}
    return _item(kind="identity", commit_data=None, identity_data=about, collection="")


def _queue(root: Path, *payloads: object, statuses: tuple[str, ...] = ("pending",), table: str = TABLE) -> Path:
    file = root / PATH
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(table)
        for i, payload in enumerate(payloads):
            row = (payload, statuses[i % len(statuses)])
            database.execute("INSERT INTO queue (payload, metadata, status) VALUES (?, '{}', ?)", row)
    return file


def test_events_are_lines_of_jetstream_v1_and_the_same_at_each_reading(tmp_path: Path) -> None:
    statuses = ("pending", "processing", "completed", "failed")
    payload = json.dumps([_item(), _identity()])
    _queue(tmp_path, *[payload] * 4, statuses=statuses)
    records = all_of(tmp_path)
    assert records == all_of(tmp_path)
    assert [each.place for each in records] == [f"{row}/{at}" for row in range(1, 5) for at in range(2)]
    commit, identity = records[:2]
    assert isinstance(commit, OldRecord)
    assert isinstance(identity, OldRecord)
    item = _item()
    expected = {"did": DID, "time_us": 1728137100000000, "kind": "commit", "commit": item["commit_data"]}
    assert json.loads(commit.event or b"") == expected
    assert (commit.uri, commit.cid, commit.operation) == (f"at://{DID}/app.bsky.feed.post/3post", CID, "create")
    assert (commit.created_at, commit.received_us) == ("2024-10-05T14:05:00Z", 1728137101000000)
    assert (identity.operation, identity.collection, identity.rkey) == ("identity", "", "")
    assert json.loads(identity.event or b"")["identity"]["handle"] == "a.example.com"


def test_one_bad_event_does_not_take_its_row_with_it(tmp_path: Path) -> None:
    bad = [_item(time_us=5), _item(time_us="soon"), _item(commit_data=None), _item(kind="gossip"), _item(other=1)]
    _queue(tmp_path, json.dumps([_item(), *bad, _item()]), "{", None, b"\xff\xfe", json.dumps({"a": 1}))
    records = all_of(tmp_path)
    assert [each.place for each in records if isinstance(each, OldRecord)] == ["1/0", "1/6"]
    refused = [each for each in records if isinstance(each, Refused)]
    assert [each.place for each in refused] == ["1/1", "1/2", "1/3", "1/4", "1/5", "2", "3", "4", "5"]
    assert [each.place for each in refused if each.unknown] == ["1/5"]


def test_rows_in_a_log_are_read_and_nothing_beside_the_database_changes(tmp_path: Path) -> None:
    file = _queue(tmp_path / "writing", json.dumps([_item()]))
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("INSERT INTO queue (payload) VALUES (?)", (json.dumps([_item(), _item()]),))
        database.commit()
        shutil.copytree(file.parent, tmp_path / "old" / "queue", ignore=shutil.ignore_patterns("*-shm"))
    old = tmp_path / "old"
    assert (old / f"{PATH}-wal").stat().st_size
    before = digest(old)
    assert [each.place for each in all_of(old)] == ["1/0", "2/0", "2/1"]
    assert digest(old) == before


def test_a_database_of_another_shape_is_unknown_and_a_broken_one_is_listed(tmp_path: Path) -> None:
    _queue(tmp_path / "a", table="CREATE TABLE queue (id INTEGER, payload TEXT, metadata TEXT)")
    put(tmp_path / "b", PATH, b"SQLite format 3\0 and no more")
    other, broken = all_of(tmp_path)
    assert isinstance(other, Refused)
    assert isinstance(broken, Refused)
    assert (other.unknown, broken.unknown) == (True, False)
    assert (other.path, broken.path) == (f"a/{PATH}", f"b/{PATH}")
