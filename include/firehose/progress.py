"""Progress of long work: how much is done and how much there is, for whoever shows it. By default nobody does.

Lives here: the wrapper that loops go through. Must not: print, know a terminal (``firehose_cli.progress`` does).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, Protocol, TypeVar

T = TypeVar("T")
#: What is counted, where it is bytes: they are shown as people read them.
BYTES: Final = "bytes"


class Display(Protocol):
    """Shows work. One piece of work may be a part of another."""

    def begin(self, what: str, unit: str, total: int | None) -> int:
        """A piece of work begins; ``total`` of ``unit`` are to be done, None: not known. Returns its id."""

    def advance(self, work: int, count: int) -> None:
        """That much more of it is done."""

    def end(self, work: int) -> None:
        """It is done, or has failed."""


_display: ContextVar[Display | None] = ContextVar("display", default=None)


@contextmanager
def shown_on(display: Display) -> Iterator[None]:
    """Show the progress of all work within the block, in this thread."""
    token = _display.set(display)
    try:
        yield
    finally:
        _display.reset(token)


@contextmanager
def unshown() -> Iterator[None]:
    """Show nothing of the work within the block."""
    token = _display.set(None)
    try:
        yield
    finally:
        _display.reset(token)


def tracked(
    items: Iterable[T],
    what: str,
    unit: str,
    *,
    total: int | None = None,
    size: Callable[[T], int] = lambda _: 1,
) -> Iterator[T]:
    """The items, as they are; each counts as done, with its ``size``, when the next one is asked for.

    ``total`` is the number of items by default, where that is known.
    """
    display = _display.get()
    whole = len(items) if total is None and isinstance(items, Sized) else total
    if display is None or whole == 0:
        yield from items
        return
    work = display.begin(what, unit, whole)
    try:
        for item in items:
            yield item
            display.advance(work, size(item))
    finally:
        display.end(work)
