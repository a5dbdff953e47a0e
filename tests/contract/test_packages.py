"""The import contracts: every package and module has a place in them, and what breaks them is seen."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
LINTER: dict[str, Any] = TOOLS["importlinter"]
ON_DISK = {path.name for path in (ROOT / "include").iterdir() if any(path.glob("**/*.py"))} | {"ingester"}


def contract(**wanted: object) -> list[dict[str, Any]]:
    """The contracts that have these options."""
    return [found for found in LINTER["contracts"] if found.items() >= wanted.items()]


def test_every_package_is_under_the_contracts() -> None:
    assert set(LINTER["root_packages"]) == ON_DISK


def test_every_package_has_a_layer_and_no_cycles() -> None:
    [order] = contract(name="Packages: imports point down")
    assert {name.strip() for layer in order["layers"] for name in re.split("[|:]", layer)} == ON_DISK
    [acyclic] = contract(type="acyclic_siblings")
    assert set(acyclic["ancestors"]) == ON_DISK and "skip_descendants" not in acyclic


def test_every_package_has_a_place_for_each_of_its_modules() -> None:
    complete = {name for found in contract(type="layers", exhaustive=True) for name in found["containers"]}
    assert complete == ON_DISK


def test_every_part_of_the_endpoint_but_its_public_ones_is_protected() -> None:
    package = ROOT / "include" / "clickhouse_http"
    parts = {path.stem for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    [protected] = contract(type="protected")
    wanted = {f"clickhouse_http.{part}" for part in parts - {"__init__", "__main__", "http"}}
    assert set(protected["protected_modules"]) == wanted


def test_a_dag_file_imports_no_package_of_the_pipeline_when_it_is_parsed() -> None:
    banned = TOOLS["ruff"]["lint"]["flake8-tidy-imports"]["banned-module-level-imports"]
    assert ON_DISK - set(banned) == {"ingester", "jetstream_simulator"}


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("include/devstack/stray.py", "", "devstack.stray"),
        ("include/firehose_cli/stray.py", "", "firehose_cli.stray"),
        ("include/firehose/errors.py", "import firehose.lake", "firehose.errors -> firehose.lake"),
        (
            "include/firehose/lake/layout.py",
            "from firehose.lake import publish",
            "No cycles are allowed in firehose.lake",
        ),
        ("ingester/errors.py", "import firehose.errors", "ingester is not allowed to import firehose"),
        ("include/devstack/once.py", "import ingester.pump", "devstack is not allowed to import ingester"),
        ("include/devstack/once.py", "import airflow", "devstack is not allowed to import airflow"),
        ("include/devstack/once.py", "import clickhouse_http.engine", "Illegal imports of protected package"),
    ],
    ids=[
        *("a stray module", "a stray command", "an arrow up", "a circle", "an ingester that knows the pipeline"),
        *("a stack that knows the ingester's inside", "a stack that needs Airflow", "a stack inside the endpoint"),
    ],
)
def test_what_breaks_a_contract_is_seen(tmp_path: Path, file: str, text: str, said: str) -> None:
    for name in ("include", "ingester"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / file).open("a") as module:
        module.write(f"\n{text}\n")
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{tmp_path / 'include'}:{tmp_path}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert said in " ".join(done.stdout.split()), done.stdout
