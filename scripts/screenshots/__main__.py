"""Takes the pictures of the two pages in ``docs/images``: ``make screenshots``. About a quarter of an hour.

A simulated day is made in a folder of its own, by the real steps; Airflow's web server shows it to a headless
Chromium. Must not: touch a home of yours.
"""

from __future__ import annotations

import itertools
import logging
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from devstack.bench.subjects import subjects_of
from devstack.bench.views import addresses
from devstack.embedded import airflow, browser, clickhouse
from devstack.embedded.browser import Page
from devstack.embedded.redis import RedisServer, free_port
from devstack.embedded.ui import served
from firehose.batch.interval import Batch
from firehose.lake.ledger import entry_path, read_entry
from firehose.settings import Settings
from firehose.warehouse.client import connect
from firehose.warehouse.migrate import migrate
from firehose.warehouse.summaries import refresh
from ingester.contract import logs
from scripts.screenshots import day
from tests.support.waiting import until
from tests.support.web_server import WebServer, web_server

ROOT: Final = Path(__file__).resolve().parents[2]
IMAGES: Final = ROOT / "docs" / "images"
_FIRST_QUERY: Final = """\
SELECT toStartOfHour(minute) AS hour, sum(events) AS total, sumIf(events, type = 'posts') AS posts
FROM events_by_minute
GROUP BY hour
ORDER BY hour"""
_WIDTHS: Final = (390, 1024, 1600)
_THEMES: Final = ("light", "dark")


def main() -> None:
    """Take them. An argument names a folder to make the day in, and to find it there the next time."""
    if browser.EXECUTABLE is None:
        sys.exit("make screenshots: there is no chromium on PATH; on Debian: apt-get install chromium")
    logs.setup("WARNING")
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="firehose-screenshots-") as folder:
        home = Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else Path(folder)
        home.mkdir(exist_ok=True)
        with _site(home) as (web, batch, settings), browser.browser({"_token": web.token}, web.url) as page:
            shutil.rmtree(IMAGES, ignore_errors=True)
            IMAGES.mkdir()
            for width, theme in itertools.product(_WIDTHS, _THEMES):
                _inside_airflow(page, web, width, theme)
            for width, theme, name, path in (
                (1600, "light", "overview", ""),
                (1600, "dark", "overview", ""),
                (1024, "light", "batches", "batches"),
                (1024, "dark", "batch", f"batches/{batch}"),
                (1024, "light", "coverage", "coverage"),
                (1024, "dark", "storage", "storage"),
                (390, "dark", "coverage", "coverage"),
                (390, "light", "batch", f"batches/{batch}"),
            ):
                _show(page, width, theme)
                page.go(f"{web.url}/firehose/{path}")
                picture = page.picture(whole=name == "overview")
                (IMAGES / f"{name}-{width}-{theme}.png").write_bytes(picture)
            views = _views(settings)
            with served(settings) as url:
                for width, theme in itertools.product(_WIDTHS, _THEMES):
                    _for_readers(page, url, views, width, theme)


def _views(settings: Settings) -> dict[str, str]:
    """Paths of the page for readers, of each view: of what was liked most and of whom was busiest."""
    with closing(connect(settings, "analyst")) as client:
        found = addresses(subjects_of(client, 0, 0))
    of_sql = urlencode({"q": _FIRST_QUERY, "as": "chart"})
    return found | {"overview": "/overview#zone=UTC&compare=span", "sql": f"/sql#{of_sql}"}


def _for_readers(page: Page, url: str, views: dict[str, str], width: int, theme: str) -> None:
    for name, path in views.items():
        page.look(width, 1000, dark=theme == "dark")
        page.go("about:blank")
        page.go(f"{url}{path}")
        loading = "document.querySelector('.wait, [aria-busy=true]')"
        until(lambda: page.run(f"!!document.querySelector('h1') && !{loading}"), what=name, pause_s=0.2)  # noqa: B023 - it is called at once
        if name == "sql":
            page.run("document.querySelector('button.main').click()")
            until(lambda: page.run("!!document.querySelector('.result .plot canvas')"), what=name, pause_s=0.2)
        (IMAGES / f"ui-{name}-{width}-{theme}.png").write_bytes(page.picture(whole=True))


def _inside_airflow(page: Page, web: WebServer, width: int, theme: str) -> None:
    _show(page, width, theme)
    page.go(f"{web.url}/plugin/firehose")
    page.run(f"localStorage.setItem('theme', '{theme}')")
    page.go(f"{web.url}/plugin/firehose")
    frame = "document.querySelector('iframe')?.contentDocument"
    until(lambda: page.run(f"!!{frame}?.querySelector('.flow')"), what="Airflow shows the page", pause_s=0.5)
    (IMAGES / f"firehose-{width}-{theme}.png").write_bytes(page.picture())


def _show(page: Page, width: int, theme: str) -> None:
    page.look(width, 1000, dark=theme == "dark")
    page.run(f"try {{ localStorage.setItem('theme', '{theme}') }} catch {{}}")


@contextmanager
def _site(home: Path) -> Iterator[tuple[WebServer, str, Settings]]:
    """A day in its home, loaded into ClickHouse, with Airflow's web server; and one of its batches."""
    with RedisServer(home) as server:
        settings = Settings(
            home=str(home),
            lake=str(home / "lake"),
            redis_url=server.url,
            clickhouse_url=f"http://127.0.0.1:{free_port()}",
            clickhouse_loader_password=secrets.token_hex(8),
            clickhouse_analyst_password=secrets.token_hex(8),
            keep_raw_hours=0,
        )
        with clickhouse.start(settings), server.client() as client:
            made = day.make(settings, client)
            with closing(connect(settings)) as loader:
                migrate(loader, settings)
            refresh(settings)
            day.present(client, made[-1].end)
            with _airflow(home, settings, made[0].start.isoformat()) as web, web.client() as reader:
                until(
                    lambda: reader.get("/firehose/snapshot.json").status_code == 200, what="the figures are read"
                )
                yield web, _worst(settings, made), settings


def _worst(settings: Settings, made: list[Batch]) -> str:
    """The batch of the day with the most events in quarantine."""
    entries = [entry for batch in made if (entry := read_entry(entry_path(settings.lake_path, batch)))]
    return max(entries, key=lambda entry: sum(of.quarantined for of in entry.counts.values())).batch


@contextmanager
def _airflow(home: Path, settings: Settings, begins: str) -> Iterator[WebServer]:
    port = free_port()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FIREHOSE_")}
    environ |= {
        "FIREHOSE_HOME": settings.home,
        "FIREHOSE_LAKE": settings.lake,
        "FIREHOSE_REDIS_URL": settings.redis_url,
        "FIREHOSE_CLICKHOUSE_URL": settings.clickhouse_url,
        "FIREHOSE_CLICKHOUSE_ANALYST_PASSWORD": settings.clickhouse_analyst_password,
        "FIREHOSE_KEEP_RAW_HOURS": "0",
        "FIREHOSE_START_DATE": begins,
        "FIREHOSE_AIRFLOW_PORT": str(port),
    }
    environ = airflow.prepare_airflow_home(home / "airflow", ROOT / "dags", ROOT / "plugins", environ, port=port)
    with web_server(environ, home / "airflow", port) as web:
        yield web


if __name__ == "__main__":
    main()
