"""A cluster: what becomes of each statement, accepted by the engine, and run as far as one process can.

One process without Keeper can write no replicated table, and refuses ON CLUSTER. So definitions are parsed, those
of tables are made in an engine that has a Keeper for tests, and a refresh, which sends no ON CLUSTER, runs whole.
"""

from __future__ import annotations

import re
import subprocess
import sys
import uuid
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from firehose.errors import FirehoseError
from firehose.settings import Settings
from firehose.warehouse.client import connect
from firehose.warehouse.cluster import OnCluster, on_cluster
from firehose.warehouse.migrate import migrate, read_migrations, sql
from firehose.warehouse.sql import SQL_FOLDER
from firehose.warehouse.summaries import refresh
from tests.integration.warehouse.gaps import gap, write
from tests.integration.warehouse.lakes import TABLES, LakeBuilder, at

REPLICA = "'/clickhouse/tables/{uuid}', '{shard}-{replica}'"
#: Makes tables in an engine with a Keeper in memory, which knows neither ON CLUSTER nor writes.
MAKE = """
import os, sys, chdb
connected = chdb.connect(f"file:{sys.argv[1]}/data?config-file={sys.argv[1]}/config.xml")
for statement in ["CREATE DATABASE ops", "CREATE DATABASE firehose", *sys.stdin.read().split(";;")]:
    connected.query(statement)
print(connected.query("SELECT engine, count() FROM system.tables WHERE engine LIKE 'Repl%' GROUP BY 1", "TSV"))
sys.stdout.flush()
os._exit(0)
"""
CONFIG = """<clickhouse><zookeeper><implementation>testkeeper</implementation></zookeeper>
<macros><shard>1</shard><replica>a</replica></macros></clickhouse>"""


@pytest.fixture
def clustered(settings: Settings) -> Settings:
    """Settings of a cluster whose lake is in a bucket."""
    return msgspec.structs.replace(settings, clickhouse_cluster="three", clickhouse_lake="s3://bucket/lake")


@pytest.fixture
def planned(empty: Client, clustered: Settings) -> list[str]:
    """Everything that the first migration of a cluster sends."""
    return sql(connect(clustered), clustered)


def test_every_definition_goes_to_all_servers_and_is_sql(empty: Client, planned: list[str]) -> None:
    for statement in planned:
        (form,) = empty.query("SELECT formatQuery({s:String})", parameters={"s": statement}).first_row or [""]
        assert form == statement.replace("`loader`", "loader"), "the engine reads it as it was written"
        head = statement.splitlines()[0]
        local = re.match(r"INSERT INTO|ALTER TABLE|TRUNCATE TABLE", head)
        assert ("ON CLUSTER three" in head) != bool(local), head
        assert "DEFINER = CURRENT_USER" not in statement
    engines = re.findall(r"^ENGINE = (.*)$", "\n".join(planned), re.MULTILINE)
    assert set(engines) == {
        f"ReplicatedMergeTree({REPLICA})",
        f"ReplicatedReplacingMergeTree({REPLICA}, loaded_at)",
        f"ReplicatedReplacingMergeTree({REPLICA})",
        f"ReplicatedSummingMergeTree({REPLICA}, events)",
        f"ReplicatedSummingMergeTree({REPLICA}, (made, undone))",
        f"ReplicatedAggregatingMergeTree({REPLICA})",
    }
    assert len(engines) == 1 + sum(
        "ENGINE = " in text for m in read_migrations(SQL_FOLDER / "migrations") for text in m.statements
    )


def test_servers_divide_the_files_of_a_bucket_among_them(planned: list[str]) -> None:
    (posts,) = [
        text for text in planned if text.startswith("CREATE OR REPLACE VIEW firehose.posts ON CLUSTER three\n")
    ]
    assert posts.count("FROM s3Cluster('three', 's3://bucket/lake/year=*/") == posts.count("s3://") > 0
    assert "DEFINER = `loader` SQL SECURITY DEFINER" in posts
    assert not any(re.search(r"\b(?:s3|file)\(", text) for text in planned)


def test_a_table_that_takes_anothers_place_is_made_after_that_is_gone(planned: list[str]) -> None:
    begins = [text.splitlines()[0] for text in planned if "gaps_renamed" in text.splitlines()[0]]
    assert begins == [
        "DROP TABLE IF EXISTS ops.gaps_renamed ON CLUSTER three SYNC",
        "CREATE TABLE ops.gaps_renamed ON CLUSTER three",
        "INSERT INTO ops.gaps_renamed (id, reason, host, protocol, type, start, end, filled, noted_at) SELECT",
        "EXCHANGE TABLES ops.gaps_renamed AND ops.gaps ON CLUSTER three",
        "DROP TABLE ops.gaps_renamed ON CLUSTER three SYNC",
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE ops.x (a UInt8) ENGINE = Log",
        "CREATE TABLE ops.x (a UInt8) ENGINE = MergeTree ORDER BY a; SELECT 1",
        "CREATE MATERIALIZED VIEW ops.x TO ops.y AS SELECT 1",
        "ALTER TABLE ops.x FREEZE",
        "ALTER TABLE ops.x ADD COLUMN a UInt8, MODIFY SETTING max_parts_in_total = 1",
        "RENAME TABLE ops.x TO ops.y",
        "DROP DATABASE ops",
        "OPTIMIZE TABLE ops.x FINAL",
        "SYSTEM SHUTDOWN",
    ],
)
def test_a_form_that_is_not_known_is_refused(connected: Client, statement: str) -> None:
    on = OnCluster(connected, "three", "loader")
    with pytest.raises(
        (FirehoseError, ClickHouseError), match=r"not known how to run this on a cluster|Syntax error"
    ):
        on.command(statement)


