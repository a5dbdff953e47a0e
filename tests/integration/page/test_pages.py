"""What the pages show of a real Redis and a lake that the real steps have filled; also of what is hostile."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from fastapi import HTTPException

from firehose.batch.coverage import record_silence, records_path
from firehose.batch.interval import Batch
from firehose.lake.ledger import Rebuilt, entry_path, read_entry, write_entry
from firehose.quality.result import read_result, write_result
from firehose.settings import Settings, SettingsError
from firehose_page.watch import Watch
from ingester.contract import wire
from ingester.contract.gap import Gap, Reason, encoded_list
from tests.integration.page.conftest import Open
from tests.support import month
from tests.support.frames import minutes
from tests.support.maintained import LIKES, published
from tests.support.object_store import ObjectStore
from tests.support.waiting import until

HOSTILE = "ws://x\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}"
VIEWS = ("", "batches", "coverage", "objectives", "storage", "runbook")


@pytest.fixture
def batches(settings: Settings, redis_client: redis.Redis) -> list[Batch]:
    """Three published minutes, and one in which nothing was heard."""
    first, second, silent, last = minutes(4)
    redis_client.hset(wire.METADATA_KEY, mapping={wire.META_HOST: HOSTILE, wire.META_PROTOCOL: "v2"})
    published(settings, redis_client, {first: LIKES[:100], second: LIKES[100:150], last: LIKES[150:300]})
    record_silence(settings.lake_path, silent)
    return [first, second, silent, last]


class Page(HTMLParser):
    """The elements of a page, and the text of each."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += f" {data.strip()}"

    @property
    def links(self) -> list[str]:
        return [str(known["href"]) for tag, known in self.elements if tag == "a" and "href" in known]


def zeros(text: str) -> dict[str, tuple[str, str]]:
    """The row by name: number and state."""
    found = re.findall(r'<li class="is-(\w+)"><a [^>]*>\s*<b>([^<]*)</b><span>([^<]*)</span>', text)
    return {name: (number, state) for state, number, name in found}


def test_every_figure_is_what_was_stored(settings: Settings, batches: list[Batch], opened: Open) -> None:
    client = opened(settings)
    first, _, silent, last = batches
    shown = Page(client.get("/firehose/batches").text)
    for batch, events in zip((first, last), (100, 150), strict=True):
        assert f"/firehose/batches/{batch.id}" in shown.links
        assert f"/firehose/runs/{batch.id}" in shown.links
        told = client.get(f"/firehose/batches/{batch.id}.json").json()
        assert sum(counts["received"] for counts in told["ledger"]["counts"].values()) == events
        assert sum(queue["events"] for queue in told["manifest"]["queues"].values()) == events
        assert read_result(settings.lake_path, batch) == msgspec.convert(
            told["quality"], type(read_result(settings.lake_path, batch))
        )
    told = client.get("/firehose/snapshot.json").json()
    assert [one["received"] for one in told["day"]] == [100, 50, 150]
    assert sum(of["rows"] for of in told["snapshot"]["storage"]["types"].values()) == 300
    assert told["snapshot"]["storage"]["rows"] == 300
    assert "not_listening" in client.get("/firehose/coverage").text
    assert "not_listening" in client.get(f"/firehose/batches/{silent.id}").text
    assert f"/firehose/batches?day={last.start:%Y-%m-%d}" in client.get(f"/firehose/batches/{last.id}").text
    day = Page(client.get(f"/firehose/batches?day={last.start:%Y-%m-%d}").text)
    assert f"/firehose/batches/{last.id}" in day.links


def test_what_hosts_send_is_never_markup(settings: Settings, batches: list[Batch], opened: Open) -> None:
    now_us = int(datetime.now(UTC).timestamp() * 1e6)
    gap = Gap(
        id=HOSTILE,
        reason=Reason.LATE,
        from_us=now_us - 60_000_000,
        to_us=now_us,
        noted_us=now_us,
        host=HOSTILE,
        queue=HOSTILE,
        filled=HOSTILE,
    )
    path = records_path(settings.lake_path, batches[0])
    path.write(encoded_list([gap, msgspec.structs.replace(gap, id="open", filled="")]))
    result = read_result(settings.lake_path, batches[0])
    assert result is not None
    spoilt = msgspec.structs.replace(result, suite_success=False, failed_expectations=[HOSTILE])
    write_result(settings.lake_path, batches[0], spoilt)
    (
        Path(settings.lake)
        / "_raw"
        / f"date={batches[1].start:%Y-%m-%d}"
        / f"batch={batches[1].id}"
        / "manifest.json"
    ).write_text(HOSTILE)
    client = opened(settings)
    for view in (
        *VIEWS,
        f"batches/{batches[0].id}",
        f"batches/{HOSTILE.replace('/', '%2F')}",
        f"batches/{batches[1].id}",
    ):
        answer = client.get(f"/firehose/{view}")
        shown = Page(answer.text)
        scripts = [known for tag, known in shown.elements if tag == "script"]
        assert scripts == [{"src": "/firehose/static/page.js"}], view
        assert not [
            tag for tag, known in shown.elements if tag == "img" or any(name.startswith("on") for name in known)
        ], view
        assert "49" not in re.findall(r"onerror=alert\(2\)>(.{0,6})", shown.text), "no template is made of it"
        assert "style" not in {name for _, known in shown.elements for name in known}, "the policy refuses it"
    for view in ("", "coverage", f"batches/{batches[0].id}"):
        assert "<script>alert(1)</script>" in Page(client.get(f"/firehose/{view}").text).text, (
            f"{view}: it is shown as text"
        )


