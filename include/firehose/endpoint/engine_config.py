"""The engine's configuration files: its users' rights and limits, which the engine itself enforces.

Lives here: config.xml and users.xml as text, and the statements that turn a new connection into a user's.
Must not: passwords (they never reach the engine), I/O.

chDB opens every connection as the user ``default``, and refuses CREATE USER. But it reads roles, profiles and
constraints from users.xml. So ``default`` holds two roles; each connection gives up all but one of them, loads
that role's constraints, and goes read-only for the analyst, which the engine lets no statement undo.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

#: Settings that read or write files, reach the network, escape the limits, or hold SQL that the endpoint's look
#: at the syntax tree would not see: fixed for the analyst.
_FIXED: Final = (
    "additional_result_filter",
    "additional_table_filters",
    "parallel_replicas_custom_key",
    "allow_experimental_eval_table_function",
    "dialect",
    "format_avro_schema_registry_url",
    "format_schema",
    "format_schema_message_name",
    "format_schema_source",
    "format_template_resultset",
    "format_template_row",
    "format_template_row_format",
    "format_template_resultset_format",
    "input_format_record_errors_file_path",
    "log_comment",
    "max_untracked_memory",
    "memory_tracker_fault_probability",
    "timeout_overflow_mode",
)
#: A quarter of the server's defaults: this process shares a machine with the whole pipeline.
_INSERT_BLOCKS: Final = {
    "max_insert_block_size": 262_144,
    "min_insert_block_size_rows": 262_144,
    "min_insert_block_size_bytes": 64 * 1024 * 1024,
}
_ANALYST_GRANTS: Final = "SELECT, SHOW, dictGet, CREATE TEMPORARY TABLE"
MIB: Final = 1024 * 1024
LOADER: Final = "loader"
_ANALYST: Final = "analyst"


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


def config_xml(users_path: str) -> str:
    """The engine's main configuration."""
    return (
        "<clickhouse>\n"
        f"  <user_directories><users_xml><path>{escape(users_path)}</path></users_xml></user_directories>\n"
        "</clickhouse>\n"
    )


def users_xml(limits: Limits) -> str:
    """Roles, profiles and constraints. Neither user can switch to ``default``: that would unset readonly."""
    maxima = {
        # Of no use to a query: its connection has a profile with the memory that it was granted.
        "max_memory_usage": limits.sizes(_ANALYST)[0] * MIB,
        "max_execution_time": limits.seconds,
        "max_threads": 4 * (os.cpu_count() or 1),
    }
    constraints = "".join(
        f"<{name}><min>1</min><max>{value}</max></{name}>" for name, value in maxima.items()
    ) + "".join(f"<{name}><const/></{name}>" for name in _FIXED)
    return f"""<clickhouse>
  <profiles>
    <default><readonly>0</readonly><allow_python_table_function>0</allow_python_table_function></default>
    <loader><readonly>0</readonly></loader>
    <analyst><readonly>2</readonly><constraints>{constraints}</constraints></analyst>
    {_memory_profiles(limits)}
  </profiles>
  <roles>
    <loader><grants><query>GRANT ALL ON *.*</query></grants></loader>
    <analyst><grants><query>GRANT {_ANALYST_GRANTS} ON *.*</query></grants></analyst>
  </roles>
  <users>
    <default>
      <password></password>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants><query>GRANT loader</query><query>GRANT analyst</query></grants>
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


def opening_statements(role: str, tag: str, limits: Limits, memory_mib: int) -> list[str]:
    """What makes a new connection one of ``role``; ``tag`` finds its queries in system.processes."""
    common = {
        "log_comment": f"'{tag}'",
        # As on a server: chDB's own defaults are those of a command-line tool.
        "implicit_select": "0",
        "allow_introspection_functions": "0",
        "storage_file_read_method": "'pread'",
        **{name: str(value) for name, value in _INSERT_BLOCKS.items()},
        "max_execution_time": str(limits.seconds),
    }
    statements = [
        f"SET ROLE {role}",
        "SET " + ", ".join(f"{name} = {value}" for name, value in common.items()),
        *memory_statements(role, memory_mib),
    ]
    return [*statements, "SET readonly = 2"] if role == _ANALYST else statements
