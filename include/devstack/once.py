"""`firehose once`: recordings through the whole pipeline in one run, without Airflow, in a folder of its own.

Starts and stops the same services and step functions as production. Must not: contain logic of a step.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec
import redis

from devstack.embedded import clickhouse
from devstack.embedded.ingester import ingester_process, wait_for_events
from devstack.embedded.leash import Leashed, leashed
from devstack.embedded.leash import command as leash_command
from devstack.embedded.left_behind import stop_left_behind
from devstack.embedded.ownership import RUN, own_home
from devstack.embedded.redis import RedisServer, free_port
from firehose import files
from firehose.areas import require_current
from firehose.batch import buffer
from firehose.batch.buffer import redis_ms
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.errors import FirehoseError
from firehose.lake.ledger import LedgerCounts, entry_path, read_entry
from firehose.lake.publish import publish
from firehose.settings import Settings, checked
from firehose.warehouse.client import connect
from firehose.warehouse.migrate import migrate
from firehose.warehouse.summaries import refresh
from ingester.contract import env_file
from ingester.contract.logs import get_logger
from ingester.contract.redis_access import MONITORING
from ingester.contract.settings import ENV_FILE_NAME
from jetstream_simulator import process as simulator
from jetstream_simulator import replay as recordings

log = get_logger(__name__)
T = TypeVar("T")


class TypeAccount(msgspec.Struct, frozen=True, kw_only=True):
    """One type's events: received = good + quarantined + duplicate; ``stored`` are in the lake."""

    received: int
    good: int
    quarantined: int
    duplicate: int
    stored: int


class _Redis(RedisServer):
    """A Redis that ends with this process; if it does not, the next run finds and stops it."""

    def on_leash(self, command: list[str]) -> list[str]:
        """A leash with a lock in the home."""
        run = self.folder.parent / RUN
        leashed(run, "redis", Leashed(command, str(Path.cwd()), 10, parent=os.getpid()))
        return leash_command("redis", str(run))


class OnceReport(msgspec.Struct, frozen=True, kw_only=True):
    """The accounts of one run by type, and the seconds of each step."""

    home: str
    batch: str
    received: int
    types: dict[str, TypeAccount]
    seconds: dict[str, float]


def once(replay: Sequence[Path], home: Path) -> OnceReport:
    """Take every line of ``replay`` (files with one JSON event per line) into ``home``. Lines that are not events
    go to quarantine.

    Another run in the same folder adds new events and counts known ones as duplicates.

    Raises:
        SettingsError: a folder that the lake cannot have.
        LakeOutdated: the lake has the folder names of an earlier version.
        FirehoseError: a folder in use, a file that cannot be read, a service that does not start, a source that
            stalls.
    """
    expected = sum(1 for _ in recordings.events(replay, keep_invalid=True))
    if not expected:
        raise FirehoseError(f"{', '.join(map(str, replay))}: no events; name files with one JSON event per line")
    home = checked(home_settings(home)).home_path
    seconds: dict[str, float] = {}
    with ExitStack() as services:
        services.enter_context(own_home(home, "firehose once"))
        _refuse_demo(home)
        require_current(home / "lake")
        # It imports Great Expectations, for seconds: not before what is refused.
        from firehose.quality.validate import validate

        if left := stop_left_behind(home / RUN):
            log.warning("stopped services of an earlier run", processes=", ".join(left))
        shutil.rmtree(home / "redis", ignore_errors=True)  # only a buffer: the recordings still have everything
        server = services.enter_context(_Redis(home))
        source = services.enter_context(
            simulator.start([*(f"--replay={path}" for path in replay), "--once", "--keep-invalid"])
        )
        settings = _settings(home, server.url, source.url)
        with buffer.client(settings, MONITORING) as client:
            start = redis_ms(client) // 1000
            _timed(seconds, "ingest", lambda: _ingest(settings, client, expected))
            end = redis_ms(client) // 1000 + 1
        batch = Batch.of(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC))
        _timed(seconds, "drain", lambda: drain(settings, batch))
        _timed(seconds, "validate", lambda: validate(settings, batch))
        _timed(seconds, "publish", lambda: publish(settings, batch))
        services.enter_context(clickhouse.start(settings))
        _timed(seconds, "summaries", lambda: _load(settings))
    entry = read_entry(entry_path(settings.lake_path, batch))
    if entry is None:
        raise FirehoseError(f"batch {batch.id}: was published, but is not in the ledger of {settings.lake_path}")
    types = {record_type: _account(counts) for record_type, counts in entry.counts.items()}
    received = sum(account.received for account in types.values())
    return OnceReport(home=str(home), batch=batch.id, received=received, types=types, seconds=seconds)


def _refuse_demo(home: Path) -> None:
    if (home / "airflow").exists():
        raise FirehoseError(
            f"{home} is the home of a `firehose demo`, whose buffer and env file a run would replace: "
            "name another folder with --home"
        )


def _load(settings: Settings) -> None:
    with closing(connect(settings)) as client:
        migrate(client, settings)
    refresh(settings)


def _account(counts: LedgerCounts) -> TypeAccount:
    return TypeAccount(
        received=counts.received,
        good=counts.good,
        quarantined=counts.quarantined,
        duplicate=counts.duplicates,
        stored=counts.stored,
    )


def home_settings(home: Path) -> Settings:
    """The settings of a folder that :func:`once` filled. The environment is ignored."""
    home = home.expanduser().absolute()
    return Settings(home=str(home), lake=str(home / "lake"))


def _settings(home: Path, redis_url: str, jetstream_url: str) -> Settings:
    settings = msgspec.structs.replace(
        home_settings(home),
        redis_url=redis_url,
        jetstream_url=jetstream_url,
        start_cursor=1,
        rewind_ms=0,
        clickhouse_url=f"http://127.0.0.1:{free_port()}",
        clickhouse_loader_password=secrets.token_urlsafe(16),
        clickhouse_analyst_password=secrets.token_urlsafe(16),
    )
    kept = ("home", "lake", "clickhouse_url", "clickhouse_loader_password", "clickhouse_analyst_password")
    lines = "".join(env_file.line(name.upper(), getattr(settings, name)) for name in kept)
    files.write_bytes(home / ENV_FILE_NAME, lines.encode(), mode=0o600)
    return settings


def _ingest(settings: Settings, client: redis.Redis, expected: int) -> None:
    # Without the lake: with an empty Redis the ingester would resume where the lake ends, but this source is read
    # from its beginning.
    with ingester_process(msgspec.structs.replace(settings, lake="")) as process:
        wait_for_events(client, expected, process)


def _timed(seconds: dict[str, float], step: str, call: Callable[[], T]) -> T:
    started = time.perf_counter()
    result = call()
    seconds[step] = round(time.perf_counter() - started, 3)
    return result
