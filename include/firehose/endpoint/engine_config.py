"""The engine's configuration files: its users' rights and limits, which the engine itself enforces.

Lives here: config.xml and users.xml as text, and the statements that turn a new connection into a user's.
Must not: passwords (they never reach the engine), which rights those are (policy), I/O.

chDB opens every connection as the user ``default``, and refuses CREATE USER. But it reads roles, profiles,
constraints and row policies from users.xml. So ``default`` holds two roles; each connection gives up all but one
of them, loads that role's constraints, and goes read-only for the analyst, which no statement can undo.

A server's list of what may be changed (``readonly`` 1 with ``changeable_in_readonly``) is an option that chDB
does not have. The same list is enforced the other way round: every other setting that the engine has is constant.
Likewise for the tables of ``system``, which chDB lets anyone read: a row policy empties all the others.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from firehose.endpoint.policy import Policy, Range

#: A quarter of the server's defaults: this process shares a machine with the whole pipeline.
_INSERT_BLOCKS: Final = {
    "max_insert_block_size": 262_144,
    "min_insert_block_size_rows": 262_144,
    "min_insert_block_size_bytes": 64 * 1024 * 1024,
}
MIB: Final = 1024 * 1024
MAX_MEMORY: Final = "max_memory_usage"
#: Characters of a query, as in the analyst's profile: tools write long lists into their queries.
MAX_QUERY: Final = 1024 * 1024
LOADER: Final = "loader"
_ANALYST: Final = "analyst"
_READONLY: Final = "readonly"
#: No constraints on these: the read-only mode holds itself, and is set after the constraints; USE sets the other.
_FREE: Final = (_READONLY, "database")
#: A setting of chDB alone: its table function reads the variables of this process.
_PYTHON: Final = "allow_python_table_function"
_LOADER_ONLY: Final = "has(currentRoles(), 'loader')"

#: The engine without its database ``default``, which would be laid over the file system: default.`/etc/passwd`
#: would be that file, even for functions that ask for no right, such as dictGet. It attaches that database only
#: where ``default_database`` has a name; ``database`` is then the one in which the engine itself starts.
_NO_FILE_SYSTEM: Final = "  <default_database></default_database>\n  <database>system</database>\n"


@dataclass(frozen=True)
class Limits:
    """What one query may use, and the memory that all queries may use together."""

    memory_mib: int
    seconds: int
    total_mib: int

    def share_mib(self, role: str) -> int:
        """The part of all memory that the queries of ``role`` have: half each, and neither takes the other's."""
        return self.total_mib // 2

    def sizes(self, role: str) -> list[int]:
        """The amounts of memory in MiB that a query can be granted, the smallest first."""
        share = self.share_mib(role)
        most = share if role == LOADER else min(self.memory_mib, share)
        return [*(2**power for power in range(6, 30) if 2**power < most), most]


@dataclass(frozen=True)
class Catalog:
    """What this version of the engine has."""

    settings: Mapping[str, str]  # name to the setting that it is another name of, or to itself
    system_tables: frozenset[str]

    def names_of(self, settings: Iterable[str]) -> frozenset[str]:
        """All names of ``settings``, aliases too."""
        canonical = {self.settings.get(name, name) for name in settings}
        return frozenset(name for name, target in self.settings.items() if target in canonical)


def config_xml(users_path: str) -> str:
    """The engine's main configuration."""
    return (
        "<clickhouse>\n"
        f"  <user_directories><users_xml><path>{escape(users_path)}</path></users_xml></user_directories>\n"
        f"{_NO_FILE_SYSTEM}"
        "</clickhouse>\n"
    )


def bare_config_xml() -> str:
    """A configuration for asking the engine what it has. Without one, chDB would look for config.xml itself."""
    return "<clickhouse></clickhouse>\n"


