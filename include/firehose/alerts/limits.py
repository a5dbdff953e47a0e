"""The limits of all alerts, as numbers in the units of what is compared with them: seconds and shares.

One place for the monitor's conditions and, as the metric ``firehose_limit``, for Prometheus' rules: a setting that
is changed changes both. Pure. Must not: compare.
"""

from __future__ import annotations

from typing import Final, Self

import msgspec

from firehose.settings import Settings

#: Longer than any flush and any pause between two attempts to reach Redis.
_SILENT_S: Final = 60.0
_MINUTE_S: Final = 60.0
_HOUR_S: Final = 3600.0
_DAY_S: Final = 86_400.0


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """A field is a limit: ``…_seconds`` or ``…_share``.

    ``silent``: of an ingester without a flush; ``unheard``: without a connection; ``lag``: behind the source.
    ``age``: of the newest data in the lake; ``batch``: from drained to published; ``gap``: while it is open.
    ``source``: how long hosts keep events. ``query``: for an answer of ClickHouse, 0: nothing is asked.
    ``budget``: the share of time, or of answers, that an objective allows to be bad.
    """

    silent_seconds: float
    unheard_seconds: float
    lag_seconds: float
    age_seconds: float
    batch_seconds: float
    gap_seconds: float
    source_seconds: float
    summaries_seconds: float
    backup_seconds: float
    certificate_seconds: float
    query_seconds: float
    buffer_share: float
    error_share: float
    disk_share: float
    archive_share: float
    budget_share: float

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of an installation."""
        batch_s = settings.batch_minutes * _MINUTE_S
        return cls(
            silent_seconds=max(_SILENT_S, settings.lease_s * 2),
            unheard_seconds=settings.alert_no_data_minutes * _MINUTE_S,
            lag_seconds=settings.alert_lag_minutes * _MINUTE_S,
            # A batch is made when its interval is over, and takes time.
            age_seconds=max(settings.alert_fresh_minutes * _MINUTE_S, 2 * batch_s),
            batch_seconds=batch_s * settings.alert_batch_percent / 100,
            gap_seconds=settings.alert_gap_minutes * _MINUTE_S,
            source_seconds=settings.source_keeps_hours * _HOUR_S,
            summaries_seconds=settings.alert_summaries_minutes * _MINUTE_S,
            backup_seconds=settings.backup_alert_hours * _HOUR_S,
            certificate_seconds=settings.alert_certificate_days * _DAY_S,
            query_seconds=settings.alert_query_seconds,
            buffer_share=settings.alert_buffer_percent / 100,
            error_share=settings.max_error_rate,
            disk_share=settings.disk_warn_percent / 100,
            archive_share=settings.alert_archive_percent / 100,
            budget_share=round(1 - settings.slo_percent / 100, 9),
        )
