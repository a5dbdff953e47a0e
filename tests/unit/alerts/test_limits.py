"""Limits have one place: each follows its setting, and the exporter says each as the monitor compares with it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from firehose import observed
from firehose.alerts.catalogue import ALERTS
from firehose.alerts.limits import Limits
from firehose.exporter.families import of_limits
from firehose.settings import Settings

#: By limit: a setting that it follows, with another value than the default, and what the limit then is.
FOLLOWS: dict[str, tuple[str, float, float]] = {
    "silent_seconds": ("lease_s", 100, 200),
    "unheard_seconds": ("alert_no_data_minutes", 7, 420),
    "lag_seconds": ("alert_lag_minutes", 7, 420),
    "age_seconds": ("alert_fresh_minutes", 30, 1800),
    "batch_seconds": ("alert_batch_percent", 100, 300),
    "gap_seconds": ("alert_gap_minutes", 7, 420),
    "source_seconds": ("source_keeps_hours", 2, 7200),
    "summaries_seconds": ("alert_summaries_minutes", 7, 420),
    "backup_seconds": ("backup_alert_hours", 2, 7200),
    "certificate_seconds": ("alert_certificate_days", 2, 172_800),
    "query_seconds": ("alert_query_seconds", 7, 7),
    "buffer_share": ("alert_buffer_percent", 50, 0.5),
    "error_share": ("max_error_rate", 0.5, 0.5),
    "disk_share": ("disk_warn_percent", 50, 0.5),
    "archive_share": ("alert_archive_percent", 50, 0.5),
    "budget_share": ("slo_percent", 90, 0.1),
}


@pytest.mark.parametrize("name", Limits.__struct_fields__)
def test_a_limit_follows_its_setting_and_no_other_does(name: str) -> None:
    setting, value, expected = FOLLOWS[name]
    changed: dict[str, Any] = {setting: value}
    before = msgspec.structs.asdict(Limits.of(Settings()))
    after = msgspec.structs.asdict(Limits.of(Settings(**changed)))
    assert after[name] == pytest.approx(expected) != before[name]
    assert {other for other in after if after[other] != before[other]} == {name}


def test_data_may_always_be_as_old_as_two_batches() -> None:
    assert Limits.of(Settings(batch_minutes=30)).age_seconds == 3600


def test_the_exporter_says_every_limit() -> None:
    settings = Settings(alert_lag_minutes=7, slo_percent=99.0)
    ((metric, values),) = of_limits(settings)
    expected = msgspec.structs.asdict(Limits.of(settings))
    assert (metric, {name: value for (name,), value in values.items()}) == (observed.LIMIT, expected)


def test_a_threshold_of_the_catalogue_is_the_setting_of_a_limit() -> None:
    """But those that are no limit of a look: how long raw files stay, and who watches the monitor."""
    named = {alert.setting for alert in ALERTS if alert.setting} - {"keep_raw_hours", "alert_monitor_minutes"}
    assert named <= {setting for setting, _, _ in FOLLOWS.values()}
