"""``firehose.open`` over hour files and over ClickHouse: equal to each other, and to what DuckDB reads."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import msgspec
import pandas as pd
import polars as pl
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import firehose
from firehose import schema
from firehose.client import IncompleteData
from firehose.dataset import METADATA, TYPES, Dataset, Selection
from firehose.dataset.asked import columns_of
from firehose.errors import FirehoseError, ServiceUnavailable
from firehose.settings import Settings
from firehose.warehouse.client import connect
from firehose.warehouse.migrate import migrate
from firehose.warehouse.summaries import refresh
from jetstream_simulator import generate
from tests.integration.warehouse.gaps import gap, publish, write
from tests.integration.warehouse.lakes import LakeBuilder, drop_databases
from tests.support.processes import runs
from tests.support.waiting import until

#: 3 February 2026, 04:10 to 06:26.
FIRST = datetime(2026, 2, 3, 4, tzinfo=UTC)
START_US = int(FIRST.timestamp()) * 1_000_000 + 600_000_000
HOURS = [FIRST + timedelta(hours=n) for n in range(3)]
END = FIRST + timedelta(hours=3)
#: Types of which there may be none among so few events.
RARE = {"lists", "starterpacks", "identities", "accounts"}
#: An independent reading of the same files: their own columns, and the sample by the words of the documentation.
BY_DUCKDB = """
    SELECT did, time_us, rkey, operation, text, ('0x' || substr(md5(did), 1, 8))::UBIGINT / 4294967296 AS sample,
        ('0x' || substr(md5(concat(did, '/app.bsky.feed.post/', rkey)), 1, 8))::UBIGINT / 4294967296 AS of_record
    FROM read_parquet('{lake}/year=*/month=*/day=*/hour=*/posts.parquet', union_by_name = true)
"""


class Home(NamedTuple):
    lake: LakeBuilder
    settings: Settings


@pytest.fixture(scope="module")
def home(engine: Settings) -> Iterator[Home]:
    """Three hours, the first of them closed; a gap of likes in the second; five minutes unaccounted for."""
    settings = msgspec.structs.replace(engine, lake=str(Path(engine.lake) / "dataset"))
    lake = LakeBuilder(settings.local_lake)
    events = map(msgspec.json.decode, generate.events(2500, seed=4, start_us=START_US, rate=0.3))
    written = lake.store(events)
    assert [*written] == HOURS
    publish(lake, FIRST, FIRST + timedelta(minutes=100))
    publish(lake, FIRST + timedelta(minutes=105), END)
    for hour, types in written.items():
        lake.publish(hour, {hour: types})
    lake.close(HOURS[:1])
    write(lake, HOURS[1], gap(HOURS[1] + timedelta(minutes=10), 10, queue="likes"))
    with connect(settings) as client:
        drop_databases(client)
        migrate(client, settings)
        refresh(settings)
        yield Home(lake, settings)
        drop_databases(client)


@pytest.fixture(scope="module")
def files(home: Home) -> Iterator[Dataset]:
    with firehose.open(home.lake.root) as dataset:
        yield dataset


@pytest.fixture(scope="module")
def server(home: Home) -> Iterator[Dataset]:
    url, password = home.settings.clickhouse_url, home.settings.clickhouse_analyst_password
    with firehose.open(url, password=password) as dataset:
        yield dataset


@pytest.fixture(autouse=True)
def _incomplete_is_known() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IncompleteData)
        yield


def rows(selection: Selection) -> list[dict[str, Any]]:
    """The rows in one order."""
    return sorted(selection.to_arrow().to_pylist(), key=repr)


def duck(home: Home, condition: str = "true") -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        asked = f"SELECT * FROM ({BY_DUCKDB.format(lake=home.lake.root)}) WHERE {condition}"
        return sorted(connection.execute(asked).fetchall(), key=repr)


def posts(selection: Selection) -> list[tuple[Any, ...]]:
    """As DuckDB gives them, without the record's number."""
    asked = selection.where(columns=["did", "time_us", "rkey", "operation", "text", "sample"])
    return sorted((tuple(row.values()) for row in asked.to_arrow().to_pylist()), key=repr)


