"""For every test: a home of its own, a real Redis server with the project's configuration, and free ports."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, settings

from devstack.embedded import redis as embedded
from firehose.store.objects import fencing, locks
from ingester.contract.settings import DEFAULT_HOME
from tests.support import recorded
from tests.support.logins import copy_passwords
from tests.support.object_store import ENVIRONMENT, STORE, ObjectStore, object_store
from tests.support.workers import ByFile

_HOME = pytest.StashKey[str]()
# A slow machine fails no test.
settings.register_profile("untimed", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Leave the user's settings, passwords and running services alone.

    Every command reads ``<home>/firehose.env``, which ``make demo`` has written in the default home, and
    Airflow and Great Expectations keep files of their own in the home folder. It happens before a test
    module is imported, because some of them read the environment at that moment.
    """
    gc.disable()  # until all modules are there: little of what they make is garbage
    config.stash[_HOME] = home = tempfile.mkdtemp(prefix="firehose-tests-")
    for name in [name for name in os.environ if name.startswith(("FIREHOSE_", "AIRFLOW_"))]:
        del os.environ[name]
    os.environ["HOME"] = home


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile | None:
    """Under ``--dist loadfile``, keep tests of several files together where they share what starts slowly."""
    return ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test by its folder, so that ``-m unit`` or ``-m "not dags"`` chooses."""
    for item in items:
        item.add_marker(item.path.relative_to(config.rootpath / "tests").parts[0])


def pytest_collection_finish() -> None:
    """Leave what the modules have made out of garbage collections: it stays until the end."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove that home."""
    shutil.rmtree(config.stash[_HOME], ignore_errors=True)


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    """A command that a test runs in its own process keeps others out of files, also of those of later tests."""
    given = os.umask(0o022)
    os.umask(given)
    yield
    os.umask(given)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.RedisServer]:
    """One server for the whole session. A test that stops or fills Redis starts a server of its own."""
    with embedded.RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_url(redis_client: redis.Redis, redis_server: embedded.RedisServer, tmp_path: Path) -> str:
    """The URL of an empty Redis. ``tmp_path`` is a home with the passwords of its roles."""
    for home in (tmp_path, Path(DEFAULT_HOME).expanduser()):
        copy_passwords(redis_server, home)
    return redis_server.url


@pytest.fixture
def redis_client(redis_server: embedded.RedisServer) -> Iterator[redis.Redis]:
    """A client (bytes in, bytes out) of an empty Redis that may do everything."""
    with redis_server.client() as client:
        client.flushall()
        yield client


@pytest.fixture(params=recorded.SOURCES)
def recording(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> recorded.Recording:
    """Traffic in the forms in which it was recorded: synthetic, and real where the recordings are."""
    return recorded.recording(request.param, tmp_path_factory.mktemp("recording"))


@pytest.fixture
def free_port() -> int:
    """A TCP port on loopback that nothing listens on just now."""
    return embedded.free_port()


@pytest.fixture(scope="session")
def _one_bucket_store() -> Iterator[ObjectStore]:
    with object_store() as store:
        yield store


@pytest.fixture
def bucket_store(_one_bucket_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    """A real object store, moto's server, for lakes in a bucket; one for all tests, each with lakes of its own."""
    for name, value in {**ENVIRONMENT, STORE: _one_bucket_store.url}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(fencing, "LEASE_S", 2.0)
    _one_bucket_store.requests()
    yield _one_bucket_store
    locks.end_sessions()
