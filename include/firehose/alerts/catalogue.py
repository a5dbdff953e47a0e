"""The alerts of the whole project: a closed list.

Lives here: each alert's name, severity, words, and section of docs/operations.md. Must not: decide when there is
one. A new alert is an entry here, the place that raises it (``alerts.send``), and its section.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple


class Severity(StrEnum):
    """How soon an operator has to look."""

    ERROR = "error"  # something has stopped, and stays so until an operator acts
    WARNING = "warning"  # the pipeline goes on; look on the next working day


class Notice(NamedTuple):
    """An alert with its words filled in. ``runbook`` is an address relative to the project."""

    name: str
    severity: Severity
    title: str
    text: str
    runbook: str
    details: Mapping[str, str]


class Alert(NamedTuple):
    """``name`` is for programs and does not change; ``title`` and ``text`` are templates of ``str.format``."""

    name: str
    severity: Severity
    title: str
    text: str
    runbook: str

    def notice(self, details: Mapping[str, str], **values: object) -> Notice:
        """This alert, with ``values`` in its title and text."""
        title, text = self.title.format_map(values), self.text.format_map(values)
        return Notice(self.name, self.severity, title, text, f"docs/operations.md#{self.runbook}", details)


TASK_FAILED: Final = Alert("task_failed", Severity.ERROR, "{dag}.{task} failed", "{reason}", "a-task-failed")
BAD_DATA: Final = Alert(
    "bad_data",
    Severity.WARNING,
    "data quality of batch {batch}",
    "{error_rate:.2%} of the events are quarantined; failed expectations: {failed}. The good rows are published.",
    "a-suite-failed",
)
GAP: Final = Alert(
    "gap",
    Severity.WARNING,
    "{gaps} in coverage, batch {batch}",
    "Events of this time may be missing. Some gaps are filled without you when the source replays: "
    "`firehose coverage --open` says which are open now.",
    "a-gap-in-coverage",
)
FOREIGN_DATA: Final = Alert(
    "foreign_data", Severity.WARNING, "foreign data in Redis, batch {batch}", "{found}.", "foreign-data-in-redis"
)
DISK: Final = Alert(
    "disk_fills_up", Severity.WARNING, "the lake's disk fills up", "{said}.", "the-lakes-disk-fills-up"
)
KEPT: Final = Alert(
    "kept_although_over",
    Severity.WARNING,
    "{count} items stay although their time is over",
    "Maintenance does not remove what may be the only copy of something: {said}.",
    "something-stays-although-its-time-is-over",
)
BACKUP_OLD: Final = Alert(
    "backup_old",
    Severity.WARNING,
    "no recent backup",
    "{said}; the limit is {hours} hours. See why firehose_backup does not run or fails.",
    "a-backup-is-too-old",
)

#: Every alert of the project.
ALERTS: Final = tuple(value for value in list(vars().values()) if isinstance(value, Alert))
