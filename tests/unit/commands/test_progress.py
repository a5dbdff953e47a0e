"""Progress: items pass through unchanged, each is counted once, and nothing is shown where nobody looks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from firehose.progress import BYTES, shown_on, tracked


class Recorder:
    """What a display was told."""

    def __init__(self) -> None:
        self.said: list[tuple[object, ...]] = []

    def begin(self, what: str, unit: str, total: int | None) -> int:
        self.said.append(("begin", what, unit, total))
        return 7

    def advance(self, work: int, count: int) -> None:
        self.said.append(("advance", work, count))

    def end(self, work: int) -> None:
        self.said.append(("end", work))


def test_items_are_counted_when_they_are_done() -> None:
    display = Recorder()
    with shown_on(display):
        items = tracked(["a", "bcd"], "reading", BYTES, total=4, size=len)
        assert next(items) == "a"
        assert display.said == [("begin", "reading", BYTES, 4)], "it is not done yet"
        assert [*items] == ["bcd"]
    assert display.said[1:] == [("advance", 7, 1), ("advance", 7, 3), ("end", 7)]


def test_a_total_is_known_of_a_list_and_not_of_a_stream() -> None:
    display = Recorder()
    with shown_on(display):
        assert [*tracked([1, 2], "a", "files")] == [1, 2]
        assert [*tracked(iter([1]), "b", "files")] == [1]
        assert [*tracked([], "nothing to do", "files")] == []
    assert [said[3] for said in display.said if said[0] == "begin"] == [2, None]


def test_work_that_fails_ends_as_well() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("disk")

    display = Recorder()
    with shown_on(display), pytest.raises(OSError, match="disk"):
        list(tracked(items(), "reading", "files"))
    assert display.said[-1] == ("end", 7)


def test_without_a_display_items_pass_through() -> None:
    assert [*tracked(iter([1, 2]), "reading", "files")] == [1, 2]
