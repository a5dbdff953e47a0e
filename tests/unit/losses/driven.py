"""The test that takes each path of losses, and sees its counter rise. Must not: name a test that does not."""

from __future__ import annotations

from typing import Final

from ingester.contract.gap import Reason
from ingester.contract.losses import LossPath

_INGESTER: Final = "unit/ingester/test_counting.py"
_PIPELINE: Final = "integration/exporter/test_loss_counters.py"
_PATHS: Final = f"{_INGESTER}::test_each_path_of_losses_is_counted"
_REASONS: Final = f"{_INGESTER}::test_each_reason_of_a_gap_is_counted"
_INTERVALS: Final = f"{_PIPELINE}::test_intervals_without_a_batch"
_FOREIGN: Final = f"{_PIPELINE}::test_what_others_put_into_redis"
_COPIES: Final = f"{_PIPELINE}::test_copies_of_events"
_WAITS: Final = f"{_PIPELINE}::test_bad_events_and_batches_that_wait"

PATHS: Final[dict[LossPath, str]] = {
    LossPath.DEAD_LETTER: _PATHS,
    LossPath.NOTICE: _PATHS,
    LossPath.FORGOTTEN: _PATHS,
    LossPath.UNWRITTEN: _PATHS,
    LossPath.STATE_UNREADABLE: _PATHS,
    LossPath.MANIFEST_UNREADABLE: _PATHS,
    LossPath.GAP: _REASONS,
    LossPath.FOREIGN_ENTRY: _FOREIGN,
    LossPath.MISCOUNTED: _FOREIGN,
    LossPath.FOREIGN_KEY: _FOREIGN,
    LossPath.LATE_FRAME: f"{_PIPELINE}::test_frames_that_come_late",
    LossPath.SKIPPED_INTERVAL: _INTERVALS,
    LossPath.MISSED_INTERVAL: _INTERVALS,
    LossPath.QUARANTINED: _WAITS,
    LossPath.UNPUBLISHED: _WAITS,
    LossPath.DUPLICATE: _COPIES,
    LossPath.DISPLACED: _COPIES,
    LossPath.REBUILD_LOST: f"{_PIPELINE}::test_what_a_rebuild_has_lost",
    LossPath.ABSENT: f"{_PIPELINE}::test_what_an_archive_does_not_have",
    LossPath.EXPIRED: f"{_PIPELINE}::test_what_retention_removes",
    LossPath.NOT_LOADED: "integration/warehouse/test_behind.py::"
    "test_tables_are_behind_until_they_are_loaded_and_again_when_a_batch_is_published_anew",
}
#: Each reason of a gap, in its own counter.
GAPS: Final[dict[Reason, str]] = {
    **dict.fromkeys(Reason, _REASONS),
    Reason.NOT_LISTENING: _INTERVALS,
}
