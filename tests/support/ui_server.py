"""The page for readers as a process: for its tests, and for pictures of it.

Lives here: its settings and its start. Must not: know its views.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devstack.embedded.redis import free_port
from firehose.settings import Settings
from tests.support.waiting import until


@contextmanager
def served(settings: Settings, **more: str) -> Iterator[str]:
    """The page as a process; its address. ``more`` are settings of it."""
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
        command = [sys.executable, "-P", "-m", "firehose_ui.serve"]
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
    try:
        until(lambda: "listening" in said.read_text() or process.poll() is not None, 60, what="the page is served")
        assert process.poll() is None, said.read_text()
        yield said.read_text().removeprefix("listening on ").strip()
    finally:
        process.terminate()
        process.wait(30)
