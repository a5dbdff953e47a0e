"""The runbook that the page shows is docs/operations.md, and has nothing that leads nowhere."""

from __future__ import annotations

import re

from scripts.pages import runbook


def test_it_is_current() -> None:
    assert runbook.TARGET.read_text(encoding="utf-8") == runbook.part(), "run: make docs"


def test_its_links_lead_somewhere() -> None:
    part = runbook.part()
    links = re.findall(r'<a href="([^"]*)"', part)
    ids = set(re.findall(r' id="([^"]*)"', part))
    assert links and {link[1:] for link in links if link.startswith("#")} <= ids
    assert not [link for link in links if not link.startswith(("#", "https://"))]
    assert "<img" not in part and "<script" not in part


def test_every_word_is_there() -> None:
    without_links = re.sub(r"!\[[^]]*\]\([^)]*\)|\]\([^)]*\)", "", runbook.SOURCE.read_text())
    words = re.findall(r"[a-z]{3,}", without_links.lower())
    shown = set(re.findall(r"[a-z]{3,}", runbook.part().lower()))
    assert len(words) > 5000 and set(words) - shown == set()
