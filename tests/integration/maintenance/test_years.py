"""A lake grows for years: what has not changed is listed, a thousand files a request, and not read again."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import redis

from devstack.embedded import clickhouse
from devstack.embedded.redis import free_port
from firehose.lake.check import check
from firehose.settings import Settings
from firehose.warehouse.client import connect
from firehose.warehouse.migrate import migrate
from firehose.warehouse.summaries import refresh
from tests.support.frames import minutes
from tests.support.maintained import HOUR, LIKES, maintenance, proven, published
from tests.support.object_store import ObjectStore

#: A day on which no file is due to be read in full, nor on the day before.
NO_TURN = date(1970, 1, 1) + timedelta(days=20_610)
assert {(HOUR - number) % 30 for number in (0, 1)}.isdisjoint({20_610 % 30, 20_609 % 30})


def test_what_has_not_changed_is_not_read_again(
    bucket_store: ObjectStore, tmp_path: Path, redis_url: str, redis_client: redis.Redis
) -> None:
    settings = Settings(
        home=str(tmp_path),
        lake=bucket_store.uri("lake"),
        redis_url=redis_url,
        clickhouse_url=f"http://127.0.0.1:{free_port()}",
        clickhouse_loader_password="loads",
        clickhouse_analyst_password="reads",
    )
    lake = settings.lake_path
    one, two, three = minutes(3)
    published(settings, redis_client, {one: LIKES[:200], two: LIKES[200:400]})

    def read() -> set[str]:
        asked = (re.sub(r"\?.*", "", asked) for asked in bucket_store.requests())
        files = (
            re.fullmatch(r"(?:GET|HEAD) .*/(?:_ledger/date|_hours/date|year)=.*/([^/]+)", each) for each in asked
        )
        return {found[1] for found in files if found}

    work = proven(maintenance(settings))
    assert not check(lake, 30, NO_TURN - timedelta(days=1)).differences
    assert work.close(60).closed == 0, "and now it is known that all is closed"
    assert read() >= {"likes.json", "likes.parquet", f"batch={one.id}.json", f"batch={two.id}.json"}
    report = check(lake, 30, NO_TURN)
    assert (report.files, report.read, report.differences) == (2, 0, [])
    assert work.close(60).closed == 0
    assert read() == set()

    with clickhouse.start(settings), closing(connect(settings)) as client:
        migrate(client, settings)
        assert len(refresh(settings).batches) == 2
        read()
        assert not refresh(settings).batches
        assert read() == set()
        published(settings, redis_client, {three: LIKES[400:]})
        read()
        assert refresh(settings).batches == (three.id,)
        assert f"batch={three.id}.json" in read()

    assert check(lake, 30, NO_TURN).differences == []
    assert read() >= {"likes.json", "likes.parquet", f"batch={three.id}.json"}
    assert len(work.plan().closes) == 1
    lake.find("year=*/month=*/day=*/hour=*/likes.parquet")[0].remove()
    for _ in range(2):
        (found,) = check(lake, 30, NO_TURN).differences
        assert "the file is missing" in str(found), "told of until it is mended"
