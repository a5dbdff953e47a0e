"""Verification of a lake with torn files: each is a problem in the report, and the rest is still looked at."""

from __future__ import annotations

from pathlib import Path

from firehose.lake.verify import verify
from firehose.store import LocalLake


def test_a_torn_ledger_entry_and_a_torn_quarantine_are_problems_in_the_report(tmp_path: Path) -> None:
    for name, content in (
        ("_ledger/date=2026-11-24/batch=20261124T000000Z.json", b'{"batch": "2026'),
        ("_quarantine/date=2026-11-24/batch=20261124T000000Z/quarantine.parquet", b"PAR1"),
        ("year=2026/month=11/day=24/hour=00/posts.parquet", b""),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    report = verify(LocalLake(tmp_path))
    assert not report.ok
    assert [problem.partition(".")[0].rpartition("/")[2] for problem in report.problems] == [
        "batch=20261124T000000Z",
        "posts",
        "quarantine",
    ]
