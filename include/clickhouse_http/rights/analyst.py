"""Statements, settings, functions and tables that are refused to the analyst before the engine runs anything.

Lives here: the checks by name, with ClickHouse's codes. Must not: I/O, parsing, the engine's own rights.

The engine refuses nearly all of it as well, from the same list (policy, engine_config): each layer holds without
the other, except where a comment says that it is the only one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from clickhouse_http import exceptions
from clickhouse_http.rights.limits import MAX_MEMORY
from clickhouse_http.sql.statement import Shape
from clickhouse_http.sql.syntax import Mentions

_STATEMENTS: Final = frozenset(
    {
        *("SelectWithUnionQuery", "SelectIntersectExceptQuery", "SelectQuery", "ExplainQuery"),
        *("SetQuery", "UseQuery", "ShowTablesQuery", "ShowColumnsQuery", "ShowIndexesQuery"),
    }
)
#: Statements whose tree the engine gives only as EXPLAIN AST. Except for DESCRIBE, they hold only names.
_DESCRIBE: Final = "DescribeQuery"
_PLAIN_STATEMENTS: Final = frozenset(
    {
        *("ShowFunctions", "ShowEngineQuery", "ShowSetting", "ShowCreateTableQuery", "ShowCreateViewQuery"),
        *("ShowCreateDatabaseQuery", "ExistsTableQuery", "ExistsViewQuery", "ExistsDatabaseQuery", _DESCRIBE),
    }
)
#: sqlite() creates the file that it is given before it asks for its right. Nothing else refuses it.
_FUNCTIONS: Final = frozenset({"sqlite"})
_DICTIONARY: Final = "dict"  # dictGet, dictHas, dictionary() and so on
_SYSTEM: Final = "system"
_READONLY: Final = "readonly"
_NUMBER: Final = re.compile(r"[0-9]{1,100}(?:\.[0-9]{1,20})?")


@dataclass(frozen=True)
class Rights:
    """The analyst's rights as names."""

    changeable: frozenset[str]  # settings, with their aliases
    known: frozenset[str]  # every setting of the engine
    system_tables: frozenset[str]
    ceilings: Mapping[str, int]  # the largest value of each setting, without max_memory_usage

    def clamped(self, asked: Mapping[str, str], memory: int) -> dict[str, str]:
        """The settings of a request that are above their ceiling, each lowered to it; ``memory`` (bytes) is the
        ceiling of max_memory_usage. Tools send limits of their own that their users cannot change."""
        ceilings = {**self.ceilings, MAX_MEMORY: memory}
        return {
            name: str(ceilings[name])
            for name, value in asked.items()
            if name in ceilings and _NUMBER.fullmatch(value) and float(value) > ceilings[name]
        }

    def settings(self, asked: Mapping[str, str]) -> dict[str, str]:
        """The settings of a request, if all are allowed.

        Raises:
            QueryError: one may not be changed, or does not exist.
        """
        self._check_settings(asked.keys() - {_READONLY})  # the engine itself answers readonly=0
        return dict(asked)

    def check(self, user: str, names: Mentions) -> None:
        """Check the names in a statement.

        Raises:
            QueryError: the statement, or a name in it, is not allowed.
        """
        if (names.root not in _STATEMENTS and names.temporary_table is None) or names.shows:
            raise _denied(user, "for this kind of statement")
        self._check_settings(names.settings)
        _check_functions(user, names.functions)
        for table in names.tables:
            if len(table) == 2 and table[0].lower() == _SYSTEM and table[1] not in self.system_tables:
                raise _denied(user, f"to read {'.'.join(table)}")

    def _check_settings(self, names: Iterable[str]) -> None:
        for name in sorted(names):
            if name not in self.known:
                raise exceptions.refused(exceptions.UNKNOWN_SETTING, f"Unknown setting '{name}'.")
            if name not in self.changeable:
                raise exceptions.refused(
                    exceptions.SETTING_CONSTRAINT_VIOLATION, f"Setting {name} should not be changed by this user."
                )


def check_plain(user: str, shape: Shape) -> None:
    """Check a statement of which the engine gives only an outline.

    Raises:
        QueryError: it is not one of those that are known to be harmless.
    """
    if shape.root not in _PLAIN_STATEMENTS:
        raise _denied(user, "for this kind of statement")
    _check_functions(user, shape.functions)
    if shape.has_settings:
        raise exceptions.refused(
            exceptions.NOT_IMPLEMENTED, "SETTINGS in a DESCRIBE are not supported by this endpoint."
        )


def _check_functions(user: str, names: Iterable[str]) -> None:
    for name in names:
        if name in _FUNCTIONS or name.startswith(_DICTIONARY):
            raise _denied(user, f"for {name}()")


def _denied(user: str, what: str) -> exceptions.QueryError:
    return exceptions.refused(exceptions.ACCESS_DENIED, f"{user}: Not enough privileges {what}.")
