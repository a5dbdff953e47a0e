"""Checks of the settings themselves: unknown names, wrong values, contradictions."""

from __future__ import annotations

import os
from difflib import get_close_matches
from typing import Final
from urllib.parse import urlsplit

from msgspec import structs

from firehose.settings import Settings, SettingsError
from firehose_cli.doctor.check import Check, Finding, failure, ok, warning
from ingester.contract import env_file
from ingester.contract.settings import NO_SETTINGS, PREFIX, read_settings


def names(_: Settings) -> Finding:
    """Every ``FIREHOSE_`` variable, of the environment and of the env file, is a setting."""
    known = {f"{PREFIX}{field.name.upper()}" for field in structs.fields(Settings)}
    given = {**env_file.variables(os.environ), **os.environ}
    unknown = sorted(name for name in given if name.startswith(PREFIX) and name not in {*known, *NO_SETTINGS})
    if not unknown:
        count = sum(name in known for name in given)
        return ok(f"{count} settings are given, all of them known")
    said = ", ".join(unknown)
    nearest = [(name, get_close_matches(name, known, n=1)) for name in unknown]
    advice = [f"{name}: did you mean {found[0]}?" if found else f"remove {name}" for name, found in nearest]
    return failure(f"not a setting: {said}", "; ".join(advice))


def values(_: Settings) -> Finding:
    """Every value passes its check, and none contradicts another that must go with it."""
    try:
        read_settings(Settings)
    except SettingsError as error:
        return failure(str(error), "docs/settings.md says what each may be; change it where it is set")
    return ok("every value is one that its setting may have")


def together(settings: Settings) -> Finding:
    """Settings that are right one by one, and of no use, or not what was meant, together."""
    found = [(said, remedy) for wrong, said, remedy in _pairs(settings) if wrong]
    if not found:
        return ok("none makes another one useless")
    return warning("; ".join(said for said, _ in found), "; ".join(remedy for _, remedy in found))


def _pairs(s: Settings) -> list[tuple[bool, str, str]]:
    """What is wrong with the settings together: whether it is so, what it is, and the remedy."""
    redis, clickhouse = urlsplit(s.redis_url), urlsplit(s.clickhouse_url)
    return [
        (
            bool(s.alert_email) and not s.smtp_url and s.airflow_connections == "settings",
            "FIREHOSE_ALERT_EMAIL is set, and no server to send mail by",
            "set FIREHOSE_SMTP_URL",
        ),
        (
            bool(s.smtp_url) and not s.alert_email,
            "FIREHOSE_SMTP_URL is set, and nobody to mail to",
            "set FIREHOSE_ALERT_EMAIL",
        ),
        (
            bool(s.archive_key and s.archive_key_file),
            "FIREHOSE_ARCHIVE_KEY and FIREHOSE_ARCHIVE_KEY_FILE are both set: the first one is used",
            "unset one of them",
        ),
        (
            bool(s.backup_key and s.backup_key_file),
            "FIREHOSE_BACKUP_KEY and FIREHOSE_BACKUP_KEY_FILE are both set, which a backup refuses",
            "unset one of them",
        ),
        (
            bool(s.keep_hours_days) and not s.backup,
            "FIREHOSE_KEEP_HOURS_DAYS is set without FIREHOSE_BACKUP: no hour file is ever removed",
            "set FIREHOSE_BACKUP: only what a verified backup holds is removed",
        ),
        (
            bool(s.keep_raw_hours) and s.keep_raw_hours <= s.close_after_hours,
            f"FIREHOSE_KEEP_RAW_HOURS={s.keep_raw_hours} is not above FIREHOSE_CLOSE_AFTER_HOURS="
            f"{s.close_after_hours}: raw files wait for hours to be closed",
            "raise FIREHOSE_KEEP_RAW_HOURS",
        ),
        (
            redis.port is not None and redis.port == clickhouse.port and redis.hostname == clickhouse.hostname,
            f"FIREHOSE_REDIS_URL and FIREHOSE_CLICKHOUSE_URL have the same port {redis.port}",
            "give them different ports",
        ),
        (
            s.query_max_memory_mib > s.query_total_memory_mib > 0,
            "FIREHOSE_QUERY_MAX_MEMORY_MIB is above FIREHOSE_QUERY_TOTAL_MEMORY_MIB",
            "lower the first, or raise the second",
        ),
    ]


CHECKS: Final = (
    Check("settings.names", names, needs_settings=False),
    Check("settings.values", values, needs_settings=False),
    Check("settings.together", together),
)
