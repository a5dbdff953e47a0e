"""The cookbook's answers once more: computed by DuckDB from the lake's files, in another way than the views do.

State is found by ranking revisions, never by argMax; shares, spans and trees are built independently. The SQL is
in the folder answers: what all need in prepare.sql, and a file for each recipe. Nothing there reads a view of
ClickHouse. Only the table ``received`` has the records that a resync sent again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import duckdb

from firehose import schema

FOLDER: Final = Path(__file__).parent / "answers"
_COMMIT: Final = """
CREATE VIEW {name} AS SELECT *, make_timestamp(time_us) AS moment, make_timestamp(time_us)::DATE AS day,
    'at://' || did || '/{collection}/' || rkey AS uri FROM read_parquet('{files}', hive_partitioning = false)
    WHERE NOT resync;
CREATE VIEW {name}_last AS FROM {name} QUALIFY row_number() OVER (PARTITION BY did, rkey ORDER BY rev DESC) = 1;
"""
_EVENT: Final = """
CREATE VIEW {name} AS SELECT *, make_timestamp(time_us) AS moment, make_timestamp(time_us)::DATE AS day
    FROM read_parquet('{files}', hive_partitioning = false);
"""
# Every row of the lake, that of a resync as its own operation.
_RECEIVED: Final = """
CREATE TABLE received AS SELECT regexp_extract(filename, '([a-z]+)[.]parquet$', 1) AS type, did,
    make_timestamp(time_us) AS moment, make_timestamp(time_us)::DATE AS day,
    if(coalesce(resync, false), 'resync', coalesce(operation, '')) AS operation
FROM read_parquet('{files}', hive_partitioning = false, filename = true, union_by_name = true);
"""


def connected(lake: Path) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB with a view of each type's files, and the tables of prepare.sql made from them."""
    duck = duckdb.connect()
    duck.execute(f"SET VARIABLE lake = '{lake}'")
    parts = []
    for name in schema.EVENT_TYPES:
        files = f"{lake}/year=*/month=*/day=*/hour=*/{name}.parquet"
        is_commit = name in schema.COMMIT_TYPES
        fixed = schema.COLLECTIONS.get(name)
        statements = (_COMMIT if is_commit else _EVENT).format(name=name, files=files, collection=fixed)
        duck.execute(statements)
        collection = f"'{fixed}'" if fixed else "collection" if is_commit else "''"
        columns = f"{'operation' if is_commit else repr('')} AS operation, {collection} AS collection"
        uri = f"'at://' || did || '/' || {collection} || '/' || rkey" if is_commit else "''"
        parts.append(f"SELECT '{name}' AS type, did, time_us, moment, day, {columns}, {uri} AS uri FROM {name}")
    duck.execute(f"CREATE TABLE everything AS {' UNION ALL '.join(parts)}")
    duck.execute(_RECEIVED.format(files=f"{lake}/year=*/month=*/day=*/hour=*/*.parquet"))
    duck.execute((FOLDER / "prepare.sql").read_text(encoding="utf-8"))
    return duck


def answer(duck: duckdb.DuckDBPyConnection, name: str) -> list[tuple[Any, ...]]:
    """The rows that the recipe ``name`` has to return."""
    return duck.execute((FOLDER / f"{name}.sql").read_text(encoding="utf-8")).fetchall()