def test_names_in_texts_are_left_alone(connected: Client) -> None:
    comment = r"COMMENT 'CREATE TABLE ops.y\n(\nENGINE = MergeTree\n'"
    text = f"CREATE TABLE ops.x (`a` UInt8 {comment}) ENGINE = MergeTree ORDER BY a"
    (made,) = OnCluster(connected, "three", "loader").statements(text)
    assert comment in made
    assert made.count("Replicated") == made.count("ON CLUSTER") == 1


def test_the_engine_makes_the_replicated_tables(planned: list[str], tmp_path: Path) -> None:
    (tmp_path / "config.xml").write_text(CONFIG)
    tables = [text for text in planned if text.startswith("CREATE TABLE")]
    made = [
        re.sub(
            r"^CREATE TABLE (?:IF NOT EXISTS )?(\S+) ON CLUSTER three(?: AS \S+)?",
            rf"CREATE TABLE \1_{n} UUID '{uuid.uuid4()}'" + copied(text, tables),
            text,
        )
        for n, text in enumerate(tables)
    ]
    command = [sys.executable, "-c", MAKE, str(tmp_path)]
    done = subprocess.run(command, input=";;".join(made), capture_output=True, text=True, timeout=60, check=False)
    counts = dict(line.split("\t") for line in done.stdout.split("\n") if "\t" in line)
    wanted = Counter(re.findall(r"^ENGINE = (Replicated\w+)", "\n".join(tables), re.MULTILINE))
    assert counts == {engine: str(count) for engine, count in wanted.items()}, done.stderr
    assert len(tables) == wanted.total()


def copied(text: str, tables: list[str]) -> str:
    """The clause that takes over the columns of another of these tables, under the name that it has here."""
    source = re.match(r"\S+ \S+ (?:IF NOT EXISTS )?\S+ ON CLUSTER three AS (\S+)", text)
    if source is None:
        return ""
    number = next(
        n for n, other in enumerate(tables) if re.match(rf"CREATE TABLE .*{source[1]} ON CLUSTER", other)
    )
    return f" AS {source[1]}_{number}"


class Recording:
    """A client that notes the commands it sends."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.sent: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def command(self, cmd: str, *arguments: Any, **more: Any) -> Any:
        self.sent.append(cmd)
        return self.client.command(cmd, *arguments, **more)


def contents(client: Client) -> list[list[Any]]:
    """All rows of the summaries and of what says which batches are loaded."""
    tables = [*TABLES, "ops.gaps"]
    columns = {"ops.account_states_by_hour": "* EXCEPT state"}
    return [client.query(f"SELECT {columns.get(t, '*')} FROM {t} ORDER BY ALL").result_rows for t in tables]  # type: ignore[misc]


def test_a_refresh_of_a_cluster_asks_one_server_and_gives_the_same(
    client: Client, settings: Settings, small_lake: LakeBuilder
) -> None:
    write(small_lake, at(20, 55), gap(at(20), 5))
    refresh(settings)
    alone = contents(client)
    for table in (*TABLES, "ops.batches", "ops.gaps", "ops.hours"):
        client.command(f"TRUNCATE TABLE {table}")
    refresh(msgspec.structs.replace(settings, clickhouse_cluster="three"))
    assert contents(client) == alone


def test_a_loaders_statements_stay_on_its_server(client: Client, settings: Settings) -> None:
    recording = Recording(client)
    on = OnCluster(cast(Client, recording), "three", "loader")
    on.command("CREATE OR REPLACE TABLE ops.staging_hashtags_by_hour AS firehose.hashtags_by_hour")
    on.command("ALTER TABLE firehose.hashtags_by_hour DROP PARTITION {day:Date}", parameters={"day": at(0).date()})
    on.command("DROP TABLE ops.staging_hashtags_by_hour")
    assert not any("ON CLUSTER" in sent for sent in recording.sent)
    assert recording.sent[0].endswith(
        "AS firehose.hashtags_by_hour ENGINE = MergeTree PARTITION BY day ORDER BY (hour, tag)"
        " SETTINGS index_granularity = 8192"
    )


def test_the_staging_of_a_replicated_table_is_not_replicated() -> None:
    class Answers:
        def query(self, query: str, parameters: dict[str, str]) -> Any:
            engine = f"ReplicatedReplacingMergeTree({REPLICA}, loaded_at) ORDER BY batch"
            return SimpleNamespace(result_rows=[(parameters.get("sql", engine),)])

    made = OnCluster(cast(Client, Answers()), "three", "loader").statements(
        "CREATE OR REPLACE TABLE ops.staging_x AS ops.batches"
    )
    assert made == [
        "CREATE OR REPLACE TABLE ops.staging_x AS ops.batches"
        " ENGINE = ReplacingMergeTree(loaded_at) ORDER BY batch"
    ]


def test_one_server_is_sent_what_was_written(client: Client, settings: Settings) -> None:
    assert migrate(client, settings, dry_run=True) == ((), ())
    assert on_cluster("SELECT 1", "three", "loader") == ["SELECT 1"]
