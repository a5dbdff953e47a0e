"""``python -m ingester`` at the prompt: light to start, and clear about what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HEAVY = {"pandas", "pyarrow", "airflow", "firehose", "numpy", "great_expectations", "chdb", "clickhouse_connect"}


def run(*command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run Python with only ``settings`` as FIREHOSE_* variables."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FIREHOSE_")}
    environment |= {f"FIREHOSE_{name.upper()}": value for name, value in settings.items()}
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30
    )


def test_imports_nothing_heavy() -> None:
    code = "import sys, ingester.__main__; print(*{name.partition('.')[0] for name in sys.modules})"
    assert set(run("-c", code).stdout.split()) & HEAVY == set()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("flush_ms", "soon"),
        ("jetstream_url", "http://example.org"),
        ("redis_url", "mysql://localhost"),
        ("zstd_dictionary", "/nowhere/dictionary"),
        ("env_file", "/nowhere/env"),
    ],
)
def test_wrong_settings_are_one_line(name: str, value: str, tmp_path: Path) -> None:
    done = run("-m", "ingester", home=str(tmp_path), **{name: value})
    assert done.returncode == 2
    assert done.stdout == ""
    (said,) = done.stderr.splitlines()
    assert said.startswith(f"ingester: FIREHOSE_{name.upper()}")


def test_secrets_stay_out_of_the_log(tmp_path: Path) -> None:
    done = run(
        "-m",
        "ingester",
        home=str(tmp_path),
        redis_url="redis://user:hunter2@127.0.0.1:1/0?db=wrong",
        jetstream_url="ws://user:hunter2@127.0.0.1:1/subscribe",
    )
    assert done.returncode == 2
    assert "hunter2" not in done.stderr
