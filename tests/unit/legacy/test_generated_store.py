"""A store that the simulator made: every record of it is read where the listing says, and it is the stream's."""

from __future__ import annotations

import json
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from firehose.legacy.record import OldRecord, Refused
from firehose.legacy.stores import Found, read, walk
from jetstream_simulator import SimulatorError, generate
from jetstream_simulator.old_store import Plan, make
from tests.unit.legacy.old_files import digest

PLAN = Plan(
    **{"records": 6_000, "days": 6, "seed": 3, "gaps": 0.05, "cleared": 0.05, "altered": 0.05},
    **{"only_old": 6, "faults": 2, "wal": True},
)
Place = tuple[str, str]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store") / "made"
    make(folder, PLAN)
    return folder


@pytest.fixture(scope="module")
def truth(store: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (store / "truth.jsonl").open()]


@pytest.fixture(scope="module")
def read_back(store: Path) -> dict[Place, OldRecord | Refused]:
    root = store / "old"
    before = digest(root)
    listed = list(walk(root))
    assert all(isinstance(each, Found) for each in listed)
    records = list(read(root, [each for each in listed if isinstance(each, Found)]))
    assert digest(root) == before
    assert len({(each.path, each.place) for each in records}) == len(records)
    return {(each.path, each.place): each for each in records}


def test_every_record_is_where_the_listing_says_and_nothing_else_is(
    truth: list[dict[str, Any]], read_back: dict[Place, OldRecord | Refused]
) -> None:
    places = {(at["path"], at["place"]): line for line in truth for at in line.get("stores", [])}
    faults = {(line["path"], line["place"]) for line in truth if "fault" in line}
    records = {place for place, each in read_back.items() if isinstance(each, OldRecord)}
    assert records == set(places)
    assert {place for place in read_back if place not in records} == faults
    for place, line in places.items():
        record = read_back[place]
        assert isinstance(record, OldRecord)
        assert record.operation == line["operation"]
        if record.rkey:
            assert (record.uri, record.cid) == (line["uri"], line["cid"])


def test_all_shapes_losses_and_plants_occur(truth: list[dict[str, Any]]) -> None:
    kinds = Counter(at["path"].rpartition(".")[2] for line in truth for at in line.get("stores", []))
    assert {"json", "db", "parquet"} == set(kinds)
    assert {line.get("lost") for line in truth} == {None, "gap", "cache"}
    assert {name for line in truth for name in line.get("planted", [])} == {"text", "only-old"}
    assert any(len(line.get("stores", [])) > 1 for line in truth)


def test_the_events_are_those_of_the_stream_and_the_queues_have_them_whole(
    truth: list[dict[str, Any]], read_back: dict[Place, OldRecord | Refused]
) -> None:
    stream = generate.events(PLAN.records, seed=PLAN.seed, start_us=PLAN.start_us, rate=PLAN.rate)
    listed = [line for line in truth if "operation" in line and "only-old" not in line["planted"]]
    queued = 0
    for event, line in zip(map(json.loads, stream), listed, strict=True):
        assert (line["time_us"], line["cid"]) == (event["time_us"], event.get("commit", {}).get("cid"))
        for at in line["stores"]:
            record = read_back[at["path"], at["place"]]
            if at["store"] == "queue" and isinstance(record, OldRecord):
                assert json.loads(record.event or b"") == event
                queued += 1
    assert queued > 1_000


def test_an_altered_text_is_the_only_difference_of_a_post(
    truth: list[dict[str, Any]], read_back: dict[Place, OldRecord | Refused]
) -> None:
    for line in truth:
        for at in line.get("stores", []):
            record = read_back[at["path"], at["place"]]
            if isinstance(record, OldRecord) and record.text is not None:
                assert record.text.startswith("altered: ") == ("text" in line["planted"])


def test_the_same_plan_makes_the_same_store(store: Path, tmp_path: Path) -> None:
    make(tmp_path / "again", PLAN)
    assert (tmp_path / "again" / "truth.jsonl").read_bytes() == (store / "truth.jsonl").read_bytes()
    with pytest.raises(SimulatorError, match="not empty"):
        make(tmp_path / "again", PLAN)


def test_memory_does_not_grow_with_the_store(tmp_path: Path) -> None:
    # A queue and a Parquet file of more than that each: whoever holds one of them as a whole is found out.
    make(tmp_path / "made", Plan(records=20_000, days=1, files=0.0))
    root = tmp_path / "made" / "old"
    files = [each for each in walk(root) if isinstance(each, Found)]
    count = sum(1 for _ in read(root, files))  # decoders and imports are there
    tracemalloc.start()
    assert sum(1 for _ in read(root, files)) == count
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count >= 20_000
    assert peak < 12 << 20
