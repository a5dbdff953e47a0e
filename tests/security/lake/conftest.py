"""One small lake, made once and copied for each test."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from devstack.embedded.redis import RedisServer
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.lake.publish import publish
from firehose.quality.validate import validate
from firehose.settings import Settings
from tests.security.lake.lakes import EVENTS
from tests.support.frames import fill, minutes
from tests.support.logins import copy_passwords


class Made(NamedTuple):
    """A lake that was made once, and its batches: each repeats the end of the one before."""

    home: Path
    batches: list[Batch]


@pytest.fixture(scope="package")
def made(tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer) -> Made:
    """Two batches published out of order, and a third one validated."""
    home = tmp_path_factory.mktemp("made")
    settings = Settings(home=str(home), lake=str(home / "lake"), redis_url=redis_server.url)
    batches = minutes(3)
    copy_passwords(redis_server, home)
    with redis_server.client() as client:
        client.flushall()
        for batch, part in zip(batches, (EVENTS[:900], EVENTS[700:1300], EVENTS[1200:]), strict=True):
            fill(client, part, batch)
    for batch in batches:
        drain(settings, batch)
        validate(settings, batch)
    for batch in (batches[1], batches[0]):
        publish(settings, batch)
    return Made(home, batches)


@pytest.fixture
def settings(tmp_path: Path, made: Made, redis_url: str) -> Settings:
    """Of a copy of that lake."""
    shutil.copytree(made.home / "lake", tmp_path / "lake", ignore=shutil.ignore_patterns("docs"))
    return Settings(home=str(tmp_path), lake=str(tmp_path / "lake"), redis_url=redis_url)


@pytest.fixture
def batches(made: Made, settings: Settings) -> list[Batch]:
    return made.batches
