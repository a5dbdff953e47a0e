"""A tree of canary files, and what of it has changed or come out.

Every file holds :data:`MARK`. A snapshot holds names, sizes, times and digests.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

#: In mixed case, so that no path in upper or lower case looks like it.
MARK = "SeCrEt7"
#: The message of the schema files.
MESSAGE = "Canary"
HOUR = "year=2026/month=11/day=23/hour=00"
_PLACES = ("outside", "lake", "home", "cwd", "tmp")
_TEXTS = {
    "canary": f"{MARK}-plain {{\n",
    "canary.csv": f"{MARK}_a,b\n{MARK}-csv,1\n",
    "canary.json": f'{{"{MARK}": 1, "a": "{MARK}-json"}}\n',
    "canary.txt": f"{MARK}-text\n",
    "canary.xml": f"<clickhouse><{MARK}>1</{MARK}></clickhouse>\n",
    "canary.proto": f'syntax = "proto3"; message {MESSAGE} {{ string {MARK}_field = 1; }}\n',
    "canary.capnp": f"@0xa1b2c3d4e5f60718; struct {MESSAGE} {{ {MARK[0].lower()}{MARK} @0 :Text; }}\n",
}

Snapshot = dict[str, tuple[int, int, int, str]]


@dataclass(frozen=True)
class Tree:
    """The canaries below ``root``, in the folders that an attacker would think of."""

    root: Path

    @classmethod
    def plant(cls, root: Path) -> Tree:
        """Make the tree, with one hour of a lake in it."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        for place in _PLACES:
            folder = root / place
            folder.mkdir(parents=True)
            for name, text in _TEXTS.items():
                (folder / name).write_text(text)
        hour = root / "lake" / HOUR
        hour.mkdir(parents=True)
        pq.write_table(pa.table({"did": ["did:plc:a", "did:plc:b"], "time_us": [1, 2]}), hour / "likes.parquet")
        return cls(root)

    def __getattr__(self, place: str) -> Path:
        if place not in _PLACES:
            raise AttributeError(place)
        return self.root / place

    def stamps(self) -> dict[str, tuple[int, int, int]]:
        """What changes when a file is written, moved or made; without reading any."""
        found = {}
        for path in (self.root, *sorted(self.root.rglob("*"))):
            state = path.lstat()
            found[str(path)] = (state.st_size, state.st_mtime_ns, state.st_ino)
        return found

    def snapshot(self) -> Snapshot:
        """The whole of it."""
        return {
            path: (*stamp, hashlib.sha256(Path(path).read_bytes()).hexdigest() if Path(path).is_file() else "")
            for path, stamp in self.stamps().items()
        }


def structure() -> str:
    """The columns of the lake's hour file, for file()."""
    return "did String, time_us Int64, year UInt16, month UInt8, day UInt8, hour UInt8"


def view(lake: Path) -> str:
    """The statement that makes a view over the lake as the pipeline's own are."""
    return (
        "CREATE VIEW firehose.likes DEFINER = CURRENT_USER SQL SECURITY DEFINER AS "
        f"SELECT * FROM file('{lake}/year=*/month=*/day=*/hour=*/likes.parquet', 'Parquet', '{structure()}')"
    )
