"""Nothing that the engine in use has lets the analyst read, write or move a file: every name of it is tried.

Without the sandbox and without the endpoint's look at the syntax tree (``sweep`` says how), so that the engine's
own rights hold by themselves. A new version of the engine that adds a hole fails here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .canaries import Tree

ROOT = Path(__file__).resolve().parents[3]
#: What a sweep that has gone wrong (nothing listed, every statement refused for another reason) would not reach.
LEAST = {
    "settings": 9_000,
    "text_settings": 3_500,
    "merge_tree_settings": 600,
    "functions": 5_000,
    "table_functions": 1_000,
    "formats": 300,
    "engines": 700,
    "own_tables": 1_200,
    "system_tables": 300,
}


@pytest.mark.parametrize("group", [each for each in LEAST if each != "text_settings"])
def test_nothing_is_read_made_changed_or_moved(group: str, tmp_path: Path) -> None:
    found, tried = _sweep("analyst", group, tmp_path)
    assert found == []
    assert tried >= LEAST[group]


def test_even_the_loaders_settings_name_no_files(tmp_path: Path) -> None:
    """The loader reads and writes files by statements, in the sandbox. By a setting it does not."""
    found, tried = _sweep("loader", "text_settings", tmp_path)
    assert found == []
    assert tried >= LEAST["text_settings"]


def _sweep(role: str, group: str, folder: Path) -> tuple[list[dict[str, str]], int]:
    """What was found, and how many statements were tried."""
    tree = Tree.plant(folder / "tree")
    engine = folder / "engine"
    (engine / "spool").mkdir(parents=True)
    before = tree.snapshot()
    found: list[dict[str, str]] = []
    first = 0
    while True:
        result = _run(role, group, engine, tree, first)
        reports = [json.loads(line) for line in result.stdout.splitlines()]
        found += [each for each in reports if each["what"] != "tried"]
        if result.returncode == 0:
            assert tree.snapshot() == before or found
            return found, next(int(each["detail"]) for each in reports if each["what"] == "tried")
        at = int((engine / "at").read_text())
        found.append({"what": "crashed", "statement": f"case {at} of {group}", "detail": result.stderr[-2000:]})
        first = at + 1


def _run(role: str, group: str, engine: Path, tree: Tree, first: int) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "include"))),
        "HOME": str(tree.home),
        "TMPDIR": str(engine / "spool"),  # as in the endpoint
    }
    command = [
        sys.executable,
        "-m",
        "tests.security.analyst.sweep",
        role,
        group,
        str(engine),
        str(tree.root),
        str(first),
    ]
    return subprocess.run(command, cwd=tree.cwd, env=environment, capture_output=True, text=True, timeout=240)
