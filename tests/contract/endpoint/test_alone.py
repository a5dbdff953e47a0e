"""The package without the project: a JSON file, a folder of Parquet files, and nothing else to import."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from clickhouse_http import EndpointConfig, EndpointError, start
from devstack.embedded.clickhouse import USERS_XML, endpoint_config
from devstack.embedded.redis import free_port
from firehose.settings import Settings
from ingester.contract.settings import PREFIX
from tests.support.endpoint import ANALYST, LOADER

#: Runs the module where an import of any other package of the project fails.
ALONE = """
import runpy, sys
sys.modules.update(dict.fromkeys(("firehose", "firehose_cli", "devstack", "ingester", "jetstream_simulator")))
runpy.run_module("clickhouse_http", run_name="__main__", alter_sys=True)
"""


@pytest.fixture
def fields(tmp_path: Path, lake: Path) -> dict[str, object]:
    """A configuration as one writes it: paths relative to the working folder."""
    shutil.copytree(lake, tmp_path / "parquet")
    shutil.copy(USERS_XML, tmp_path / "users.xml")
    return {
        **{"folder": "data", "lake": "parquet", "rights": "users.xml"},
        **{"loader_password": LOADER[1], "analyst_password": ANALYST[1]},
        "url": f"http://127.0.0.1:{free_port()}",
    }


def command(argument: str) -> list[str]:
    return [sys.executable, "-c", ALONE, argument]


@contextmanager
def alone(folder: Path, fields: dict[str, object]) -> Iterator[str]:
    (folder / "config.json").write_text(json.dumps(fields))
    with subprocess.Popen(command("config.json"), cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == f"listening on {fields['url']}\n"
            yield str(fields["url"])
        finally:
            process.terminate()
        assert process.wait(30) == 0


def ask(url: str, query: str, user: tuple[str, str]) -> str:
    answer = httpx.post(url, content=query, auth=user, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.text.strip()


def test_it_serves_a_folder_of_parquet_files(tmp_path: Path, fields: dict[str, object]) -> None:
    with alone(tmp_path, fields) as url:
        ask(url, "CREATE DATABASE firehose", LOADER)
        view = "CREATE VIEW firehose.likes DEFINER = CURRENT_USER SQL SECURITY DEFINER AS "
        ask(url, f"{view} SELECT * FROM file('{tmp_path}/parquet/**/*.parquet', 'Parquet')", LOADER)
        assert ask(url, "SELECT count() FROM likes", ANALYST) == "2"
        refused = httpx.post(url, content=f"SELECT * FROM file('{tmp_path}/users.xml', 'Raw')", auth=ANALYST)
        assert refused.headers["x-clickhouse-exception-code"] == "497"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"port": 8123}, "config.json: Object contains unknown field `port`"),
        ({"folder": 5}, "config.json: "),
        ({"sandbox": "maybe"}, "config.json: Invalid enum value 'maybe' - at `$.sandbox`"),
        ({"query_memory_mib": 1}, "config.json: Expected `int` >= 64 - at `$.query_memory_mib`"),
        ({"url": "http://192.0.2.1:8123"}, "url: the embedded endpoint speaks plain http"),
        (
            {"analyst_password": ""},
            "analyst_password is not set; choose a password for",
        ),
        ({"analyst": "loader"}, "both users are called 'loader'; give them different names"),
        ({"rights": "none.xml"}, "the rights of ClickHouse's users cannot be read from "),
        ({"folder": "/proc/data"}, "/proc/data: No such file or directory; name another place"),
    ],
)
def test_what_it_cannot_do_is_one_line(
    tmp_path: Path, fields: dict[str, object], changed: dict[str, object], said: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(fields | changed))
    refuses(tmp_path, "config.json", f"clickhouse_http: {said}")


@pytest.mark.parametrize("text", ["", "{}", "[]", "{'folder'}"])
def test_a_file_that_is_not_a_configuration_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    refuses(tmp_path, "config.json", "clickhouse_http: config.json: ")


@pytest.mark.parametrize(
    ("argument", "said"), [("none", "clickhouse_http: none: No such file"), ("--help", "usage: python")]
)
def test_without_a_configuration_it_says_how_it_is_used(tmp_path: Path, argument: str, said: str) -> None:
    refuses(tmp_path, argument, said)


def refuses(folder: Path, argument: str, said: str) -> None:
    done = subprocess.run(command(argument), cwd=folder, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    assert done.stderr.startswith(said)


def config(tmp_path: Path, **changed: object) -> EndpointConfig:
    values: dict[str, object] = {"folder": tmp_path / "data", "lake": tmp_path / "lake", "rights": USERS_XML}
    values |= {"loader_password": LOADER[1], "analyst_password": ANALYST[1]}
    return EndpointConfig(**(values | {"url": f"http://127.0.0.1:{free_port()}"} | changed))  # type: ignore[arg-type]


def test_a_child_shows_no_password(tmp_path: Path) -> None:
    made = config(tmp_path)
    assert LOADER[1] not in repr(made)
    with start(made, tmp_path / "log") as running:
        assert ask(running.url, "SELECT 1", LOADER) == "1"
        for shown in ("cmdline", "environ"):
            assert LOADER[1].encode() not in Path(f"/proc/{running.pid}/{shown}").read_bytes()


def test_a_child_that_does_not_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(EndpointError, match="file/data: Not a directory"),
        start(config(tmp_path, folder=tmp_path / "file" / "data"), tmp_path / "log"),
    ):
        pytest.fail("it started")


def test_every_field_is_a_setting_of_the_project() -> None:
    names = endpoint_config(Settings()).names
    assert set(EndpointConfig.__struct_fields__) - set(names) == {"rights", "program", "names", "smaller"}
    assert {name.removeprefix(PREFIX).lower() for name in names.values()} <= set(Settings.__struct_fields__)


@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv")
def test_started_with_the_lowest_priority_it_answers(tmp_path: Path, fields: dict[str, object]) -> None:
    """Only root may raise a priority, and a server in a container is not root."""
    config = EndpointConfig(
        folder=tmp_path / "data",
        lake=tmp_path / "parquet",
        rights=USERS_XML,
        loader_password=LOADER[1],
        analyst_password=ANALYST[1],
        url=str(fields["url"]),
    )
    without_rights = ["setpriv", "--bounding-set=-sys_nice", "nice", "-n", "19"]
    with start(config, tmp_path / "log", lambda command: [*without_rights, *command]) as endpoint:
        assert ask(endpoint.url, "SELECT 1", LOADER).strip() == "1"
