"""The engine's configuration files: rights and limits that the engine itself enforces.

Lives here: config.xml and users.xml as text, and the statements that turn a new connection into a user's.
Must not: passwords (they never reach the engine), which rights there are (policy), I/O.

chDB opens every connection as the user ``default``, and refuses CREATE USER. But it reads roles, profiles,
constraints and row policies from users.xml. So ``default`` holds two roles; each connection gives up all but one
of them, loads that role's constraints, and goes read-only for the analyst, which no statement can undo.

A server's list of what may be changed (``readonly`` 1 with ``changeable_in_readonly``) is an option that chDB
does not have. The same list is enforced the other way round: every other setting that the engine has is constant.
chDB lets every user read the tables of ``system``: a row policy empties all that are not on the list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from clickhouse_http.rights.limits import MAX_QUERY, MIB, Limits, ranges
from clickhouse_http.rights.policy import Policy
from clickhouse_http.rights.users import ANALYST, LOADER

#: A quarter of the server's defaults: this process shares a machine with the whole pipeline.
_INSERT_BLOCKS: Final = {
    "max_insert_block_size": 262_144,
    "min_insert_block_size_rows": 262_144,
    "min_insert_block_size_bytes": 64 * 1024 * 1024,
}
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
class Catalog:
    """The settings and system tables of this version of the engine."""

    settings: Mapping[str, str]  # an alias to its setting; every other setting to itself
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
    """A configuration for asking the engine what it has. Without one, chDB would look for a config.xml."""
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
    {_memory_profiles(limits, policy)}
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


def _memory_profiles(limits: Limits, policy: Policy) -> str:
    """One for each amount of memory: the engine takes a constraint only from a profile, and profiles only from
    here. The thresholds for going on on disk follow the memory, and cannot be changed."""
    return "".join(
        f"<analyst_{size}><profile>analyst</profile><constraints><max_memory_usage><min>1</min>"
        f"<max>{size * MIB}</max></max_memory_usage>{_exactly(policy.spill_thresholds(size * MIB))}</constraints>"
        f"</analyst_{size}>"
        for size in limits.sizes(ANALYST)
    )


def _exactly(values: Mapping[str, int]) -> str:
    return "".join(f"<{name}><min>{value}</min><max>{value}</max></{name}>" for name, value in values.items())


def memory_statements(role: str, memory_mib: int, policy: Policy) -> list[str]:
    """Statements that give the queries of a connection their memory. An analyst can lower it, but not raise it.

    A profile set by SET brings its constraints only; its values, readonly too, need a SET of their own.
    """
    memory = f"max_memory_usage = {memory_mib * MIB}"
    if role == LOADER:
        return [f"SET profile = '{role}'", f"SET {memory}"]
    spills = (f"{name} = {value}" for name, value in policy.spill_thresholds(memory_mib * MIB).items())
    return [f"SET profile = '{role}_{memory_mib}'", f"SET {', '.join((memory, *spills))}"]


def opening_statements(role: str, tag: str, limits: Limits, policy: Policy, memory_mib: int) -> list[str]:
    """Statements that make a new connection one of ``role``; ``tag`` finds its queries in system.processes."""
    common = {
        "log_comment": f"'{tag}'",
        # As on a server: chDB's own defaults are those of a command-line tool.
        "implicit_select": "0",
        "max_query_size": str(MAX_QUERY),
        "allow_introspection_functions": "0",
        "storage_file_read_method": "'pread'",
        **{name: str(value) for name, value in _INSERT_BLOCKS.items()},
        **(policy.values if role == ANALYST else {}),
        "max_execution_time": str(limits.seconds),
    }
    statements = [
        f"SET ROLE {role}",
        "SET " + ", ".join(f"{name} = {value}" for name, value in common.items()),
        *memory_statements(role, memory_mib, policy),
    ]
    return [*statements, f"SET {_READONLY} = 2"] if role == ANALYST else statements


def _analyst(limits: Limits, policy: Policy, catalog: Catalog) -> str:
    allowed = ranges(limits, policy)
    changeable = catalog.names_of([*allowed, *_FREE, *policy.spill_thresholds(0)])
    return _constant(catalog.settings.keys() - changeable) + "".join(
        f"<{name}>{_bound('min', each.min)}{_bound('max', each.max)}</{name}>" for name, each in allowed.items()
    )


def _constant(names: Iterable[str]) -> str:
    return "".join(f"<{name}><const/></{name}>" for name in sorted(names))


def _bound(tag: str, value: str | None) -> str:
    return "" if value is None else f"<{tag}>{escape(value)}</{tag}>"
