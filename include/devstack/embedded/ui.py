"""The page for readers as a child process: for its tests, its benchmark, and pictures of it.

Lives here: its settings and its start. Must not: know its views.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from devstack.embedded.leash import PYTHON, ending_with_us
from devstack.embedded.redis import free_port
from firehose.errors import ServiceUnavailable
from firehose.settings import Settings

_START_S: Final = 60.0
_LISTENS: Final = "listening on "


@contextmanager
def served(settings: Settings, **more: str) -> Iterator[str]:
    """The page as a process; its address. ``more`` are settings of it.

    Raises:
        ServiceUnavailable: on entering: it does not start; the message is what it said.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FIREHOSE_")}
    environ |= {
        "FIREHOSE_HOME": settings.home,
        "FIREHOSE_LAKE": settings.lake,
        "FIREHOSE_CLICKHOUSE_URL": settings.clickhouse_url,
        "FIREHOSE_CLICKHOUSE_ANALYST_PASSWORD": settings.clickhouse_analyst_password,
        "FIREHOSE_UI_LISTEN": f"127.0.0.1:{(port := free_port())}",
        "FIREHOSE_UI_REQUESTS_A_MINUTE": "0",
    }
    environ |= {f"FIREHOSE_UI_{name.upper()}": value for name, value in more.items()}
    said = Path(settings.home) / f"ui-{port}.log"
    with said.open("wb") as log:
        process = subprocess.Popen(
            ending_with_us([*PYTHON, "firehose_ui.serve"]), env=environ, stdout=log, stderr=log
        )
    try:
        yield _address(said, process)
    finally:
        process.terminate()
        process.wait(30)


def _address(said: Path, process: subprocess.Popen[bytes]) -> str:
    """What it says that it listens on, once it does."""
    deadline = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline:
        if (text := said.read_text()).startswith(_LISTENS) and text.endswith("\n"):
            return text.removeprefix(_LISTENS).strip()
        time.sleep(0.01)
    raise ServiceUnavailable(f"the page does not start: {said.read_text().strip() or 'it says nothing'}")
