"""Where commands print their tables. Must not: know what is in them."""

from __future__ import annotations

import sys
from typing import Final

from rich.console import Console

#: Wider than any table.
UNBOUNDED: Final = 100_000


def stdout() -> Console:
    """Standard output. A pipe or file has no width, so tables are not wrapped there."""
    return Console(width=None if sys.stdout.isatty() else UNBOUNDED, markup=False)