def test_what_has_to_be_zero_turns_red(settings: Settings, redis_client: redis.Redis, opened: Open) -> None:
    first, second, silent, last = minutes(4)
    published(
        settings,
        redis_client,
        {first: LIKES[:100], second: LIKES[100:150], silent: LIKES[150:200], last: LIKES[200:300]},
    )
    before = zeros(opened(settings).get("/firehose/").text)
    green = {
        "open gaps",
        "seconds missing",
        "foreign entries",
        "miscounted frames",
        "failed suites",
        "quarantined",
    }
    green |= {"batches stuck", "duplicates", "lost rows", "unverifiable batches", "unreadable files"}
    assert {name for name, (number, state) in before.items() if (number, state) == ("0", "fine")} >= green
    assert before["batches not loaded"] == ("?", "unknown"), "ClickHouse is away: that is not zero"
    assert before["figures not known"][1] == "look"

    lake = settings.lake_path
    record_silence(lake, last)
    entry = read_entry(path := entry_path(lake, first))
    assert entry is not None
    counts = msgspec.structs.replace(entry.counts["likes"], quarantined=3, duplicates=4)
    lost = Rebuilt(hour="2026-01-01T00", record_type="likes", at=first.end, reason="a test", rows=1, lost=7)
    write_entry(path, msgspec.structs.replace(entry, counts={"likes": counts}, rebuilt=[lost]))
    result = read_result(lake, second)
    assert result is not None
    write_result(
        lake, second, msgspec.structs.replace(result, suite_success=False, failed_expectations=["likes.did"])
    )
    manifest = lake / "_raw" / f"date={silent.start:%Y-%m-%d}" / f"batch={silent.id}" / "manifest.json"
    told: dict[str, Any] = json.loads(manifest.read_bytes())
    told["queues"]["likes"] |= {"foreign": 5, "miscounted": 6}
    manifest.write(json.dumps(told).encode())
    text = opened(settings).get("/firehose/").text
    after = zeros(text)
    wanted = {"open gaps": "1", "seconds missing": "60", "quarantined": "3", "duplicates": "4", "lost rows": "7"}
    wanted |= {"foreign entries": "5", "miscounted frames": "6", "failed suites": "1"}
    assert {name: after[name] for name in wanted} == {name: (number, "look") for name, number in wanted.items()}

    manifest.write(b"{")
    assert zeros(opened(settings).get("/firehose/").text)["unreadable files"] == ("1", "look")


def test_every_link_to_the_runbook_has_its_section(settings: Settings, batches: list[Batch], opened: Open) -> None:
    client = opened(settings)
    ids = {known["id"] for _, known in Page(client.get("/firehose/runbook").text).elements if "id" in known}
    views = [*VIEWS, *(f"batches/{batch.id}" for batch in batches)]
    asked = {link for view in views for link in Page(client.get(f"/firehose/{view}").text).links}
    anchors = {link.partition("#")[2] for link in asked if "/runbook#" in link}
    assert len(anchors) >= 8 and anchors - ids == set()
    for link in asked:
        if link.startswith("/firehose/") and "#" not in link:
            # Airflow has no run here, and Great Expectations has made no page.
            absent = 404 if "/quality/" in link or "/runs/" in link else 200
            assert client.get(link).status_code in (200, absent), link


def test_services_that_are_away_leave_the_rest(settings: Settings, batches: list[Batch], opened: Open) -> None:
    alone = msgspec.structs.replace(settings, redis_url="redis://127.0.0.1:1/0")
    text = opened(alone).get("/firehose/").text
    assert zeros(text)["minutes unheard"] == ("?", "unknown")
    shown = Page(text)
    assert f"/firehose/batches/{batches[0].id}" in shown.links
    assert "127.0.0.1:1" in shown.text and "FIREHOSE_CLICKHOUSE_URL" in shown.text


