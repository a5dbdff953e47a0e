"""An archive to backfill from: a v2 host that has all of a tape."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from firehose.settings import Settings
from jetstream_simulator import process
from tests.integration.backfill.world import LINES, serving


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[process.SimulatorProcess]:
    """A v2 host whose archive holds LINES in segments of 50, the last 30 lines unsealed; a plan page has 7."""
    tape = tmp_path_factory.mktemp("tape") / "tape.jsonl"
    tape.write_bytes(b"".join(line + b"\n" for line in LINES))
    sizes = ["--segment-events", "50", "--block-events", "16", "--plan-entries", "7"]
    with serving(tape, *sizes) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, redis_url: str, archive: process.SimulatorProcess) -> Settings:
    return Settings(
        home=str(tmp_path), lake=str(tmp_path / "lake"), redis_url=redis_url, archive_url=archive.events_url
    )
