"""What docs/guarantees.md and docs/security.md promise names only tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ingester.contract.crash import Point

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("page", ["guarantees.md", "security.md"])
def test_every_named_test_exists(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)", text))
    assert len(named) > 30
    assert {name for name in named if f"def {name}(" not in tests} == set()
    for path in re.findall(r"`((?:tests|ingester|include)/[\w/.]+)`", text):
        assert (ROOT / path).exists(), path


def test_it_counts_the_boundaries() -> None:
    assert f"The {len(Point)} durable boundaries" in (ROOT / "docs" / "guarantees.md").read_text()
