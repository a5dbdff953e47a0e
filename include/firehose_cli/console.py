"""Where commands print their tables, and text of strangers without harm. Must not: know what is in them."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console

#: Wider than any table.
UNBOUNDED: Final = 100_000
# Control characters, line and paragraph separators, lone surrogates.
_UNSAFE: Final = frozenset({"Cc", "Zl", "Zp", "Cs"})
_BIDI: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def stdout() -> Console:
    """Standard output. A pipe or file has no width, so tables are not wrapped there."""
    return Console(width=None if sys.stdout.isatty() else UNBOUNDED, markup=False)


@contextmanager
def until_closed() -> Iterator[None]:
    """Write to standard output within, until the reader (``| head``) has had enough: that is a way to end."""
    try:
        yield
    except BrokenPipeError:
        # Python flushes standard output once more at exit: give that flush somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def harmless(text: str) -> str:
    """The text with a blank for each character that could steer a terminal; every other one keeps its place."""
    return "".join(" " if unicodedata.category(c) in _UNSAFE or c in _BIDI else c for c in text)
