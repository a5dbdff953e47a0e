"""Death at every durable boundary: the next run completes the step, and every event is accounted for."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from firehose import schema
from firehose.batch.buffer import BACKFILL_KEY
from firehose.batch.interval import Batch
from firehose.lake import audit, layout
from firehose.lake.audit import State
from firehose.lake.ledger import read_ledger
from firehose.lake.verify import verify
from firehose.store import LocalLake
from ingester.contract import wire
from ingester.contract.crash import Point
from tests.fault.crash.world import STAGES, STEPS, Contents, World
from tests.support.oracle import assert_every_event_is_accounted_for


class Case(NamedTuple):
    """Where a process dies: the stage that it starts from, its step, and which passage of the point is fatal."""

    stage: str
    step: str
    nth: int = 1


CASES = {
    Point.CLAIMED: Case("", "ingest"),
    Point.FLUSH_PACKED: Case("", "ingest", 3),
    Point.COMMAND_SENT: Case("", "ingest", 6),
    Point.FLUSH_WRITTEN: Case("", "ingest", 3),
    Point.FLUSH_SETTLED: Case("", "ingest", 3),
    Point.RELEASED: Case("", "ingest"),
    Point.MOVED_ASIDE: Case("ingested", "drain"),
    Point.FOREIGN_SYNCED: Case("ingested", "drain"),
    Point.FOREIGN_RENAMED: Case("ingested", "drain"),
    Point.RAW_COPYING: Case("ingested", "drain", 2),
    Point.RAW_SYNCED: Case("ingested", "drain", 2),
    Point.RAW_RENAMED: Case("ingested", "drain", 2),
    Point.COVERAGE_SYNCED: Case("ingested", "drain"),
    Point.COVERAGE_RENAMED: Case("ingested", "drain"),
    Point.MANIFEST_SYNCED: Case("ingested", "drain"),
    Point.MANIFEST_RENAMED: Case("ingested", "drain"),
    Point.DELETE_BEGINS: Case("ingested", "drain"),
    Point.DELETED_SOME: Case("ingested", "drain", 2),
    Point.DELETED_ALL: Case("ingested", "drain"),
    Point.BEGUN_SYNCED: Case("drained", "validate"),
    Point.BEGUN_RENAMED: Case("drained", "validate"),
    Point.STAGED_SYNCED: Case("drained", "validate", 2),
    Point.STAGED_RENAMED: Case("drained", "validate", 2),
    Point.BAD_SYNCED: Case("drained", "validate"),
    Point.BAD_RENAMED: Case("drained", "validate"),
    Point.SLICE_SYNCED: Case("drained", "validate", 2),
    Point.SLICE_RENAMED: Case("drained", "validate", 2),
    Point.QUARANTINE_SYNCED: Case("drained", "validate"),
    Point.QUARANTINE_RENAMED: Case("drained", "validate"),
    Point.DOCS_BUILT: Case("drained", "validate"),
    Point.SUITES_SYNCED: Case("drained", "validate"),
    Point.SUITES_RENAMED: Case("drained", "validate"),
    Point.RESULT_SYNCED: Case("drained", "validate"),
    Point.RESULT_RENAMED: Case("drained", "validate"),
    Point.WATCHED_SYNCED: Case("validated", "publish"),
    Point.WATCHED_RENAMED: Case("validated", "publish"),
    Point.HOUR_COPIED: Case("published", "publish", 2),
    Point.HOUR_SYNCED: Case("published", "publish", 2),
    Point.RECORD_SYNCED: Case("published", "publish", 2),
    Point.RECORD_RENAMED: Case("published", "publish", 2),
    Point.HOUR_RENAMED: Case("published", "publish", 2),
    Point.RECORD_SETTLED: Case("published", "publish", 2),
    Point.HOURS_DONE: Case("published", "publish"),
    Point.LEDGER_SYNCED: Case("published", "publish"),
    Point.LEDGER_RENAMED: Case("published", "publish"),
    Point.STAGED_REMOVED: Case("published", "publish", 2),
    Point.ASIDE_SYNCED: Case("published twice", "rebuild"),
    Point.ASIDE_RENAMED: Case("published twice", "rebuild"),
    Point.REBUILD_NOTED: Case("published twice", "rebuild"),
    Point.VERIFIED_SYNCED: Case("published twice", "maintain", 2),
    Point.VERIFIED_RENAMED: Case("published twice", "maintain", 2),
    Point.AUDIT_SYNCED: Case("published twice", "maintain"),
    Point.AUDIT_RENAMED: Case("published twice", "maintain"),
    Point.AUDIT_BEGUN: Case("published twice", "maintain", 2),
    Point.EXPIRED_SYNCED: Case("published twice", "maintain", 2),
    Point.EXPIRED_RENAMED: Case("published twice", "maintain"),
    Point.EXPIRED_SOME: Case("published twice", "maintain", 8),
    Point.STAGING_CREATED: Case("published twice", "refresh", 3),
    Point.STAGING_FILLED: Case("published twice", "refresh", 3),
    Point.PARTITION_SWAPPED: Case("published twice", "refresh", 3),
    Point.GAPS_SWAPPED: Case("published twice", "refresh"),
    Point.ADDING_NOTED: Case("published twice", "refresh"),
    Point.PARTITION_ATTACHED: Case("published twice", "refresh", 3),
    Point.REBUILT: Case("published twice", "refresh"),
    Point.HOURS_LOADED: Case("published twice", "refresh"),
    Point.BATCHES_RECORDED: Case("published twice", "refresh"),
}
INGESTER = [point for point, case in CASES.items() if case.step == "ingest"]
PIPELINE = [point for point, case in CASES.items() if case.step not in ("ingest", "rebuild", "maintain")]
#: Not on an event's way; test_lake_upgrade.py dies there. Or off by default: test_by_user.py, test_iceberg.py do.
ELSEWHERE = {
    *(Point.AREA_RENAMED, Point.LAYOUT_SYNCED, Point.LAYOUT_RENAMED),
    *(Point.ICEBERG_SYNCED, Point.ICEBERG_RENAMED, Point.ICEBERG_SWEPT),
    # Of the old system's data: tests/fault/legacy and tests/integration/legacy die there.
    *(Point.COMPARED, Point.TRASH_BEGUN, Point.TRASH_MOVED, Point.TRASH_BACK, Point.PURGED_SOME),
}
# A rebuild passes those of hour files as well: twice in its scratch folder, once for each batch, then in the lake.
REBUILD = {point: case.nth for point, case in CASES.items() if case.step == "rebuild"} | {
    Point.LEDGER_RENAMED: 1,
    Point.RECORD_RENAMED: 3,
    Point.HOUR_RENAMED: 3,
    Point.RECORD_SETTLED: 3,
}
# Maintenance writes a manifest that says so before raw files go.
MAINTENANCE = {point: case.nth for point, case in CASES.items() if case.step == "maintain"} | {
    Point.MANIFEST_SYNCED: 1,
    Point.MANIFEST_RENAMED: 2,
}
# Great Expectations takes its time: of the deaths in drain and validate only some are followed to the end. The
# others leave the same files, so what follows is the same.
SAME_IN_THE_END = {point for point in PIPELINE if CASES[point].step in ("drain", "validate")} - {
    Point.DELETED_SOME,
    Point.QUARANTINE_RENAMED,
    Point.RESULT_SYNCED,
}


@pytest.fixture(scope="module")
def reference(world: World) -> Iterator[tuple[Contents, object, object]]:
    """What the run without a crash left: contents, ledger, and the batches that ClickHouse has."""
    assert_every_event_is_accounted_for(world)
    assert len(world.delivered()) > len(world.sent), "the second batch must repeat events of the first one"
    yield world.contents(), world.ledger(), world.loaded()


def test_every_boundary_is_crossed_by_a_death() -> None:
    assert {*CASES, *ELSEWHERE} == set(Point)


@pytest.mark.parametrize("point", INGESTER)
def test_a_dead_ingester_loses_and_doubles_nothing(
    world: World, reference: tuple[Contents, object, object], point: Point
) -> None:
    world.go_back("")
    start = world.second()
    died = world.ingest_and_die(f"{point}:{CASES[point].nth}", stopping=point is Point.RELEASED)
    assert_died_at(point, died.code, died.proof)
    assert world.uncovered() == set()
    assert world.complete() == (point is Point.RELEASED), "the crash must come while there is something to lose"
    world.ingest()
    batch = Batch.of(start, world.second(1))
    world.run(*((step, batch) for step in STEPS))
    # Another run has other batches, and repeats other events; what it leaves is the same.
    contents, _, _ = reference
    assert world.contents() == contents
    assert_every_event_is_accounted_for(world)


@pytest.mark.parametrize("point", PIPELINE)
def test_a_dead_step_is_as_if_it_had_not_died(
    world: World, reference: tuple[Contents, object, object], point: Point
) -> None:
    case = CASES[point]
    world.go_back(case.stage)
    one, two = world.batches
    # Publishing dies in the second batch, whose hours hold rows of the first one already.
    fatal = two if case.stage == "published" else one
    died = world.die(f"{point}:{case.nth}", (case.step, fatal))
    assert_died_at(point, died.code, died.proof)
    again, *further = world.steps_from(case.stage)
    world.run(again)
    if case.step == "drain":
        assert not world.client.xlen(wire.COVERAGE_KEY)
        assert not world.client.exists(BACKFILL_KEY, f"{BACKFILL_KEY}:misplaced")
        assert len(list(world.lake.glob("_quarantine/redis/*.resp"))) == 1
    if case.step != "refresh":
        assert world.files() == world.files(STAGES[STAGES.index(case.stage) + 1]), "the same lake, byte by byte"
    if point in SAME_IN_THE_END:
        return
    world.run(*further)
    contents, ledger, loaded = reference
    assert world.contents() == contents
    assert world.ledger() == ledger
    assert world.loaded() == loaded
    assert world.gaps() == world.recorded_gaps()
    assert_every_event_is_accounted_for(world)


@pytest.mark.parametrize("point", REBUILD)
def test_a_dead_rebuild_is_as_if_it_had_not_died(
    world: World, reference: tuple[Contents, object, object], point: Point
) -> None:
    world.go_back("published twice")
    two = world.batches[1]
    path = layout.hour_files(LocalLake(world.lake), schema.LIKES)[0]
    torn = path.read_bytes()[:-100]
    path.write_bytes(torn)
    died = world.die(f"{point}:{REBUILD[point]}", ("rebuild", two))
    assert_died_at(point, died.code, died.proof)
    in_place = point in (Point.HOUR_RENAMED, Point.RECORD_SETTLED)
    assert (path.read_bytes() != torn) == in_place
    world.run(("rebuild", two), ("refresh", two))
    contents, ledger, loaded = reference
    assert world.contents() == contents
    assert world.ledger() == ledger
    assert world.loaded() == loaded
    assert torn in [aside.read_bytes() for aside in world.lake.glob("_aside/**/*.parquet")]
    assert all(entry.rebuilt for entry in read_ledger(LocalLake(world.lake)))
    assert_every_event_is_accounted_for(world)


@pytest.mark.parametrize("point", MAINTENANCE)
def test_a_dead_maintenance_is_as_if_it_had_not_died(world: World, point: Point) -> None:
    """Nothing is damaged in between, and the repetition leaves the same lake as one that was not killed."""
    lake = LocalLake(world.lake)
    world.go_back("published twice")
    two = world.batches[1]
    if "maintained" not in world.ends:
        world.run(("maintain", two))
        world.ends["maintained"] = world.files()
        assert not lake.find("_raw/*/*/*.zst") and not lake.find("_quarantine/*/*/*.parquet")
        world.go_back("published twice")
    died = world.die(f"{point}:{MAINTENANCE[point]}", ("maintain", two))
    assert_died_at(point, died.code, died.proof)
    between = verify(lake)
    assert between.ok, between.problems
    world.run(("maintain", two))
    assert world.files() == world.ends["maintained"]
    after = verify(lake)
    assert after.ok and after.batches_expired == len(world.batches), after.problems
    assert after.quarantined_expired == between.quarantined + between.quarantined_expired > 0
    begun = [line for path in audit.log_paths(lake) for line in audit.read(path) if line.state is State.BEGUN]
    assert bool(begun) == (point not in (Point.VERIFIED_SYNCED, Point.VERIFIED_RENAMED, Point.AUDIT_SYNCED))


def assert_died_at(point: Point, code: int, proof: str) -> None:
    assert (proof.split(" ")[0], code) == (point, -signal.SIGKILL)
