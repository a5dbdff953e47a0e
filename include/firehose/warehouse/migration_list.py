"""Compares the migrations that a ClickHouse has with the files of this version.

Lives here: the list, for people. Must not: apply anything (migrate.py).
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from clickhouse_connect.driver.client import Client

from firehose.warehouse.client import clickhouse_errors
from firehose.warehouse.migrate import Migration, read_migrations
from firehose.warehouse.sql import SQL_FOLDER


class Applied(NamedTuple):
    """A migration as a ClickHouse has it."""

    number: int
    name: str
    sha256: str
    at: datetime


class Listed(NamedTuple):
    """A migration: when it was applied (None: it was not), and how its file compares with what was applied."""

    number: int
    name: str
    applied_at: datetime | None
    file: str


def listed(client: Client, folder: Path = SQL_FOLDER / "migrations") -> list[Listed]:
    """Every migration that has a file or was applied, in order; a difference is said and raises nothing.

    Raises:
        FirehoseError: files are not numbered as they have to be.
        ServiceUnavailable: ClickHouse went away.
    """
    files = {each.number: each for each in read_migrations(folder)}
    there = {each.number: each for each in _applied(client)}
    return [_compared(files.get(number), there.get(number)) for number in sorted(files.keys() | there.keys())]


def _applied(client: Client) -> list[Applied]:
    query = "SELECT number, name, sha256, applied_at FROM ops.migrations"
    with clickhouse_errors():
        if not client.command("EXISTS TABLE ops.migrations"):
            return []
        return [Applied(*row) for row in client.query(query, tz_mode="aware").result_rows]


def _compared(file: Migration | None, there: Applied | None) -> Listed:
    if there is None:
        assert file is not None  # noqa: S101 - one of the two is there
        return Listed(file.number, file.name, None, "to be applied")
    if file is None:
        return Listed(there.number, there.name, there.at, "not in this version")
    return Listed(file.number, file.name, there.at, "same" if file.sha256 == there.sha256 else "edited since")