@pytest.mark.parametrize("name", TYPES)
def test_files_and_clickhouse_give_equal_rows_of_the_declared_types(
    files: Dataset, server: Dataset, home: Home, name: str
) -> None:
    here, there = files.read(name), server.read(name)
    assert rows(here) == rows(there)
    assert here.schema.names == [column.name for column in columns_of(name)]
    assert here.schema.equals(there.schema)
    table = there.to_arrow()
    assert table.num_rows > 0 or name in RARE
    assert table.schema.equals(there.schema)
    if name in schema.TYPES:
        paths = sorted(home.lake.root.glob(f"year=*/month=*/day=*/hour=*/{name}.parquet"))
        assert table.num_rows == sum(pq.ParquetFile(path).metadata.num_rows for path in paths)


@pytest.mark.parametrize("of", ["files", "server"])
def test_rows_are_those_that_duckdb_reads(request: pytest.FixtureRequest, home: Home, of: str) -> None:
    dataset: Dataset = request.getfixturevalue(of)
    everything = [row[:6] for row in duck(home)]
    assert posts(dataset.posts) == everything
    since, until = FIRST + timedelta(minutes=35), FIRST + timedelta(minutes=130, seconds=1.5)
    bounds = [int(moment.timestamp() * 1_000_000) for moment in (since, until)]
    inside = duck(home, f"time_us >= {bounds[0]} AND time_us < {bounds[1]}")
    assert 0 < len(inside) < len(everything)
    assert posts(dataset.posts.where(since=since, until=until.isoformat())) == [row[:6] for row in inside]
    some = sorted({row[0] for row in everything})[::3]
    of_some = duck(home, f"did IN ({', '.join(map(repr, some))})")
    assert posts(dataset.read("posts", accounts=some)) == [row[:6] for row in of_some]
    assert posts(dataset.read("posts", accounts=[])) == []
    sampled = duck(home, "sample < 0.4")
    assert 0 < len(sampled) < len(everything)
    assert posts(dataset.read("posts", sample=0.4)) == [row[:6] for row in sampled]
    by_record = duck(home, "of_record < 0.4")
    assert by_record != sampled
    assert posts(dataset.read("posts", sample=0.4, sample_by="record")) == [row[:6] for row in by_record]


def test_every_form_has_all_rows_and_the_schemas_types(files: Dataset) -> None:
    likes = files.likes
    table, frame, polars = likes.to_arrow(), likes.to_pandas(), likes.to_polars()
    assert sum(batch.num_rows for batch in likes.batches()) == table.num_rows == len(frame) == len(polars) > 0
    assert polars.schema["witnessed_at"] == pl.Datetime("us", "UTC")
    assert frame["tid_us"].dtype == pd.Int64Dtype() and frame["resync"].dtype == pd.BooleanDtype()
    by_form = (table["time_us"].to_pylist(), frame["time_us"].tolist(), polars["time_us"].to_list())
    assert len({tuple(sorted(times)) for times in by_form}) == 1
    said = msgspec.json.decode(table.schema.metadata[METADATA.encode()])
    assert said == msgspec.json.decode(frame.attrs[METADATA])
    assert [gap["reason"] for gap in said["gaps"]] == ["late"]


