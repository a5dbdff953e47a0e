"""Checks of Airflow, in its database and at its web server: read only, without a login to it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

from devstack.embedded.airflow import POOLS
from firehose.errors import ServiceUnavailable
from firehose.observe import services
from firehose.settings import Settings
from firehose_cli.doctor.check import Check, Finding, failure, not_checked, ok

_TIMEOUT_S: Final = 10
_OURS: Final = "firehose_"
_NOTHING: Final = "there is no Airflow in FIREHOSE_HOME, and FIREHOSE_AIRFLOW_DATABASE_URL names no database"


class NoDatabase(Exception):
    """There is no database to ask; the message says why."""


def _rows(settings: Settings, query: str) -> list[list[str]]:
    """The answer of Airflow's database, as text.

    Raises:
        NoDatabase: none is named, or there is no `psql` to ask it.
        ServiceUnavailable: it does not answer.
    """
    url = settings.airflow_database_url
    if url.startswith("postgresql"):
        return _of_postgres(url, query)
    path = (
        Path(unquote(url.removeprefix("sqlite:///"))).expanduser()
        if url
        else settings.home_path / "airflow/airflow.db"
    )
    if not path.is_file():
        raise NoDatabase(f"there is no file {path}" if url else _NOTHING)
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_TIMEOUT_S)
        ) as client:
            return [[str(value) for value in row] for row in client.execute(query)]
    except sqlite3.Error as error:
        raise ServiceUnavailable(f"{path}: Airflow's database cannot be read ({error})") from error


def _of_postgres(url: str, query: str) -> list[list[str]]:
    if not (program := shutil.which("psql")):
        raise NoDatabase("there is no psql on PATH to ask Airflow's database with")
    parts = urlsplit(url)
    place = ["--dbname", parts.path.lstrip("/"), "--host", parts.hostname or "", "--port", str(parts.port or 5432)]
    login = {"PGPASSWORD": unquote(parts.password or ""), "PGUSER": unquote(parts.username or "")}
    environment = dict(os.environ) | {name: value for name, value in login.items() if value}
    command = [program, "--no-password", "--no-align", "--tuples-only", "--field-separator=\t", "--command", query]
    done = subprocess.run(
        [*command, *place], env=environment, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
    )
    if done.returncode:
        reason = " ".join(done.stderr.split())
        raise ServiceUnavailable(f"Airflow's database cannot be read ({reason:.200})")
    return [line.split("\t") for line in done.stdout.splitlines()]


def dags(settings: Settings) -> Finding:
    """The project's DAGs are there, and none is paused."""
    try:
        rows = _rows(settings, f"SELECT dag_id, is_paused FROM dag WHERE dag_id LIKE '{_OURS}%'")
    except NoDatabase as error:
        return not_checked(str(error))
    if not rows:
        return failure("Airflow knows none of the project's DAGs", "see to its dags folder, and its DAG processor")
    if paused := sorted(name for name, is_paused in rows if is_paused.lower() in ("1", "t", "true")):
        return failure(f"{', '.join(paused)}: paused", f"airflow dags unpause {paused[0]}")
    return ok(f"{len(rows)} DAGs, none is paused")


def imports(settings: Settings) -> Finding:
    """Every DAG file can be imported."""
    try:
        rows = _rows(settings, "SELECT filename FROM import_error")
    except NoDatabase as error:
        return not_checked(str(error))
    if rows:
        names = ", ".join(sorted({Path(row[0]).name for row in rows}))
        return failure(f"cannot be imported: {names}", "airflow dags list-import-errors says why")
    return ok("every DAG file can be imported")


def pool(settings: Settings) -> Finding:
    """The pool that bounds memory is there."""
    wanted = list(msgspec.json.decode(POOLS.read_bytes()))
    try:
        rows = _rows(settings, "SELECT pool, slots FROM slot_pool")
    except NoDatabase as error:
        return not_checked(str(error))
    there = {row[0]: row[1] for row in rows}
    if missing := [name for name in wanted if name not in there]:
        return failure(
            f"there is no pool {', '.join(missing)}: tasks that need it wait for ever",
            "airflow pools import include/firehose/airflow/pools.json",
        )
    return ok(", ".join(f"{name} has {there[name]} slots" for name in wanted))


def scheduler(settings: Settings) -> Finding:
    """Its web server says that scheduler and DAG processor are at work."""
    try:
        found = services.airflow(settings, datetime.now(UTC))
    except ServiceUnavailable as error:
        return not_checked(f"{error}")
    states = {
        "metadatabase": found.metadatabase,
        "scheduler": found.scheduler,
        "DAG processor": found.dag_processor,
    }
    ill = [name for name, state in states.items() if state != "healthy"]
    if ill:
        return failure(f"not healthy: {', '.join(ill)}", "see its log, and start it again; docs/operations.md")
    return ok("metadatabase, scheduler and DAG processor are healthy")


CHECKS: Final = (
    Check("airflow.scheduler", scheduler),
    Check("airflow.dags", dags),
    Check("airflow.imports", imports),
    Check("airflow.pool", pool),
)
