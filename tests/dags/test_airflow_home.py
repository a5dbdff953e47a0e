"""The embedded Airflow's home: private, kept from start to start, and made of options that exist."""

from __future__ import annotations

import configparser
import importlib.util
import os
import resource
from pathlib import Path

import pytest
import yaml

from devstack.embedded import airflow
from firehose.errors import FirehoseError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(airflow_home: dict[str, str]) -> Path:
    return Path(airflow_home["AIRFLOW_HOME"])


def test_secrets_are_for_the_owner_only(home: Path) -> None:
    for name in ("airflow.cfg", "simple_auth_manager_passwords.json"):
        assert (home / name).stat().st_mode & 0o777 == 0o600, name
    assert len(airflow.password(home)) >= 16


def test_a_second_start_keeps_the_secrets_and_costs_nothing(home: Path, airflow_home: dict[str, str]) -> None:
    config, password = (home / "airflow.cfg").read_text(), airflow.password(home)
    database = (home / "airflow.db").stat().st_mtime_ns
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    # A variable of the caller's would override the file.
    stray = airflow_home | {"AIRFLOW__CORE__EXECUTOR": "NoSuchExecutor"}
    again = airflow.prepare_airflow_home(home, ROOT / "dags", ROOT / "plugins", stray)
    assert resource.getrusage(resource.RUSAGE_CHILDREN) == spent, "Airflow's own command takes seconds"
    # The tests' environment has such variables itself (conftest): those are dropped as the stray one is.
    assert again == {name: value for name, value in airflow_home.items() if not name.startswith("AIRFLOW__")}
    assert ((home / "airflow.cfg").read_text(), airflow.password(home)) == (config, password)
    assert (home / "airflow.db").stat().st_mtime_ns == database


def test_every_option_exists(home: Path) -> None:
    found = importlib.util.find_spec("airflow")
    assert found is not None
    assert found.submodule_search_locations
    folder = Path(found.submodule_search_locations[0])
    known = yaml.safe_load((folder / "config_templates" / "config.yml").read_text())
    config = configparser.ConfigParser(interpolation=None)
    config.read(home / "airflow.cfg")
    assert config.sections()
    for section in config.sections():
        assert set(config[section]) <= set(known[section]["options"]), section


def test_each_home_has_secrets_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow, "_initialise", lambda *_: None)  # the database is not what this is about
    for name in ("a", "b%c"):
        airflow.prepare_airflow_home(tmp_path / name, ROOT / "dags", ROOT / "plugins", {})
    one, two = (configparser.ConfigParser(interpolation=None) for _ in range(2))
    one.read(tmp_path / "a" / "airflow.cfg")
    two.read(tmp_path / "b%c" / "airflow.cfg")
    for section, option in (("core", "fernet_key"), ("api", "secret_key"), ("api_auth", "jwt_secret")):
        assert one[section][option] != two[section][option]
    assert two["database"]["sql_alchemy_conn"] == f"sqlite:///{tmp_path}/b%%25c/airflow.db"


def test_an_airflow_that_cannot_make_its_database_says_where_to_look(tmp_path: Path) -> None:
    (tmp_path / "airflow.db").mkdir()
    with pytest.raises(FirehoseError, match=r"airflow db migrate failed with \d+; see .*initialise.log"):
        airflow.prepare_airflow_home(tmp_path, ROOT / "dags", ROOT / "plugins", os.environ)
