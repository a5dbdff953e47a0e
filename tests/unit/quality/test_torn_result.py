"""A result of a validation that cannot be read: its own batch stops with a clear error, the others do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from firehose.batch.interval import Batch
from firehose.errors import CorruptBatch
from firehose.quality.outcome import ValidateResult
from firehose.quality.pages import front_page, write_front_page
from firehose.quality.result import latest_results, read_result, write_result
from firehose.store import LocalLake

BATCHES = [Batch.parse("20261124T000000Z", 300), Batch.parse("20261124T000500Z", 300)]
RESULT = ValidateResult(
    good=1, quarantined=0, error_rate=0.0, suite_success=True, failed_expectations=[], docs="", counts={}
)


def test_a_torn_result_stops_its_own_batch_only(tmp_path: Path) -> None:
    assert read_result(LocalLake(tmp_path), BATCHES[0]) is None
    for batch in BATCHES:
        write_result(LocalLake(tmp_path), batch, RESULT)
    torn = latest_results(LocalLake(tmp_path), 2)[1]
    torn.write_bytes(torn.read_bytes()[:30])
    with pytest.raises(CorruptBatch, match="clear the batch's validate task"):
        read_result(LocalLake(tmp_path), BATCHES[0])
    assert read_result(LocalLake(tmp_path), BATCHES[1]) == RESULT
    write_front_page(LocalLake(tmp_path))
    page = front_page(tmp_path).read_text()
    assert f"{torn}: not readable" in page
    assert "20261124T000500Z" in page
