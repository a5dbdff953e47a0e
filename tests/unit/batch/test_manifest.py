"""The manifest as a file: what a person reads has a line for each value, and the index of frames stays small."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from firehose.batch import manifest as manifests
from firehose.batch.manifest import Manifest, QueueFile
from firehose.store import LocalLake
from ingester.contract import wire

FRAMES = 5000
POSTS = QueueFile(
    name="posts.jsonl.zst",
    frames=FRAMES,
    events=FRAMES,
    size=FRAMES * 80_000,
    sha256="0" * 64,
    ranges=[("1-0", "2-0")],
    first_us=1,
    last_us=2,
    index=[(80_000 + number, 400_000 + number) for number in range(FRAMES)],
)
MOMENT = datetime(2026, 6, 1, tzinfo=UTC)
MANIFEST = Manifest(
    batch="20260601T000000Z",
    start=MOMENT,
    end=MOMENT,
    queues={wire.POSTS: POSTS, wire.LIKES: msgspec.structs.replace(POSTS, index=[])},
    created_at=MOMENT,
    cursor=1,
    host='wss://one "index": [1, 2]',
    protocol="v1",
    time_us=1,
    minutes_heard=1,
)


def test_a_frame_takes_few_bytes_and_every_other_value_a_line(tmp_path: Path) -> None:
    folder = LocalLake(tmp_path)
    manifests.write(folder, MANIFEST)
    assert manifests.read(folder) == MANIFEST
    text = (folder / manifests.NAME).read_text()
    assert len(text) < FRAMES * 16 + 2000
    assert '\n  "protocol": "v1",\n' in text and text.count("\n") < 60


def test_a_manifest_with_a_line_for_each_number_is_read(tmp_path: Path) -> None:
    """As development versions wrote them."""
    folder = LocalLake(tmp_path)
    (folder / manifests.NAME).write_bytes(msgspec.json.format(msgspec.json.encode(MANIFEST)))
    assert manifests.read(folder) == MANIFEST
