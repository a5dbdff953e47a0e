"""Bugs of one edit each, and the tests that must fail with it: the catalogue, read from catalogue.toml.

Must not: run anything.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]


class Mutant(msgspec.Struct, frozen=True):
    """In ``file`` the text ``old``, which is there once, becomes ``new``; one of ``tests`` has to fail then."""

    name: str
    file: str
    old: str
    new: str
    tests: list[str]

    def applied(self, root: Path) -> str:
        """The file with the edit.

        Raises:
            ValueError: ``old`` is not there, or more than once.
        """
        text = (root / self.file).read_text()
        if (found := text.count(self.old)) != 1:
            raise ValueError(f"{self.name}: {self.file} has its old text {found} times; mend the catalogue")
        return text.replace(self.old, self.new)


def catalogue() -> list[Mutant]:
    """Every mutant."""
    content = tomllib.loads((Path(__file__).parent / "catalogue.toml").read_text())
    return msgspec.convert(content["mutant"], list[Mutant])
