"""The snippets of docs/other-tools.md, run as they are written on a simulated lake; and what the page says."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import clickhouse_connect
import duckdb
import msgspec
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import yaml
from clickhouse_connect.driver.client import Client

from firehose import schema
from firehose.areas import Area
from firehose.batch.interval import Batch
from firehose.events.envelope import Undecodable
from firehose.files import part_of
from firehose.lake.layout import hour_files
from firehose.quality.quarantine import Quarantine, quarantine_path
from firehose.settings import Settings
from firehose.store import LocalLake
from firehose.warehouse.client import connect
from firehose.warehouse.migrate import migrate
from firehose.warehouse.summaries import refresh
from jetstream_simulator import generate
from tests.fault.ingester.proxy import Proxy
from tests.integration.warehouse.lakes import LakeBuilder, drop_databases

PAGE = Path(__file__).parents[3] / "docs" / "other-tools.md"
PATH_COLUMNS = ["year", "month", "day", "hour"]
#: 3 February 2026, 04:10 to 06:26: zeros lead in every part of the path.
START_US = 1_770_091_800_000_000
#: A column that files of an earlier version lack.
LATER = "displayed_us"
#: What Grafana's plugin puts in the place of its macros, by its documentation.
MACROS = {
    r"\$__timeInterval\((\w+)\)": r"toStartOfInterval(\1, INTERVAL 60 second)",
    r"\$__timeFilter\((\w+)\)": r"\1 >= toDateTime(1770000000) AND \1 <= toDateTime(1771000000)",
}


class Snippet(NamedTuple):
    """A fenced block: the heading that it is under, its language, its text."""

    section: str
    language: str
    text: str


def snippets() -> Iterator[Snippet]:
    section = ""
    for heading, language, text in re.findall(
        r"^## ([^\n]+)$|^```(\w+)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL
    ):
        section = heading or section
        if language:
            yield Snippet(section, language, text)


def snippet(section: str, language: str = "python") -> str:
    (found,) = [one.text for one in snippets() if (one.section, one.language) == (section, language)]
    return found


class Home(NamedTuple):
    """The lake, and the settings with which its ClickHouse is asked."""

    lake: Path
    settings: Settings


@pytest.fixture(scope="module")
def home(engine: Settings) -> Iterator[Home]:
    """Three hours, of which the first was written by an earlier version; every other kind of file next to them."""
    settings = msgspec.structs.replace(engine, lake=str(Path(engine.lake) / "tools"))
    lake = LakeBuilder(settings.local_lake)
    events = map(msgspec.json.decode, generate.events(2000, seed=4, start_us=START_US, rate=0.245))
    written = lake.store(events)
    lake.publish(max(written), written)
    oldest = hour_files(LocalLake(lake.root), schema.POSTS)[0]
    pq.write_table(pq.ParquetFile(oldest).read().drop_columns([LATER]), oldest)
    part_of(oldest).write_bytes(b"PAR1 torn")
    batch = Batch.parse("20260203T040000Z", 300)
    with Quarantine(batch, LocalLake(quarantine_path(lake.root, batch))) as quarantine:
        quarantine.add_undecodable("posts", [Undecodable("no event", b"x")])
    for area in Area:
        area.of(lake.root).mkdir(exist_ok=True)
        (area.of(lake.root) / "some.json").write_text("{}")
    with connect(settings) as client:
        drop_databases(client)
        migrate(client, settings)
        refresh(settings)
        yield Home(lake.root, settings)
        drop_databases(client)


@pytest.fixture(autouse=True)
def at_home(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lake is where the snippets look for it."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp" / "bluesky_data").symlink_to(home.lake)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FIREHOSE_CLICKHOUSE_ANALYST_PASSWORD", home.settings.clickhouse_analyst_password)


def run(text: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    exec(compile(text, str(PAGE), "exec"), namespace)  # noqa: S102 - our own page
    return namespace


def test_each_snippet_has_its_test() -> None:
    assert [one[:2] for one in snippets()] == [
        *((section, "python") for section in ("pandas", "pyarrow", "polars")),
        ("DuckDB", "sql"),
        ("Spark", "python"),
        ("Iceberg", "sql"),
        ("Python, with this project", "python"),
        ("Notebooks", "python"),
        ("Grafana", "yaml"),
        ("Grafana", "sql"),
        ("From another machine", "sh"),
    ]


def by_pandas() -> pa.Table:
    return pa.Table.from_pandas(run(snippet("pandas"))["posts"])


def by_pyarrow() -> pa.Table:
    made = run(snippet("pyarrow"))
    assert made["morning"].column_names == ["did", "text", "hour"]
    return made["posts"].to_table()


def by_polars() -> pa.Table:
    made = run(snippet("polars"))
    assert made["by_language"]["len"].sum() > 0
    return made["posts"].collect().to_arrow()


def by_duckdb() -> pa.Table:
    with duckdb.connect() as connection:
        view, question, rest = snippet("DuckDB", "sql").split(";\n")
        assert not rest.strip()
        connection.execute(view)
        assert len(connection.execute(question).fetchall()) == 3
        return connection.sql("SELECT * FROM posts").to_arrow_table()


def by_spark() -> pa.Table:
    if not importlib.util.find_spec("pyspark") or not shutil.which("java"):
        pytest.skip("Spark is not installed: it needs pyspark and Java")
    made = run(snippet("Spark"))
    try:
        table: pa.Table = made["posts"].toArrow()
        return table
    finally:
        made["spark"].stop()


@pytest.mark.parametrize("read", [by_pandas, by_pyarrow, by_polars, by_duckdb, by_spark])
def test_every_tool_reads_one_type_with_integers_for_the_path(home: Home, read: Callable[[], pa.Table]) -> None:
    files = hour_files(LocalLake(home.lake), schema.POSTS)
    rows = {int(path.parent.name[-2:]): pq.ParquetFile(path).metadata.num_rows for path in files}
    table = read()
    assert {name: str(table.schema.field(name).type).startswith("int") for name in PATH_COLUMNS} == dict.fromkeys(
        PATH_COLUMNS, True
    )
    assert table.num_rows == sum(rows.values())
    assert dict(zip(*(table["hour"].value_counts().field(n).to_pylist() for n in (0, 1)), strict=True)) == rows
    assert set(table["year"].to_pylist()) == {2026}
    assert {*schema.SCHEMAS[schema.POSTS].names} == {*table.column_names} - {*PATH_COLUMNS}


def test_what_the_page_says_of_the_root_is_true(home: Home) -> None:
    paths = {kind: hour_files(LocalLake(home.lake), kind) for kind in schema.TYPES}
    rows = sum(pq.ParquetFile(path).metadata.num_rows for of_type in paths.values() for path in of_type)
    assert ds.dataset(home.lake, partitioning="hive").count_rows() == rows
    assert len(pd.read_parquet(home.lake)) == rows
    with duckdb.connect() as connection:
        hours = f"{home.lake}/year=*/month=*/day=*/hour=*/*.parquet"
        for path, found in ((str(home.lake), rows + 1), (hours, rows)):
            asked = connection.execute("SELECT count(*) FROM read_parquet($1, union_by_name = true)", [path])
            assert asked.fetchall() == [(found,)], path
    with pytest.raises(pl.exceptions.PolarsError, match="different file extensions"):
        pl.scan_parquet(home.lake).collect()


def test_the_views_have_integers_too(home: Home) -> None:
    with connect(home.settings, "analyst") as client:
        for view in (*schema.TYPES, "events"):
            types = client.query(f"SELECT year, month, day, hour FROM firehose.{view} LIMIT 0").column_types
            assert all(one.name.startswith("UInt") for one in types), view


def test_a_notebook_asks_clickhouse(home: Home) -> None:
    posts = run(snippet("Notebooks").replace("8123", str(port(home))))["posts"]
    assert 0 < len(posts) <= 1000
    assert all(pd.api.types.is_integer_dtype(posts[name]) for name in PATH_COLUMNS)


def test_grafana_finds_its_data_source_and_draws_its_panel(home: Home) -> None:
    (source,) = yaml.safe_load(os.path.expandvars(snippet("Grafana", "yaml")))["datasources"]
    given = source["jsonData"]
    assert (source["type"], given["protocol"], given["port"]) == ("grafana-clickhouse-datasource", "http", 8123)
    panel = snippet("Grafana", "sql")
    for macro, put_in in MACROS.items():
        panel = re.sub(macro, put_in, panel)
    with clickhouse_connect.get_client(
        host=given["host"],
        port=port(home),
        secure=given["secure"],
        username=given["username"],
        password=source["secureJsonData"]["password"],
        database=given["defaultDatabase"],
    ) as client:
        drawn = client.query(panel)
    assert drawn.column_names == ("time", "type", "events")
    assert sum(row[2] for row in drawn.result_rows) > 1900


def test_the_tunnel_leads_to_every_service(home: Home) -> None:
    command = snippet("From another machine", "sh").split()
    if ssh := shutil.which(command[0]):
        said = subprocess.run([ssh, "-G", *command[1:]], capture_output=True, text=True, check=True).stdout
        forwards = {f"localforward {n} [127.0.0.1]:{n}" for n in (8080, 8081, 8123)}
        assert forwards <= set(said.splitlines())
    ports = Settings().airflow_port, Settings().docs_port, int(Settings().clickhouse_url.rsplit(":", 1)[1])
    assert sorted(ports) == [8080, 8081, 8123]
    with Proxy(port(home)) as tunnel, _analyst(home, tunnel.port) as client:
        assert client.query("SELECT count() > 0 FROM firehose.posts").result_rows == [(1,)]


def _analyst(home: Home, at: int) -> Client:
    return clickhouse_connect.get_client(
        host="localhost", port=at, username="analyst", password=home.settings.clickhouse_analyst_password
    )


def port(home: Home) -> int:
    return int(home.settings.clickhouse_url.rsplit(":", 1)[1])
