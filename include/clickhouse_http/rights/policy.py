"""The rights of the two users, read from the ``users.xml`` that a ClickHouse server reads too.

Lives here: that file as values: the analyst's grants, values, changeable settings and default database, and the
settings that not even the loader may change. Must not: how the embedded engine enforces them (engine_config).
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from clickhouse_http.errors import InvalidConfig

_SYSTEM_GRANT: Final = re.compile(r"^GRANT SELECT ON system\.(\w+)$")
_MEMORY: Final = "max_memory_usage"
_SPILLS: Final = "max_bytes_before_external_"


@dataclass(frozen=True)
class Range:
    """The range of a setting's values; None: without a bound."""

    min: str | None = None
    max: str | None = None


@dataclass(frozen=True)
class Policy:
    """The rights of both users, apart from passwords."""

    grants: tuple[str, ...]  # GRANT statements of the analyst, without the user
    values: Mapping[str, str]  # settings of the analyst's profile
    changeable: Mapping[str, Range]  # what the analyst may set
    fixed: frozenset[str]  # what even the loader may not set
    default_database: str  # of the analyst

    @cached_property
    def system_tables(self) -> frozenset[str]:
        """The tables of the database ``system`` that the analyst may read."""
        found = (_SYSTEM_GRANT.match(grant) for grant in self.grants)
        return frozenset(match[1] for match in found if match)

    def spill_thresholds(self, memory: int) -> dict[str, int]:
        """The settings by which an analyst's query goes on on disk, for one that is granted ``memory`` bytes: the
        same part of it as the profile's are of its ``max_memory_usage``."""
        spills = {name: int(value) for name, value in self.values.items() if name.startswith(_SPILLS)}
        return {name: value * memory // int(self.values[_MEMORY]) for name, value in spills.items()}


def load(path: Path) -> Policy:
    """Read ``path``.

    Raises:
        InvalidConfig: it cannot be read, or lacks a profile.
    """
    try:
        root = ET.parse(path).getroot()  # noqa: S314 - the operator's own file
    except (OSError, ET.ParseError) as error:
        raise InvalidConfig(f"the rights of ClickHouse's users cannot be read from {path}: {error}") from None
    analyst = root.find("profiles/analyst")
    loader = root.find("profiles/loader/constraints")
    if analyst is None or loader is None:
        raise InvalidConfig(f"{path} has no profiles for loader and analyst")
    values = {each.tag: each.text or "" for each in analyst if each.tag not in ("readonly", "constraints")}
    if _MEMORY not in values:
        raise InvalidConfig(f"{path}: the profile analyst has no {_MEMORY}")
    return Policy(
        grants=tuple(grant.text or "" for grant in root.findall("users/analyst/grants/query")),
        values=values,
        changeable={
            each.tag: Range(each.findtext("min"), each.findtext("max"))
            for each in analyst.iterfind("constraints/*")
            if each.find("changeable_in_readonly") is not None
        },
        fixed=frozenset(each.tag for each in loader if each.find("const") is not None),
        default_database=root.findtext("users/analyst/default_database") or "",
    )
