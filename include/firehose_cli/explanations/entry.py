"""One thing that can be explained. Must not: be one."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """Where a user meets the name."""

    ERROR = "error"
    ALERT = "alert"
    EXIT_CODE = "exit code"
    CLICKHOUSE = "code of ClickHouse"


class Entry(NamedTuple):
    """``means`` says what has happened, ``todo`` what helps. ``runbook`` is a section of docs/, or empty."""

    name: str
    kind: Kind
    means: str
    causes: tuple[str, ...]
    todo: str
    runbook: str = ""
