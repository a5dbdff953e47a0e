"""Statements for one server, made right for a cluster on which every server has every table.

Lives here: the forms that the pipeline's statements have, each with what becomes of it, and the client that sends
them. A form that is not known is refused. Must not: decide what to run (migrate.py, summaries.py).

Tables are replicated by all servers, of whichever shard. Definitions are sent to all of them; ALTER, TRUNCATE and
INSERT go to one, and the engine brings them to the others. Tables ``ops.staging_…`` are that one server's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from firehose.errors import FirehoseError

#: Of the loader. Two equal inserts are two inserts: what was emptied is filled again with the same rows.
SETTINGS: Final = {"insert_deduplicate": 0}
# One path for the replicas of all shards. Its UUID is the table's: names may be exchanged, and made again.
_REPLICA: Final = "'/clickhouse/tables/{uuid}', '{shard}-{replica}'"
_STAGING: Final = r"ops\.staging_\w+"
_TABLE: Final = r"\w+\.\w+"
#: Commands of ALTER that a replicated table brings to all its replicas itself.
_REPLICATED: Final = frozenset(
    {
        *("ADD COLUMN", "COMMENT COLUMN", "DROP COLUMN", "MODIFY COLUMN", "RENAME COLUMN", "MODIFY COMMENT"),
        *("ADD INDEX", "DROP INDEX", "MATERIALIZE INDEX", "MATERIALIZE COLUMN"),
        *("ATTACH PARTITION", "DROP PARTITION", "REPLACE PARTITION", "DELETE WHERE"),
    }
)
_ELSEWHERE: Final = re.compile(
    rf"(?:INSERT INTO|TRUNCATE TABLE|SELECT|WITH|EXISTS)\s|DROP TABLE (?:IF EXISTS )?{_STAGING}$"
)
_DATABASE: Final = re.compile(r"CREATE DATABASE IF NOT EXISTS \w+$")
_CREATE: Final = re.compile(rf"(CREATE TABLE(?: IF NOT EXISTS)?|CREATE OR REPLACE TABLE) ({_TABLE})(?=\n\(| AS )")
_VIEW: Final = re.compile(rf"CREATE OR REPLACE VIEW {_TABLE}(?=\n)")
_ENGINE: Final = re.compile(r"^ENGINE = (\w*MergeTree)(?:\((.*)\))?$", re.MULTILINE)
_DEFINER: Final = re.compile(r"^DEFINER = CURRENT_USER ", re.MULTILINE)
_NAMES: Final = re.compile(rf"(?:DROP TABLE (?:IF EXISTS )?{_TABLE}|EXCHANGE TABLES {_TABLE} AND {_TABLE})$")
_ALTER: Final = re.compile(rf"ALTER TABLE {_TABLE}\n")
_ALTERED: Final = re.compile(r"^    \((\w+(?: \w+)?)", re.MULTILINE)
_COPY: Final = re.compile(rf"CREATE OR REPLACE TABLE ({_STAGING}) AS ({_TABLE})$")
_OF_REPLICAS: Final = re.compile(r"Replicated(\w*MergeTree)\('[^']*', '[^']*'(?:, )?(.*?)\)")


class OnCluster:
    """A client that makes each command right for ``cluster``, on which ``loader`` is the owner of views.

    Everything else is the client's.
    """

    def __init__(self, client: Client, cluster: str, loader: str) -> None:
        self._client = client
        self._cluster = cluster
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def command(self, cmd: str, *arguments: Any, **more: Any) -> Any:
        """Send what ``cmd`` is on the cluster; the answer is that of the last statement."""
        answer: Any = None
        for statement in self.statements(cmd):
            answer = self._client.command(statement, *arguments, **more)
        return answer

    def statements(self, cmd: str) -> list[str]:
        """What is sent for ``cmd``.

        Raises:
            FirehoseError: it has no form that is known.
        """
        ((form,),) = self._client.query("SELECT formatQuery({sql:String})", parameters={"sql": cmd}).result_rows
        if copied := _COPY.match(form):
            return [f"CREATE OR REPLACE TABLE {copied[1]} AS {copied[2]} ENGINE = {self._own_engine(copied[2])}"]
        return on_cluster(form, self._cluster, self._loader)

    def _own_engine(self, table: str) -> str:
        """The engine of a table with its keys, as it would be on one server."""
        database, _, name = table.partition(".")
        query = "SELECT engine_full FROM system.tables WHERE database = {database:String} AND name = {name:String}"
        rows = self._client.query(query, parameters={"database": database, "name": name}).result_rows
        if not rows:
            raise FirehoseError(f"ClickHouse has no table {table}: run firehose migrate")
        return _OF_REPLICAS.sub(r"\1(\2)", str(rows[0][0]))


def statements(client: Client, sql: str) -> list[str]:
    """What ``client`` sends for ``sql``."""
    return client.statements(sql) if isinstance(client, OnCluster) else [sql]


def on_cluster(form: str, cluster: str, loader: str) -> list[str]:
    """What becomes of a statement that the engine has formatted: there each clause begins a line.

    Raises:
        FirehoseError: it has no form that is known.
    """
    if _ELSEWHERE.match(form) or (_ALTER.match(form) and _REPLICATED.issuperset(_ALTERED.findall(form))):
        return [form]
    if _DATABASE.match(form) or _NAMES.match(form):
        return [f"{form} ON CLUSTER {cluster}" + " SYNC" * form.startswith("DROP")]
    if _VIEW.match(form):
        owned = _DEFINER.sub(f"DEFINER = `{loader}` ", form)
        return [_VIEW.sub(lambda head: f"{head[0]} ON CLUSTER {cluster}", owned, count=1)]
    if _CREATE.match(form) and len(_ENGINE.findall(form)) == 1:
        return [*_created(form, cluster)]
    head = " ".join(form.split())[:80]
    raise FirehoseError(f"not known how to run this on a cluster: {head} …; see docs/migrations.md, On a cluster")


def _created(form: str, cluster: str) -> Iterator[str]:
    """The statements that create a table; where it takes another's place, after that one is gone everywhere."""
    (verb, table), (engine, arguments) = _CREATE.findall(form)[0], _ENGINE.findall(form)[0]
    if verb == "CREATE OR REPLACE TABLE":
        yield f"DROP TABLE IF EXISTS {table} ON CLUSTER {cluster} SYNC"
        verb = "CREATE TABLE"
    replicated = f"ENGINE = Replicated{engine}({', '.join([_REPLICA, *([arguments] if arguments else [])])})"
    body = _ENGINE.sub(lambda _: replicated, form)
    yield _CREATE.sub(lambda _: f"{verb} {table} ON CLUSTER {cluster}", body, count=1)
