"""The place of a rehearsal: a temporary home with Redis, ClickHouse, an old store, and a lake of the same events.

Lives here: making it. Must not: know stages, or check what the views show.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
from clickhouse_connect.driver.client import Client

from devstack.embedded import clickhouse
from devstack.embedded.ingester import ingester_process, wait_for_events
from devstack.embedded.redis import RedisServer, free_port
from firehose.batch import buffer
from firehose.batch.buffer import redis_ms
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.lake.publish import PublishResult, publish
from firehose.quality.validate import validate
from firehose.settings import Settings
from firehose.warehouse.client import connect
from firehose.warehouse.migrate import migrate
from firehose.warehouse.summaries import refresh
from ingester.contract.redis_access import MONITORING
from jetstream_simulator import generate
from jetstream_simulator import process as simulator
from jetstream_simulator.old_store import Plan, make
from jetstream_simulator.old_store.making import LISTING, STORE

#: How long the simulator may take to listen, on a machine that has much else to do.
_PATIENCE_S: Final = 300.0
#: Who is named in the audit log of the rehearsal's lake.
BY: Final = "firehose legacy rehearse"


class Place:
    """Both systems side by side. ``settings`` are those of now: the readers change from step to step."""

    def __init__(self, settings: Settings, plan: Plan, client: Client) -> None:
        self.settings, self.plan, self.client = settings, plan, client

    @property
    def old(self) -> Path:
        """The old system's folder."""
        return self._source / STORE

    @property
    def listing(self) -> Path:
        """What the simulator says of each event: in which stores it is, and where."""
        return self._source / LISTING

    @property
    def _source(self) -> Path:
        return self.settings.home_path / "source"

    def make_old(self) -> dict[str, int]:
        """Make the old store; how many records are where."""
        return dict(make(self._source, self.plan))

    def read_by(self, readers: str) -> None:
        """Let the views show what ``readers`` says."""
        self.settings = msgspec.structs.replace(self.settings, readers=readers)
        migrate(self.client, self.settings)

    def load(self) -> None:
        """Bring what is new in the lake into ClickHouse."""
        refresh(self.settings)

    def listen(self) -> PublishResult:
        """Take the events of the store's days from a simulator through the pipeline, as one batch."""
        events = self.settings.home_path / "events.jsonl"
        plan = self.plan
        made = generate.events(plan.records, seed=plan.seed, start_us=plan.start_us, rate=plan.rate)
        with events.open("wb") as file:
            file.writelines(line + b"\n" for line in made)
        with (
            simulator.start(
                [f"--replay={events}", "--once"], log=self._log("simulator"), timeout_s=_PATIENCE_S
            ) as source,
            buffer.client(self.settings, MONITORING) as client,
        ):
            start = redis_ms(client) // 60_000 * 60  # as batches begin: other seconds are those of imports
            # The ingester knows no lake: it begins where the source does.
            of_ingester = msgspec.structs.replace(self.settings, jetstream_url=source.url, lake="")
            with ingester_process(of_ingester) as process:
                wait_for_events(client, plan.records, process)
            end = redis_ms(client) // 1000 + 1
        batch = Batch.of(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC))
        drain(self.settings, batch)
        validate(self.settings, batch)
        return publish(self.settings, batch)

    def _log(self, name: str) -> Path:
        folder = self.settings.home_path / "logs"
        folder.mkdir(exist_ok=True)
        return folder / f"{name}.log"


@contextmanager
def place(days: int, records: int, only_old: int) -> Iterator[Place]:
    """A new place, removed at the end: ``records`` events over ``days`` days that end today.

    Raises:
        ServiceUnavailable: Redis does not start.
        EndpointError: ClickHouse does not start.
    """
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start_us = int((today - timedelta(days=days)).timestamp()) * 1_000_000
    plan = Plan(
        records=records, days=days, start_us=start_us, gaps=0.02, cleared=0.05, copies=0.05, only_old=only_old
    )
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="firehose-rehearsal-")))
        server = stack.enter_context(RedisServer(home))
        settings = Settings(
            home=str(home),
            lake=str(home / "lake"),
            backup=str(home / "backup"),
            redis_url=server.url,
            start_cursor=1,
            rewind_ms=0,
            log_level="WARNING",
            clickhouse_url=f"http://127.0.0.1:{free_port()}",
            clickhouse_loader_password=secrets.token_urlsafe(16),
            clickhouse_analyst_password=secrets.token_urlsafe(16),
        )
        settings.local_lake.mkdir()
        stack.enter_context(clickhouse.start(settings))
        client = stack.enter_context(closing(connect(settings)))
        made = Place(settings, plan, client)
        made.read_by(settings.readers)
        yield made