def users_xml(limits: Limits, policy: Policy, catalog: Catalog) -> str:
    """Roles, profiles, constraints, row policies. No user can switch to ``default``: that would unset readonly."""
    grants = "".join(f"<query>{escape(grant)}</query>" for grant in policy.grants)
    closed = "".join(
        f"<{table}><filter>{_LOADER_ONLY}</filter></{table}>"
        for table in sorted(catalog.system_tables - policy.system_tables)
    )
    return f"""<clickhouse>
  <profiles>
    <default><readonly>0</readonly><{_PYTHON}>0</{_PYTHON}></default>
    <loader><readonly>0</readonly><constraints>{_constant({*policy.fixed, _PYTHON})}</constraints></loader>
    <analyst><readonly>2</readonly><constraints>{_analyst(limits, policy, catalog)}</constraints></analyst>
    {_memory_profiles(limits)}
  </profiles>
  <roles>
    <loader><grants><query>GRANT ALL ON *.*</query></grants></loader>
    <analyst><grants>{grants}</grants></analyst>
  </roles>
  <users>
    <default>
      <password></password>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants><query>GRANT loader</query><query>GRANT analyst</query></grants>
      <databases><system>{closed}</system></databases>
    </default>
  </users>
  <quotas><default/></quotas>
</clickhouse>
"""


def _memory_profiles(limits: Limits) -> str:
    """One for each amount of memory: the engine takes a constraint only from a profile, and profiles only from
    here."""
    return "".join(
        f"<analyst_{size}><profile>analyst</profile><constraints><max_memory_usage><min>1</min>"
        f"<max>{size * MIB}</max></max_memory_usage></constraints></analyst_{size}>"
        for size in limits.sizes(_ANALYST)
    )


def memory_statements(role: str, memory_mib: int) -> list[str]:
    """What gives the queries of a connection their memory. An analyst can lower it afterwards, but not raise it.

    A profile set by SET brings its constraints only; its values, readonly too, need a SET of their own.
    """
    profile = role if role == LOADER else f"{role}_{memory_mib}"
    return [f"SET profile = '{profile}'", f"SET max_memory_usage = {memory_mib * MIB}"]


def opening_statements(role: str, tag: str, limits: Limits, policy: Policy, memory_mib: int) -> list[str]:
    """What makes a new connection one of ``role``; ``tag`` finds its queries in system.processes."""
    common = {
        "log_comment": f"'{tag}'",
        # As on a server: chDB's own defaults are those of a command-line tool.
        "implicit_select": "0",
        "max_query_size": str(MAX_QUERY),
        "allow_introspection_functions": "0",
        "storage_file_read_method": "'pread'",
        **{name: str(value) for name, value in _INSERT_BLOCKS.items()},
        **(policy.values if role == _ANALYST else {}),
        "max_execution_time": str(limits.seconds),
    }
    statements = [
        f"SET ROLE {role}",
        "SET " + ", ".join(f"{name} = {value}" for name, value in common.items()),
        *memory_statements(role, memory_mib),
    ]
    return [*statements, f"SET {_READONLY} = 2"] if role == _ANALYST else statements


def ceilings(limits: Limits, policy: Policy, catalog: Catalog) -> dict[str, int]:
    """The greatest value of each setting of the analyst that has one, by all names of the setting.

    Not of max_memory_usage, whose ceiling is what the query was granted.
    """
    return {
        alias: int(each.max)
        for name, each in _ranges(limits, policy).items()
        if each.max is not None and name != MAX_MEMORY
        for alias in catalog.names_of([name])
    }


def _ranges(limits: Limits, policy: Policy) -> dict[str, Range]:
    """What the analyst may set: the policy's, and what follows from this machine and its settings."""
    maxima = {
        # Of no use to a query: its connection has a profile with the memory that it was granted.
        MAX_MEMORY: limits.sizes(_ANALYST)[0] * MIB,
        "max_execution_time": limits.seconds,
        "max_threads": 4 * (os.cpu_count() or 1),
    }
    return {**policy.changeable, **{name: Range("1", str(value)) for name, value in maxima.items()}}


def _analyst(limits: Limits, policy: Policy, catalog: Catalog) -> str:
    ranges = _ranges(limits, policy)
    changeable = catalog.names_of([*ranges, *_FREE])
    return _constant(catalog.settings.keys() - changeable) + "".join(
        f"<{name}>{_bound('min', each.min)}{_bound('max', each.max)}</{name}>" for name, each in ranges.items()
    )


def _constant(names: Iterable[str]) -> str:
    return "".join(f"<{name}><const/></{name}>" for name in sorted(names))


def _bound(tag: str, value: str | None) -> str:
    return "" if value is None else f"<{tag}>{escape(value)}</{tag}>"
