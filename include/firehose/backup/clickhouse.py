"""ClickHouse's part of a set: the rows of each table by partition, in the format Native, over HTTP.

Tables, not ClickHouse's own BACKUP: that writes where the server may write, and the embedded one may not. They are
copied although the lake can give them again, since they outlive hours that have expired. ``ops.batches`` is read
first: what it says is loaded is in the tables that are read after it, which may hold more. Views and
other definitions are the migrations'. Must not: know what is in a table.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Final

import zstandard
from clickhouse_connect.driver.client import Client

from firehose.backup.objects import File, compressed
from firehose.backup.sets import Backup, Group
from firehose.errors import FirehoseError
from firehose.settings import Settings
from firehose.warehouse import event_tables
from firehose.warehouse.migrate import migrate
from firehose.warehouse.plan import KEYS, SEEN, SUMMARIES
from firehose.warehouse.sql import SQL_FOLDER

PART: Final = "clickhouse"
_LOADED: Final = "ops.batches"
TABLES: Final = (
    _LOADED,
    *(summary.table for summary in (*SUMMARIES, KEYS, SEEN)),
    *event_tables.TABLES,
    "ops.gaps",
    "ops.hours",
)
_MIGRATIONS: Final = SQL_FOLDER / "migrations"
_READ_BYTES: Final = 1024 * 1024
_PARTITIONS: Final = """
SELECT partition_id, arrayStringConcat(arraySort(groupArray(concat(name, '-', hash_of_all_files))), ' ')
FROM system.parts WHERE active AND database = {database:String} AND table = {table:String}
GROUP BY partition_id ORDER BY partition_id"""


def copy(client: Client, backup: Backup, earlier: dict[str, Group]) -> dict[str, Group]:
    """Copy the tables that are there; partitions that did not change are taken from an earlier set.

    Raises:
        ClickHouseError: of the driver.
    """
    return {
        table: _copy_table(client, backup, table, earlier.get(table))
        for table in TABLES
        if client.command(f"EXISTS TABLE {table}")
    }


def migrations_of(client: Client) -> int:
    """How many migrations were applied."""
    if not client.command("EXISTS TABLE ops.migrations"):
        return 0
    return int(str(client.command("SELECT uniqExact(number) FROM ops.migrations")))


def _copy_table(client: Client, backup: Backup, table: str, earlier: Group | None) -> Group:
    database, name = table.split(".")
    found = client.query(_PARTITIONS, parameters={"database": database, "table": name}).result_rows
    stamps = {str(partition): str(stamp) for partition, stamp in found}
    whole = hashlib.sha256(repr(stamps).encode()).hexdigest()
    if earlier and earlier.stamp == whole:
        return earlier
    known = {file.key: file for file in backup.files(earlier)} if earlier else {}
    files = []
    for partition, stamp in stamps.items():
        before = known.get(partition)
        same = before is not None and before.stamp == stamp
        files.append(before if before and same else _copy_partition(client, backup, table, partition, stamp))
    return backup.group(files, whole)


def _copy_partition(client: Client, backup: Backup, table: str, partition: str, stamp: str) -> File:
    select = f"SELECT * FROM {table} WHERE _partition_id = {{partition:String}}"
    with client.raw_stream(select, parameters={"partition": partition}, fmt="Native") as stream:
        return backup.objects.put_file(partition, compressed(iter(lambda: stream.read(_READ_BYTES), b"")), stamp)


def _rows(backup: Backup, file: File) -> Generator[bytes]:
    with zstandard.ZstdDecompressor().stream_reader(backup.objects.stream(file)) as stream:
        while part := stream.read(_READ_BYTES):
            yield part


def refuse_used(client: Client) -> None:
    """See that a ClickHouse holds nothing of the project.

    Raises:
        FirehoseError: it does.
    """
    for table in TABLES:
        if client.command(f"EXISTS TABLE {table}") and client.command(f"SELECT count() FROM {table}"):
            raise FirehoseError(
                f"ClickHouse holds rows in {table} already: a restore needs one without data of the pipeline. "
                "Nothing was changed"
            )


def load(client: Client, settings: Settings, backup: Backup, groups: dict[str, Group], migrations: int) -> None:
    """Bring a ClickHouse to the schema of the set, put the tables' rows in, then bring it to today's schema.

    What an unfinished restore has put there is replaced.

    Raises:
        FirehoseError: a later version made the set.
        CorruptBackup: the copy is damaged.
        ClickHouseError: of the driver.
    """
    paths = sorted(_MIGRATIONS.glob("*.sql"))
    if migrations > len(paths):
        raise FirehoseError(f"the set has {migrations} migrations of ClickHouse, this version {len(paths)}")
    if migrations_of(client) < migrations:
        with tempfile.TemporaryDirectory(prefix="firehose-restore-") as folder:
            for path in paths[:migrations]:
                shutil.copy(path, folder)
            migrate(client, settings, folder=Path(folder))
    for table, group in groups.items():
        client.command(f"TRUNCATE TABLE {table}")
        for file in backup.files(group):
            client.raw_insert(table, insert_block=_rows(backup, file), fmt="Native")
    migrate(client, settings)
    event_tables.doubt(client)
