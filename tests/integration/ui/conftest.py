"""One lake, one endpoint, one page and one browser for all tests of the page.

The lake has some hours of simulated events on two days, a gap, time of which nothing is known, and records of
somebody who tries to be markup.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import httpx
import msgspec
import pytest

from devstack.embedded import browser, clickhouse
from devstack.embedded.browser import Page
from devstack.embedded.redis import free_port
from devstack.embedded.ui import served
from firehose.settings import Settings
from firehose.warehouse.client import connect
from firehose.warehouse.migrate import migrate
from firehose.warehouse.summaries import refresh
from jetstream_simulator.generate import Generator
from jetstream_simulator.identifiers import tid
from tests.integration.ui.strangers import strangers
from tests.integration.ui.threads import threads
from tests.integration.warehouse.gaps import gap, write
from tests.integration.warehouse.lakes import LakeBuilder

START: Final = datetime(2026, 5, 28, 10, tzinfo=UTC)
YESTERDAY: Final = START - timedelta(days=1)
END: Final = START + timedelta(hours=3, minutes=30)
#: In an open gap, and in neither a batch nor a gap.
GAP: Final = (START + timedelta(minutes=80), START + timedelta(minutes=95))
UNKNOWN: Final = (START + timedelta(minutes=160), START + timedelta(minutes=170))
HOSTILE: Final = '<img src=x onerror="document.title=\'hostile\'"><script>document.title="hostile"</script>'
#: Answers to the first post of the wide thread: more than the page shows.
WIDTH: Final = 520
_DID: Final = "did:plc:hostilehostilehostile234"


class Site(NamedTuple):
    """``url`` of the page; ``settings`` of ClickHouse and lake; ``events`` is what the lake was made of."""

    url: str
    settings: Settings
    events: list[dict[str, Any]]

    def client(self) -> httpx.Client:
        """A client of the page."""
        return httpx.Client(base_url=self.url, timeout=60)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    settings = Settings(
        home=str(tmp_path_factory.mktemp("home")),
        lake=str(tmp_path_factory.mktemp("lake")),
        clickhouse_url=f"http://127.0.0.1:{free_port()}",
        clickhouse_loader_password="loads",
        clickhouse_analyst_password="reads",
    )
    lake = LakeBuilder(settings.local_lake)
    events = [*simulated(), *hostile(), *strangers(HOSTILE), *threads(WIDTH)]
    fill(lake, events)
    with clickhouse.start(settings):
        with closing(connect(settings)) as loader:
            migrate(loader, settings)
        refresh(settings)
        with served(settings) as url:
            yield Site(url, settings, events)


def simulated() -> Iterator[dict[str, Any]]:
    """An event each three seconds while something was listening, and an hour of the day before."""
    generator = Generator(seed=50)
    for begin, end in ((YESTERDAY, YESTERDAY + timedelta(hours=1)), (START, END)):
        moment = begin
        while moment < end:
            if not any(low <= moment < high for low, high in (GAP, UNKNOWN)):
                yield msgspec.json.decode(generator.event(int(moment.timestamp() * 1e6)))
            moment += timedelta(seconds=3)


def hostile() -> Iterator[dict[str, Any]]:
    """A post, a tag and a handle that are markup, and likes that make the post the first one."""
    began = int((START + timedelta(minutes=5)).timestamp() * 1e6)
    rkey = tid(began, 1)
    tag = {"$type": "app.bsky.richtext.facet#tag", "tag": HOSTILE}
    facets = [{"index": {"byteStart": 0, "byteEnd": 1}, "features": [tag]}]
    post = {"text": f"{HOSTILE}\u202egnihtemos", "createdAt": "2026-05-28T10:05:00Z", "facets": facets}
    yield commit(_DID, began, "app.bsky.feed.post", rkey, post)
    for number in range(60):
        subject = {"uri": f"at://{_DID}/app.bsky.feed.post/{rkey}", "cid": "bafyreib" + "a" * 51}
        like = {"subject": subject, "createdAt": "2026-05-28T10:06:00Z"}
        at = began + (number + 1) * 1_000_000
        yield commit(f"did:plc:fan{number:021d}", at, "app.bsky.feed.like", tid(at, 2), like)
    # Several accounts, so that it counts as rising.
    for number in range(2):
        at = began + (100 + number) * 1_000_000
        yield commit(f"did:plc:fan{number:021d}", at, "app.bsky.feed.post", tid(at, 3), post)


def commit(did: str, time_us: int, collection: str, rkey: str, record: dict[str, Any]) -> dict[str, Any]:
    """A create."""
    body: dict[str, Any] = {"rev": tid(time_us, 7), "operation": "create", "collection": collection, "rkey": rkey}
    body |= {"record": {"$type": collection, **record}, "cid": "bafyreib" + "a" * 51}
    return {"did": did, "time_us": time_us, "kind": "commit", "commit": body}


def fill(lake: LakeBuilder, events: list[dict[str, Any]]) -> None:
    """Hour files, a batch for each five minutes in which something was listening, and the gap's record."""
    written = lake.store(events)
    for hour, types in written.items():
        lake.publish(hour + timedelta(minutes=25), {hour: types})
    each = timedelta(minutes=5)
    for start in [YESTERDAY + number * each for number in range(12)] + [
        START + number * each for number in range(42)
    ]:
        heard = not any(low <= start < high for low, high in (GAP, UNKNOWN))
        if heard and start - timedelta(minutes=25) not in written:
            lake.publish(start, {})
    write(lake, GAP[0], gap(GAP[0], (GAP[1] - GAP[0]).total_seconds() / 60))


@pytest.fixture(scope="session")
def page(site: Site) -> Iterator[Page]:
    """A tab of a browser."""
    if browser.EXECUTABLE is None:
        pytest.skip("there is no chromium on PATH")
    with browser.browser({}, site.url) as page:
        yield page
