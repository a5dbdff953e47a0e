"""Every check, in the order in which they are told. A new one is a function, and its line in its module's list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from firehose.errors import FirehoseError
from firehose_cli.doctor import (
    airflow,
    archive,
    backup,
    clickhouse,
    clock,
    configuration,
    files,
    ingester,
    jetstream,
    kind,
    lake,
    ports,
    redis,
    redis_users,
    sinks,
    versions,
)
from firehose_cli.doctor.check import Check

CHECKS: Final[tuple[Check, ...]] = (
    *kind.CHECKS,
    *versions.CHECKS,
    *configuration.CHECKS,
    *files.CHECKS,
    *ports.CHECKS,
    *redis_users.CHECKS,
    *redis.CHECKS,
    *ingester.CHECKS,
    *lake.CHECKS,
    *clickhouse.CHECKS,
    *clock.CHECKS,
    *jetstream.CHECKS,
    *archive.CHECKS,
    *sinks.CHECKS,
    *backup.CHECKS,
    *airflow.CHECKS,
)


def chosen(names: Sequence[str]) -> list[Check]:
    """The checks of these names or subjects; all that belong to this machine if none is named.

    Raises:
        FirehoseError: there is no such check.
    """
    for name in names:
        if not any(name in (check.name, check.subject) for check in CHECKS):
            subjects = ", ".join(dict.fromkeys(check.subject for check in CHECKS))
            raise FirehoseError(f"--only {name}: no such check; there are {subjects}, and single ones: --list")
    if not names:
        return [check for check in CHECKS if kind.belongs(check)]
    return [check for check in CHECKS if check.name in names or check.subject in names]
