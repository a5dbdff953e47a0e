"""The steps of one day of an import, as tasks of Airflow take them one by one: each over all batches of the day.

Must not: have a way of its own to validate or publish; know Airflow.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import msgspec

from firehose.lake.publish import PublishResult, publish
from firehose.legacy.imports.collect import batches, write_again
from firehose.quality.outcome import ValidateResult
from firehose.quality.validate import validate
from firehose.settings import Settings


class DayValidated(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the batches of a day together; ``failed_expectations`` are of any of them."""

    good: int
    quarantined: int
    error_rate: float
    suite_success: bool
    failed_expectations: list[str]


class DayPublished(msgspec.Struct, frozen=True, kw_only=True):
    """As a publication's answer, of the batches of a day together."""

    stored: int
    duplicates: int
    files: list[str]


def validate_day(settings: Settings, day: date, tell: Callable[[str, ValidateResult], object]) -> DayValidated:
    """Validate all batches of a day. Raw files that have expired are written again first; ``tell`` hears of each.

    Raises:
        FirehoseError: as a validation does.
    """
    done = []
    for batch in batches(settings.lake_path, day):
        write_again(settings, batch)
        done.append(validate(settings, batch))
        tell(batch.id, done[-1])
    good, bad = sum(result.good for result in done), sum(result.quarantined for result in done)
    return DayValidated(
        good=good,
        quarantined=bad,
        error_rate=bad / max(good + bad, 1),
        suite_success=all(result.suite_success for result in done),
        failed_expectations=sorted({name for result in done for name in result.failed_expectations}),
    )


def publish_day(settings: Settings, day: date) -> DayPublished:
    """Publish all batches of a day, in order.

    Raises:
        FirehoseError: as a publication does.
    """
    done: list[PublishResult] = [publish(settings, batch) for batch in batches(settings.lake_path, day)]
    return DayPublished(
        stored=sum(result.stored for result in done),
        duplicates=sum(result.duplicates for result in done),
        files=sorted({name for result in done for name in result.files}),
    )
