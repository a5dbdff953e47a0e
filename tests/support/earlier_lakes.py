"""Makes a lake what the version before left: its areas have their earlier names. Must not: say what is right."""

from __future__ import annotations

from pathlib import Path

from firehose.areas import EARLIER_NAMES

#: How the one line begins that every command and step says of such a lake.
REFUSED = "has the folder names of an earlier version (raw/"


def give_earlier_names(lake: Path) -> None:
    """Rename every area that had another name, made empty first where it does not exist."""
    for area, name in EARLIER_NAMES.items():
        area.of(lake).mkdir(exist_ok=True)
        area.of(lake).rename(lake / name)
