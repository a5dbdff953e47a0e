"""Which files of a lake Arrow opens: no audit hook of Python's sees those."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firehose.store import LocalLake

if TYPE_CHECKING:
    import pyarrow as pa
    import pytest


def noted(monkeypatch: pytest.MonkeyPatch) -> list[LocalLake]:
    """The files that are opened from now on in this process, in order; they are opened as ever."""
    opened: list[LocalLake] = []
    really = LocalLake.reading_by_arrow

    def reading_by_arrow(path: LocalLake) -> pa.NativeFile:
        opened.append(path)
        return really(path)

    monkeypatch.setattr(LocalLake, "reading_by_arrow", reading_by_arrow)
    return opened
