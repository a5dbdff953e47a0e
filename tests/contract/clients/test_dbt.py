"""dbt with dbt-clickhouse, as the loader: seed, view, table, incremental model, tests, docs.

dbt comes from PyPI, as dbt.txt has it, once into an environment of its own in pytest's cache.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from clickhouse_http import EndpointProcess
from tests.support.endpoint import LOADER

from .conftest import address
from .installing import install

HERE = Path(__file__).parent
UV = Path(sys.executable).parent / "uv"


@pytest.fixture(scope="module")
def python(pytestconfig: pytest.Config) -> Path:
    """An interpreter that has dbt."""
    lock = (HERE / "dbt.txt").read_bytes()
    folder = pytestconfig.cache.mkdir(f"dbt-{hashlib.sha256(lock).hexdigest()[:16]}")
    made, ready = folder / "venv" / "bin" / "python", folder / "ready"
    if not ready.exists():
        install([str(UV), "venv", "--clear", "--python", sys.executable, str(folder / "venv")], folder)
        packages = ["--require-hashes", "--only-binary", ":all:", "-r", str(HERE / "dbt.txt")]
        install([str(UV), "pip", "install", "--python", str(made), *packages], folder)
        ready.touch()
    return made


def test_everyday_work(endpoint: EndpointProcess, python: Path, tmp_path: Path) -> None:
    project = tmp_path / "dbt"
    shutil.copytree(HERE / "dbt", project)
    ask = httpx.Client(base_url=endpoint.url, auth=LOADER)
    _dbt(endpoint, python, project, "build")
    assert _ask(ask, "SELECT language, posts FROM marts.posts_by_language ORDER BY language") == (
        "en\t334\nja\t333\npt\t333\n"
    )
    assert _ask(ask, "SELECT count() FROM marts.posts_seen") == "1000\n"
    _ask(ask, "INSERT INTO firehose.events VALUES (1000, 'new')")
    try:
        _dbt(endpoint, python, project, "run", "docs+generate")
        assert _ask(ask, "SELECT count(), max(id) FROM marts.posts_seen") == "1001\t1000\n"
        assert _ask(ask, "SELECT count() FROM marts.posts_with_language") == "1001\n"
        catalog = json.loads((project / "target" / "catalog.json").read_text())
        described = catalog["nodes"]["model.firehose_dbt.posts_by_language"]["columns"]
        assert [column["type"] for column in described.values()] == ["String", "UInt64"]
    finally:
        _ask(ask, "DELETE FROM firehose.events WHERE id = 1000")


def _dbt(endpoint: EndpointProcess, python: Path, project: Path, *commands: str) -> None:
    host, port = address(endpoint)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(project.parent),
        "CLICKHOUSE_HOST": host,
        "CLICKHOUSE_PORT": str(port),
        "CLICKHOUSE_USER": LOADER[0],
        "CLICKHOUSE_PASSWORD": LOADER[1],
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_PROFILES_DIR": str(project),
    }
    command = [str(python), str(HERE / "dbt_work.py"), str(project), *commands]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _ask(http: httpx.Client, query: str) -> str:
    response = http.post("/", content=query)
    assert response.status_code == 200, response.text
    return response.text