@pytest.mark.parametrize("of", ["files", "server"])
def test_completeness_travels_with_what_is_read(request: pytest.FixtureRequest, home: Home, of: str) -> None:
    dataset: Dataset = request.getfixturevalue(of)
    with connect(home.settings) as client:
        asked = "SELECT hour_start, toString(type), share, seconds_missing, seconds_unaccounted, running"
        view = client.query(f"{asked} FROM firehose.completeness ORDER BY 1, 2", tz_mode="aware").result_rows
    found = dataset.events.completeness
    assert [tuple(row.values()) for row in found.hours.to_pylist()] == [tuple(row) for row in view]
    assert (found.begins, found.ends, found.complete) == (FIRST, END, False)
    first = dataset.likes.where(until=HOURS[1])
    assert first.completeness.complete and first.completeness.gaps.num_rows == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first.to_arrow()
    second = dataset.likes.where(since=HOURS[1], until=HOURS[2])
    with pytest.warns(
        IncompleteData, match=r"up to 0:15:00 \(h:mm:ss\) of likes, in hours from 2026-02-03 05:00 to"
    ) as told:
        second.to_pandas()
    assert [each.filename for each in told] == [__file__]
    with pytest.warns(IncompleteData, match="up to 0:05:00"):
        next(dataset.posts.batches())
    with pytest.warns(IncompleteData, match="ends after the newest batch does, at 2026-02-03 07:00 UTC"):
        dataset.posts.where(since=HOURS[2], until=date(2026, 2, 4)).to_arrow()


def test_a_batch_that_is_not_published_is_in_no_row_and_one_that_comes_meanwhile_neither(
    files: Dataset, server: Dataset, home: Home
) -> None:
    before = files.posts.where(since=HOURS[2])
    batches = before.batches()
    first = next(batches)
    path = home.lake.folder(HOURS[2]) / "posts.parquet"
    old = pq.ParquetFile(path).read()
    late = old.slice(0, 3).set_column(0, "batch", pa.array([END] * 3, old.schema.field("batch").type))
    late = late.set_column(late.schema.get_field_index("rkey"), "rkey", pa.array(["x", "y", "z"]))
    replaced = path.with_name("_new.part")
    pq.write_table(pa.concat_tables([old, late]), replaced)
    replaced.rename(path)
    assert first.num_rows + sum(batch.num_rows for batch in batches) == old.num_rows
    for dataset in (files, server):
        assert posts(dataset.posts.where(since=HOURS[2])) == posts(before)
    home.lake.publish(END, {HOURS[2]: ["posts"]})
    assert len(posts(files.posts.where(since=HOURS[2]))) == old.num_rows + 3
    assert len(before.to_arrow()) == old.num_rows
    pq.write_table(old, replaced)
    replaced.rename(path)
    for entry in (home.lake.root / "_ledger").glob(f"date=*/batch={END:%Y%m%dT%H%M%SZ}.json"):
        entry.unlink()
    assert files.posts.completeness.ends == END


def test_only_the_files_that_are_needed_are_opened(files: Dataset, home: Home) -> None:
    wrong = home.lake.folder(HOURS[0]) / "follows.parquet"
    content = wrong.read_bytes()
    wrong.write_bytes(b"PAR1 no Parquet PAR1")
    try:
        assert files.follows.where(since=HOURS[1]).to_arrow().num_rows > 0
        with pytest.raises(FirehoseError, match=r"^ClickHouse: Code \d+: .*follows\.parquet"):
            files.follows.to_arrow()
    finally:
        wrong.write_bytes(content)


def test_hours_of_a_replay_are_covered_by_their_minutes(home: Home, tmp_path: Path) -> None:
    lake = LakeBuilder(tmp_path)
    events = map(msgspec.json.decode, generate.events(60, seed=5, start_us=START_US, rate=0.1))
    written = lake.store(events)
    lake.publish(FIRST + timedelta(days=3), written)
    with firehose.open(tmp_path) as dataset:
        found = dataset.likes.completeness
        shares = {row["hour_start"]: row["share"] for row in found.hours.to_pylist()}
        # Ten minutes of events, which begin ten minutes into the hour.
        assert shares[FIRST] == pytest.approx(10 / 60, abs=2 / 60)


def test_errors_say_what_to_write(home: Home, tmp_path: Path, files: Dataset) -> None:
    url = home.settings.clickhouse_url
    for source, login, said in (
        (tmp_path / "nowhere", {}, "is not a lake"),
        ("s3://bucket/lake", {}, "through ClickHouse"),
        (tmp_path, {"password": "x"}, "user and password are of a ClickHouse"),
        (url, {"password": "wrong"}, "refuses user 'analyst': check FIREHOSE_CLICKHOUSE_ANALYST"),
    ):
        with pytest.raises(FirehoseError, match=said):
            firehose.open(source, **login)
    with pytest.raises(ServiceUnavailable, match="does not answer at"):
        firehose.open("http://127.0.0.1:9")
    with pytest.raises(AttributeError, match="'pots' is not a record type: posts, likes"):
        files.pots  # noqa: B018 - the attribute is what fails


