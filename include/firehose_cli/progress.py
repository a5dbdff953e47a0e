"""Bars with rate and time left on a terminal's standard error; nothing where that is no terminal.

Must not: know what is done (``firehose.progress`` is told).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from firehose import progress

if TYPE_CHECKING:
    from rich.progress import Progress, Task, TaskID
    from rich.text import Text


@contextmanager
def on_terminal() -> Iterator[None]:
    """Show the progress of what a command does."""
    if not sys.stderr.isatty():
        yield
        return
    bars = _Bars()
    try:
        with progress.shown_on(bars):
            yield
    finally:
        bars.close()


class _Bars:
    """Made when there is work to show: a command without any pays nothing."""

    def __init__(self) -> None:
        self._shown: Progress | None = None

    def begin(self, what: str, unit: str, total: int | None) -> int:
        if self._shown is None:
            self._shown = _made()
            self._shown.start()
        return int(self._shown.add_task(what, total=total, unit=unit))

    def advance(self, work: int, count: int) -> None:
        if self._shown:
            self._shown.advance(_id(work), count)

    def end(self, work: int) -> None:
        if self._shown is None:
            return
        self._shown.remove_task(_id(work))
        if not self._shown.tasks:  # what the command prints next has the terminal to itself
            self.close()

    def close(self) -> None:
        """Take the bars off the screen."""
        if self._shown:
            self._shown.stop()
            self._shown = None


def _id(work: int) -> TaskID:
    from rich.progress import TaskID

    return TaskID(work)


def _made() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

    class Done(ProgressColumn):
        """``120 of 400 files, 31.0/s``."""

        def render(self, task: Task) -> Text:
            return _done(task)

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        Done(),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # otherwise what goes into a pipe would land on the terminal
    )


def _done(task: Task) -> Text:
    from rich.text import Text

    unit = task.fields["unit"]
    rate = f", {_amount(task.speed, unit)}/s" if task.speed else ""
    total = f" of {_amount(task.total, unit)}" if task.total is not None else ""
    name = "" if unit == progress.BYTES else f" {unit}"
    return Text(f"{_amount(task.completed, unit)}{total}{name}{rate}")


def _amount(count: float, unit: str) -> str:
    from firehose.batch.budget import size

    if unit == progress.BYTES:
        return size(int(count))
    return f"{count:,.0f}" if count >= 10 or count == int(count) else f"{count:.1f}"
