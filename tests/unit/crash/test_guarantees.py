"""docs/guarantees.md names only tests that exist, and counts the crash points right."""

from __future__ import annotations

import re
from pathlib import Path

from ingester.crash import Point

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "guarantees.md").read_text()


def test_every_named_test_exists() -> None:
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)", PAGE))
    assert len(named) > 30
    assert {name for name in named if f"def {name}(" not in tests} == set()
    for path in re.findall(r"`((?:tests|ingester)/[\w/.]+)`", PAGE):
        assert (ROOT / path).exists(), path


def test_it_counts_the_boundaries() -> None:
    assert f"The {len(Point)} durable boundaries" in PAGE