def counts(home: Home, sql: str) -> dict[str, int]:
    """What DuckDB counts in the files of a type, which stand for ``{posts}`` and so on."""
    hours = f"{home.lake.root}/year=*/month=*/day=*/hour=*"
    files = {name: f"read_parquet('{hours}/{name}.parquet', union_by_name = true)" for name in schema.TYPES}
    with duckdb.connect() as connection:
        return dict(connection.execute(sql.format(**files)).fetchall())


def notebook(name: str) -> Any:
    """The app of a notebook in docs/notebooks."""
    path = Path(__file__).parents[3] / "docs" / "notebooks" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.app


def drawn(chart: Any) -> str:
    """The chart as its library draws it, which checks it against its grammar."""
    return json.dumps(chart.to_dict())


def test_the_notebook_of_a_day_counts_what_duckdb_counts_and_shades_what_is_missing(home: Home) -> None:
    given = {"source": str(home.lake.root), "day_asked": None, "share": 1.0}
    _, made = notebook("a_day_on_bluesky").run(defs=given)
    with made["lake"]:
        assert str(made["day"]) == "2026-02-03"
        by_type = made["by_type"].groupby("type")["events"].sum()
        for name in ("posts", "likes", "follows"):
            assert by_type[name] == sum(counts(home, f"SELECT did, count(*) FROM {{{name}}} GROUP BY 1").values())
        tongues = "SELECT name, count(*) FROM (SELECT unnest(languages) AS name FROM {posts}) GROUP BY 1"
        assert made["by_language"].groupby("languages")["events"].sum().to_dict() == counts(home, tongues) != {}
        assert made["shaded"]["why"].tolist() == ["late", "unknown"]
        assert "2026-02-03T05:10:00" in drawn(made["activity"]) and "late" in drawn(made["rhythm"])
        assert drawn(made["languages"])


def test_the_notebook_of_a_post_follows_the_most_liked_one(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREHOSE_CLICKHOUSE_ANALYST_PASSWORD", home.settings.clickhouse_analyst_password)
    span = {"since": None, "until": None}
    given = {"source": home.settings.clickhouse_url, "uri_asked": None, "span": span}
    _, made = notebook("how_a_post_spreads").run(defs=given)
    with made["lake"]:
        likes = counts(home, "SELECT subject_uri, count(*) FROM {likes} WHERE subject_uri IS NOT NULL GROUP BY 1")
        assert likes[made["uri"]] == max(likes.values())
        engagement = made["engagement"]
        of_post = f"subject_uri = '{made['uri']}'"
        liked = counts(home, f"SELECT 'likes', count(*) FROM {{likes}} WHERE {of_post} AND operation = 'create'")
        assert engagement[engagement["kind"] == "likes"]["so_far"].tolist() == [*range(1, liked["likes"] + 1)]
        answers = f"SELECT 'all', count(*) FROM {{posts}} WHERE reply_root_uri = '{made['uri']}'"
        assert len(made["thread"]) == counts(home, answers)["all"]
        assert drawn(made["spreading"]) and drawn(made["depths"])


def test_the_engine_over_files_ends_with_its_reader_even_if_that_is_killed(home: Home, tmp_path: Path) -> None:
    code = (
        "import sys, time, firehose\n"
        "lake = firehose.open(sys.argv[1])\n"
        "print(lake.posts.completeness.complete, flush=True)\n"
        "time.sleep(600)\n"
    )
    command = [sys.executable, "-c", code, str(home.lake.root)]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as reader:
        try:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "False\n"
            (engine,) = psutil.Process(reader.pid).children()
            assert runs(engine)
        finally:
            reader.kill()
    until(lambda: not runs(engine), what="the end of the engine")
