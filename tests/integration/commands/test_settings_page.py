"""docs/settings.md is what `firehose settings` prints."""

from __future__ import annotations

from pathlib import Path

from firehose.settings_table import markdown


def test_the_settings_page_is_current() -> None:
    page = Path(__file__).parents[3] / "docs" / "settings.md"
    assert page.read_text() == markdown(), "write the pages again: make docs"
