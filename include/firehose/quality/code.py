"""Which code this is: slices that an earlier run left are of use to the same code only.

Must not: need anybody to raise a number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Final

import firehose
import ingester

# They decide as well what a row, a staged file or a suite's result looks like.
_LIBRARIES: Final = ("great_expectations", "msgspec", "pandas", "pyarrow")


def digest(folders: Iterable[Path]) -> str:
    """A digest of all Python source in ``folders``, names and content, and of the libraries' versions."""
    found = hashlib.sha256(" ".join(f"{name} {version(name)}" for name in _LIBRARIES).encode())
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            content = path.read_bytes()
            found.update(f"\0{path.relative_to(folder)} {len(content)}\0".encode() + content)
    return found.hexdigest()


#: Of the project's whole source: what of it a slice depends on changes with the code. Made when this is imported,
#: as near as can be to the moment at which the rest is: a deployment must not lend its name to what runs already.
CODE: Final = digest(Path(package.__path__[0]) for package in (firehose, ingester))
