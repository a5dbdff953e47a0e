"""What kind of machine this is, by what it was given: an ingester alone, or (a part of) the pipeline.

Lives here: how it is told, and which checks belong to it. Must not: check anything but that.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from firehose.settings import Settings, SettingsError
from firehose_cli.doctor.check import Check, Finding, ok
from firehose_cli.doctor.ingester import role
from ingester.contract.redis_access import INGESTER, has_login
from ingester.contract.settings import read_settings


class Kind(StrEnum):
    """A kind of machine, in words."""

    INGESTER = "an ingester alone"
    PIPELINE = "the pipeline"


#: What an ingester has to do with, by subject or name. It knows of no lake, ClickHouse or Airflow; its login to
#: Redis may not ask for the state of Redis.
_OF_INGESTER: Final = frozenset(
    {
        *("machine", "versions.python", "versions.packages", "settings", "files"),
        *("redis.reachable", "redis.strangers", "redis.overcommit"),
        *("ingester", "clock", "jetstream"),
    }
)


def kind_of(settings: Settings) -> Kind:
    """An ingester alone has its password of Redis and not the pipeline's; all else may be anything."""
    alone = role(settings) == INGESTER and not has_login(settings.redis_url)
    return Kind.INGESTER if alone else Kind.PIPELINE


def belongs(check: Check) -> bool:
    """Tell whether a check has to do with this machine."""
    try:
        kind = kind_of(read_settings(Settings))
    except SettingsError:  # a check of its own says what is wrong with them
        return True
    return kind is Kind.PIPELINE or not _OF_INGESTER.isdisjoint((check.name, check.subject))


def kind(settings: Settings) -> Finding:
    """What kind of machine this is: the checks are those that belong to it."""
    found, folder = kind_of(settings), settings.redis_passwords_path
    if found is Kind.INGESTER:
        return ok(
            f"{found}: {folder} has its password of Redis, and not the pipeline's. Nothing is said of lake, "
            "ClickHouse and Airflow; ask there, or name checks with --only"
        )
    return ok(f"{found}: every check belongs to it")


CHECKS: Final = (Check("machine.kind", kind),)
