"""The state that all requests of the endpoint share.

Lives here: one object with the engine, the limits and the threads. Must not: single requests.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from clickhouse_http.config import EndpointConfig
from clickhouse_http.engine.engine import Engine
from clickhouse_http.engine.table_memory import TableBudget
from clickhouse_http.handling.advice import Advisor
from clickhouse_http.handling.counts import Counts
from clickhouse_http.handling.progress import Progress, Running
from clickhouse_http.handling.response import Server
from clickhouse_http.http.bursts import Bursts
from clickhouse_http.http.passwords import WrongPasswords
from clickhouse_http.requests.spool import Spool
from clickhouse_http.rights import users
from clickhouse_http.rights.limits import Limits
from clickhouse_http.rights.users import Users
from clickhouse_http.sessions.admission import MAX_QUERIES, Admission
from clickhouse_http.sessions.sessions import Sessions

log = logging.getLogger(__name__)

T = TypeVar("T")
_CANCEL_WORKERS: Final = 8
_INTAKE_WORKERS: Final = 2
_NICE: Final = 5
_MIB: Final = 1024 * 1024
#: Stands for the role of a client that has not logged in yet.
NOT_LOGGED_IN: Final = ""


def _intake() -> Mapping[str, ThreadPoolExecutor]:
    """Threads that read requests, by role: neither user delays the other, nor the queries."""
    return {
        role: ThreadPoolExecutor(_INTAKE_WORKERS, thread_name_prefix=f"intake-{role}", initializer=_give_way)
        for role in (users.LOADER, users.ANALYST, NOT_LOGGED_IN)
    }


def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MAX_QUERIES + _CANCEL_WORKERS, thread_name_prefix="query", initializer=_give_way)


def _give_way() -> None:
    """Lower the priority of this thread, and of those that the engine starts from it, below the event loop's: with
    all slots busy there are a hundred of them, and a ping would have to wait for its turn.

    An endpoint that was started with a lower priority still keeps it: only root may raise one."""
    thread = threading.get_native_id()
    try:
        os.setpriority(os.PRIO_PROCESS, thread, max(_NICE, os.getpriority(os.PRIO_PROCESS, thread)))
    except OSError as error:  # a sandbox that refuses it: an initializer that fails would break the pool for good
        log.warning("threads keep their priority: %s", error)


@dataclass
class Endpoint:
    """The shared state. ``max_body``: in bytes; ``patience_s``: how long a client may send nothing."""

    engine: Engine
    users: Users
    sessions: Sessions
    server: Server
    spool: Spool
    admission: Admission
    passwords: WrongPasswords
    max_body: int
    patience_s: float
    workers: ThreadPoolExecutor = field(default_factory=_workers)
    intake: Mapping[str, ThreadPoolExecutor] = field(default_factory=_intake)
    stopping: bool = False

    def __post_init__(self) -> None:
        self.progress = Progress(self._running)
        self.counts = Counts(self.admission, self.spool)

    async def _running(self) -> Running:
        return await self.work(self.engine.progress)

    async def work(self, call: Callable[[], T]) -> T:
        """Run ``call``, a blocking step of a query, in one of the threads for queries."""
        return await asyncio.get_running_loop().run_in_executor(self.workers, call)

    async def take_in(self, role: str, call: Callable[[], T]) -> T:
        """Run ``call``, which reads a part of a request, in one of the threads for requests."""
        return await asyncio.get_running_loop().run_in_executor(self.intake[role], call)


def open_endpoint(
    config: EndpointConfig, engine: Engine, limits: Limits, known: Users, folder: Path, bursts: Bursts
) -> Endpoint:
    """The endpoint on an open engine; bodies and held results go to ``folder``."""
    half = config.spool_mib * _MIB // 2
    tables = TableBudget(limits, (users.LOADER, users.ANALYST))
    shares = {users.LOADER: half, users.ANALYST: half}
    return Endpoint(
        engine=engine,
        users=known,
        sessions=Sessions(engine, tables),
        server=Server(engine.version, engine.timezone, engine.display_name, Advisor(config)),
        spool=Spool(folder, shares, config.disk_reserve_mib * _MIB, config.called),
        admission=Admission(limits, tables),
        passwords=WrongPasswords(bursts),
        max_body=config.max_body_mib * _MIB,
        patience_s=config.timeout_s,
    )
