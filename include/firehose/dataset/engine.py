"""A ClickHouse of a dataset's own over the hour files of a lake: chDB behind its endpoint, as a child process.

A process of its own, so that a notebook's kernel neither shares memory nor a lock with the engine, and so that
hour files are read by the same views as in any ClickHouse. Lives here: its start and its end. Must not: what it
is asked.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import msgspec

from firehose.errors import FirehoseError, ServiceUnavailable
from firehose.settings import Settings

#: The endpoint with the project's settings, as a process that ends with the one that started it. Named and not
#: imported: the endpoint is above this package.
_LEASH: Final = (sys.executable, "-P", "-m", "devstack.embedded.leash")
_ENDPOINT: Final = (sys.executable, "-P", "-m", "devstack.embedded.clickhouse")
_PREFIX: Final = "FIREHOSE_"
#: Settings of the user's that hold here as well. Nothing else is passed on, no password above all.
_KEPT: Final = ("query_max_memory_mib", "query_total_memory_mib", "clickhouse_sandbox")
#: Seconds of a query. Nobody shares this engine, and a part of the rows may wait for the reader of the last one.
_SECONDS: Final = 86_400
_STOP_S: Final = 10


class Engine:
    """A running engine; ``settings`` are those to connect with."""

    def __init__(self, lake: Path, given: Settings) -> None:
        """Start it, and wait until it answers.

        Raises:
            FirehoseError: chDB is not installed, or it does not start; the message has the reason that it gave.
        """
        if find_spec("chdb") is None:
            raise FirehoseError(
                f"the hour files of {lake} are read with ClickHouse's engine, which is not installed here: pip"
                " install chdb, or open the URL of a ClickHouse"
            )
        self._folder = Path(tempfile.mkdtemp(prefix="firehose-open-"))
        self.settings = _settings(lake, self._folder, given)
        self._process: subprocess.Popen[bytes] | None = None
        started = threading.Event()
        # The leash ends a child with the thread that started it, so this one stays as long as the child.
        threading.Thread(target=self._run, args=(started,), name="firehose-engine", daemon=True).start()
        started.wait()
        if not self._listens():
            said = (self._folder / "log").read_text(errors="replace").strip().splitlines()
            self.close()
            raise ServiceUnavailable(
                f"the engine over {lake} does not start: {said[-1] if said else 'it said nothing'}"
            )

    def close(self) -> None:
        """End it, and remove its folder."""
        if self._process and self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_S)
            self._process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, started: threading.Event) -> None:
        try:
            with (self._folder / "log").open("wb") as log:
                process = self._process = subprocess.Popen(
                    [*_LEASH, str(os.getpid()), "--", *_ENDPOINT],
                    env=_environment(self.settings),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C in a terminal is the reader's
                )
        finally:
            started.set()
        process.wait()

    def _listens(self) -> bool:
        return bool(self._process and self._process.stdout and self._process.stdout.readline())


def _settings(lake: Path, folder: Path, given: Settings) -> Settings:
    return Settings(
        home=str(folder),
        lake=str(lake),
        clickhouse_url=f"http://127.0.0.1:{_free_port()}",
        clickhouse_loader_password=secrets.token_urlsafe(),
        clickhouse_analyst_password=secrets.token_urlsafe(),
        query_max_seconds=_SECONDS,
        **{name: getattr(given, name) for name in _KEPT},
    )


def _environment(settings: Settings) -> dict[str, str]:
    """The reader's environment with these settings in place of the reader's."""
    ours = msgspec.structs.asdict(settings)
    passed = ("home", "lake", "clickhouse_url", "clickhouse_loader_password", "clickhouse_analyst_password")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_PREFIX)}
    return kept | {f"{_PREFIX}{name.upper()}": str(ours[name]) for name in (*passed, "query_max_seconds", *_KEPT)}


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
