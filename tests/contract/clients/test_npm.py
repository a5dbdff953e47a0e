"""@clickhouse/client on Node.js: queries, streams, parameters, inserts, sessions, an abort.

The client comes from the npm registry, as package-lock.json has it, once into pytest's cache.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from clickhouse_http import EndpointProcess
from tests.support.endpoint import ANALYST, LOADER

from .installing import install

SOURCE = Path(__file__).parent / "npm"
NODE = 20


@pytest.fixture(scope="module")
def work(pytestconfig: pytest.Config) -> Path:
    """The script, beside the client that it imports."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("npm is not installed")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").split(".")[0]) < NODE:
        pytest.skip(f"Node.js {version.strip()} is older than {NODE}, which the client needs")
    lock = (SOURCE / "package-lock.json").read_bytes()
    folder = pytestconfig.cache.mkdir(f"npm-{hashlib.sha256(lock).hexdigest()[:16]}")
    for name in ("package.json", "package-lock.json", "work.mjs"):
        shutil.copy(SOURCE / name, folder)
    if not (folder / "node_modules" / "@clickhouse").is_dir():
        install(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
    return folder / "work.mjs"


def test_everyday_work(endpoint: EndpointProcess, work: Path) -> None:
    environment = {
        **os.environ,
        "CLICKHOUSE_URL": endpoint.url,
        "LOADER_PASSWORD": LOADER[1],
        "ANALYST_PASSWORD": ANALYST[1],
    }
    done = subprocess.run(
        ["node", str(work)], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "ping": True,
        "json": [{"n": 1000}],
        "parameters": [{"name": "1"}, {"name": "2"}],
        "streamed": 200_000,
        "compressed": [{"n": 1000}],
        "aborted": "aborted",
        "temporary": [{"id": 1, "note": "a", "name": "1"}, {"id": 2, "note": "b", "name": "2"}],
        "error": {"code": "47", "type": "UNKNOWN_IDENTIFIER"},
        "inserted": [{"id": 1, "note": "x"}, {"id": 2, "note": "y"}],
        "exec": "42\n",
    }
