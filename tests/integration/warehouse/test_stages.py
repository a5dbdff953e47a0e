"""`firehose legacy stage` on a real lake, ClickHouse and Redis: every stage and back, each check failed once."""

from __future__ import annotations

import hashlib
import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from clickhouse_connect.driver.client import Client
from typer.testing import CliRunner

from firehose.batch.coverage import records_path
from firehose.batch.interval import Batch
from firehose.errors import FirehoseError
from firehose.lake import audit
from firehose.lake.audit import AuditedFile, State
from firehose.legacy.cleanup import trash
from firehose.legacy.compare import kept
from firehose.settings import Settings, load
from firehose.warehouse.migrate import migrate
from firehose.warehouse.summaries import refresh
from firehose_cli.legacy import app
from ingester.contract.gap import Gap, Reason, encoded_list
from ingester.contract.settings import DEFAULT_REDIS_PASSWORDS

POST = {
    "uri": "at://did:plc:ann/app.bsky.feed.post/3l5gq2xqhmk2a",
    "cid": "bafyreib2rxk3rw6hp7yd5oxoj5hyqtdwq6hyhn3mrgsx6kjlnwyvmxnwsu",
    "author_did": "did:plc:ann",
    "created_at": "2024-10-01T10:00:00.000Z",
    "text": "kept by the old system",
    "langs": "en",
    "reply_parent": None,
    "reply_root": None,
    "synctimestamp": "2024-10-01-10:00:01",
    "url": "",
    "source": "firehose",
}


def run(*arguments: str) -> str:
    answer = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer.stdout


def refused(why: str, *arguments: str) -> None:
    was = run("stage", "show")
    with pytest.raises(FirehoseError, match=why):
        run(*arguments)
    assert run("stage", "show") == was


def test_every_stage_and_back(
    client: Client, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_url: str
) -> None:
    of = msgspec.structs.asdict(settings) | {"redis_url": redis_url}
    for name in (
        "home",
        "lake",
        "clickhouse_url",
        "clickhouse_loader_password",
        "clickhouse_analyst_password",
        "redis_url",
    ):
        monkeypatch.setenv(f"FIREHOSE_{name.upper()}", str(of[name]))
    monkeypatch.setenv("FIREHOSE_REDIS_PASSWORDS", str(tmp_path / DEFAULT_REDIS_PASSWORDS))
    lake, root = settings.local_lake, tmp_path / "old"
    lake.mkdir(exist_ok=True)
    name = (
        "__local_cache__/study_user_activity/create/post/author_did=did:plc:ann_post_uri_suffix=3l5gq2xqhmk2a.json"
    )
    (root / name).parent.mkdir(parents=True)
    (root / name).write_text(json.dumps(POST))

    def readers(value: str, *, migrated: bool = True) -> None:
        monkeypatch.setenv("FIREHOSE_READERS", value)
        if migrated:
            migrate(client, load())

    assert run("stage", "show") == "old\n"
    refused("is not a stage", "stage", "set", "newer")
    refused("from it one comes to parallel, not to both", "stage", "set", "both")
    refused("there is none before it", "stage", "back")
    refused("readers: FIREHOSE_READERS=new", "stage", "set", "parallel")
    readers("legacy", migrated=False)
    refused("views: .* firehose migrate", "stage", "set", "parallel")
    migrate(client, load())
    refused("import: nothing was imported", "stage", "set", "parallel")
    run("import", str(root))
    refused("loading: 1 batches of imports are not loaded", "stage", "set", "parallel")
    refresh(load())
    assert "loading: passed" in run("stage", "set", "parallel")

    readers("legacy<2024-12-01,both:20%,legacy")
    refused("comparison: nothing was compared", "stage", "set", "both")
    with pytest.raises(FirehoseError, match="did not listen"):
        run("compare", str(root))
    refused("comparison: .* not comparable", "stage", "set", "both")
    run("compare", str(root), "--unheard")
    (result,) = kept.newest(settings.lake_path)
    kept.write(settings.lake_path, root, msgspec.structs.replace(result, whole=False), [], "")
    refused("comparison: .* only some types were compared", "stage", "set", "both")
    run("compare", str(root), "--unheard")
    run("stage", "set", "both")

    now = datetime.now(UTC).replace(microsecond=0)
    batch = Batch.of(now - timedelta(minutes=5), now)
    since = int(batch.start.timestamp()) * 1_000_000
    gap = Gap(id="a", reason=Reason.LATE, from_us=since, to_us=since + 1_000_000, noted_us=since)
    records_path(settings.lake_path, batch).write(encoded_list([gap]))
    readers("both<2024-12-01,new")
    refused("gaps: 1 of the last 30 days", "stage", "set", "new")
    filled = msgspec.structs.replace(gap, filled="replay", noted_us=since + 1)
    records_path(settings.lake_path, batch).write(encoded_list([gap, filled]))
    run("stage", "set", "new")

    refused("cleanup: .* is still there", "stage", "set", "removed")
    state = (root / name).stat()
    digest = hashlib.sha256((root / name).read_bytes()).hexdigest()
    moved = trash.Trash(
        root=str(root),
        moved_at=now,
        until=now,
        by="a test",
        audit="",
        files=[AuditedFile(name, state.st_size, digest)],
        mtimes=[state.st_mtime_ns],
    )
    trash.move(root, "part", moved)
    run("stage", "set", "removed")
    refused("restore: .* firehose legacy restore", "stage", "back")
    trash.restore(root, root / trash.FOLDER / "part")
    assert "the stage is new" in run("stage", "back")
    refused("readers: ", "stage", "back")
    for value, stage in (("both", "both"), ("legacy", "parallel"), ("legacy", "old")):
        readers(value)
        assert f"the stage is {stage}" in run("stage", "back")

    written = [line for path in audit.log_paths(settings.lake_path) for line in audit.read(path)]
    passed = ["old", "parallel", "both", "new", "removed", "new", "both", "parallel", "old"]
    assert [line.what for line in written] == [f"stage {a} to {b}" for a, b in itertools.pairwise(passed)]
    assert {line.state for line in written} == {State.DONE}
    migrate(client, settings)
