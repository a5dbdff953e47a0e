"""The built front end: its files, and the manifest that says which they are.

``make ui`` builds it from ``web/``. Must not: build it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import msgspec

FOLDER: Final = Path(__file__).parent / "static"
MANIFEST: Final = "manifest.json"


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the bundle; ``gzipped`` is what a browser loads."""

    sha256: str
    bytes: int
    gzipped: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """``sources`` is a digest over what it was built from, ``packages`` the npm packages in it."""

    files: dict[str, File]
    sources: str
    packages: dict[str, str]


def manifest(folder: Path = FOLDER) -> Manifest:
    """The manifest beside the files."""
    return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)


def files(folder: Path = FOLDER) -> dict[str, Path]:
    """The files that may be served, by name."""
    return {name: folder / name for name in manifest(folder).files}


def sha256(path: Path) -> str:
    """The digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