def test_a_lake_in_a_bucket_shows_the_same(
    settings: Settings, bucket_store: ObjectStore, redis_client: redis.Redis, tmp_path: Path, opened: Open
) -> None:
    there = msgspec.structs.replace(settings, lake=bucket_store.uri(f"page-{tmp_path.name}"))
    first, second = minutes(2)
    published(there, redis_client, {first: LIKES[:100], second: LIKES[100:150]})
    (there.lake_path / "_quality" / "index.html").write(b"<html><head></head>front</html>")
    client = opened(there)
    assert [one["received"] for one in client.get("/firehose/snapshot.json").json()["day"]] == [100, 50]
    assert client.get(f"/firehose/batches/{first.id}").status_code == 200
    assert "front" in client.get("/firehose/quality/index.html").text
    assert client.get("/firehose/quality/docs/..%2F..%2F_ledger/x.json").status_code == 404


def test_an_empty_home_has_pages_as_well(settings: Settings, opened: Open) -> None:
    client = opened(settings)
    for view in VIEWS:
        assert client.get(f"/firehose/{view}").status_code == 200, view
    assert client.get("/firehose/batches/20261126T120000Z").status_code == 404


def test_no_secret_of_a_setting_is_shown(settings: Settings, opened: Open) -> None:
    client = opened(msgspec.structs.replace(settings, redis_url="redis://:s3cr3tw0rd@127.0.0.1:1/0"))
    for view in (*VIEWS, "snapshot.json"):
        answer = client.get(f"/firehose/{view}")
        assert answer.status_code == 200 and "s3cr3tw0rd" not in answer.text, view


def test_an_airflow_below_a_path_has_its_links_there(
    settings: Settings, batches: list[Batch], opened: Open
) -> None:
    links = Page(opened(settings, "/airflow").get("/airflow/firehose/").text).links
    assert f"/airflow/firehose/batches/{batches[0].id}" in links
    assert f"/airflow/firehose/runs/{batches[0].id}" in links
    assert not [link for link in links if not link.startswith("/airflow/")]

    def nobody() -> None:
        raise HTTPException(401)

    answer = opened(settings, "/airflow", nobody).get("/airflow/firehose/coverage?month=2026-11")
    assert answer.headers["location"] == "/airflow/login?next=%2Fairflow%2Ffirehose%2Fcoverage%3Fmonth%3D2026-11"


def test_a_wrong_setting_is_one_line(opened: Open) -> None:
    def load() -> Settings:
        raise SettingsError("FIREHOSE_LAKE=<b>: must be a folder")

    client = opened(load)
    for path in ("", "snapshot.json"):
        answer = client.get(f"/firehose/{path}")
        assert answer.status_code == 500 and "Traceback" not in answer.text
        assert "FIREHOSE_LAKE=<b>: must be a folder" in (answer.text if path else Page(answer.text).text)


@pytest.mark.parametrize(
    "view", ["coverage?month=2026-13", "coverage?month=1999-01", "batches?day=x", "coverage?month=%3Cb%3E"]
)
def test_a_day_that_does_not_exist(settings: Settings, opened: Open, view: str) -> None:
    assert opened(settings).get(f"/firehose/{view}").status_code == 404


def test_months_before_the_last_30_days_have_their_gaps(
    settings: Settings, batches: list[Batch], opened: Open
) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=75)
    start = long_ago.replace(minute=0, second=0, microsecond=0)
    record_silence(settings.lake_path, Batch.of(start, start + timedelta(minutes=5)))
    client = opened(settings)
    assert "not_listening" in client.get(f"/firehose/coverage?month={start:%Y-%m}").text
    other = (start.replace(day=1) - timedelta(days=1)).strftime("%Y-%m")
    assert "not_listening" not in client.get(f"/firehose/coverage?month={other}").text


def test_views_of_a_full_day_read_nothing_again(settings: Settings, opened: Open) -> None:
    """What made them slow on a busy machine: eight passes over the ledger in a look, every record of an hour."""
    full = msgspec.structs.replace(settings, batch_minutes=5)
    now = datetime.now(UTC)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    until_now = today + (now - today) // month.LENGTH * month.LENGTH
    month.published(full, today - timedelta(days=2), until_now)
    watch = Watch(lambda: full)
    until(lambda: watch.look() is not None, what="the first look")
    until(lambda: watch.objectives() is not None, what="the month")
    watch.batches_of(today.date() - timedelta(days=1))
    with month.watched(full.local_lake) as looks:
        watch._see()
        assert len(watch.batches_of(today.date() - timedelta(days=1))) == 288
        watch._see_month()
    assert looks.opened.get("_ledger", 0) == 0, "each entry is read once"
    assert looks.opened.get("_hours", 0) == 0, "records of hours are read again after minutes"
    assert looks.opened.get("_raw", 0) <= 2
    # Two or three days of a look, the chosen one and that before it, and the 31 of the month: each once.
    assert looks.listed["_ledger"] <= 3 + 2 + 31
    client = opened(full)
    client.get("/firehose/batches")
    with month.watched(full.local_lake) as shown:
        assert client.get("/firehose/batches").text.count('class="batches"') == 1
    assert shown.opened.get("_ledger", 0) == 0
