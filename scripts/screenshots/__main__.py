"""Takes the pictures of the Firehose page in ``docs/images``: ``make screenshots``. About a quarter of an hour.

A simulated day is made in a folder of its own, by the real steps; Airflow's web server shows it to a headless
Chromium. Must not: touch a home of yours.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from devstack.embedded import airflow, clickhouse
from devstack.embedded.redis import RedisServer, free_port
from firehose.settings import Settings
from firehose.warehouse.client import connect
from firehose.warehouse.migrate import migrate
from firehose.warehouse.summaries import refresh
from ingester.contract import logs
from scripts.screenshots import day
from tests.support import browser
from tests.support.browser import Page
from tests.support.waiting import until
from tests.support.web_server import WebServer, web_server

ROOT: Final = Path(__file__).resolve().parents[2]
IMAGES: Final = ROOT / "docs" / "images"
_WIDTHS: Final = (390, 1024, 1600)
_THEMES: Final = ("light", "dark")


def main() -> None:
    """Take them."""
    if browser.EXECUTABLE is None:
        sys.exit("make screenshots: there is no chromium on PATH; on Debian: apt-get install chromium")
    logs.setup("WARNING")
    with (
        tempfile.TemporaryDirectory(prefix="firehose-screenshots-") as folder,
        _site(Path(folder)) as (web, batch),
    ):
        shutil.rmtree(IMAGES, ignore_errors=True)
        IMAGES.mkdir()
        with browser.browser({"_token": web.token}, web.url) as page:
            for width in _WIDTHS:
                for theme in _THEMES:
                    _take(page, web, batch, width, theme)


def _take(page: Page, web: WebServer, batch: str, width: int, theme: str) -> None:
    """The page inside Airflow, and the whole of each of its views."""
    page.look(width, 1000, dark=theme == "dark")
    page.go(f"{web.url}/plugin/firehose")
    page.run(f"localStorage.setItem('theme', '{theme}')")
    page.go(f"{web.url}/plugin/firehose")
    frame = "document.querySelector('iframe')?.contentDocument"
    until(lambda: page.run(f"!!{frame}?.querySelector('.flow')"), what="Airflow shows the page", pause_s=0.5)
    (IMAGES / f"firehose-{width}-{theme}.png").write_bytes(page.picture())
    for name, path in (
        ("overview", ""),
        ("batches", "batches"),
        ("batch", f"batches/{batch}"),
        ("coverage", "coverage"),
        ("storage", "storage"),
    ):
        page.go(f"{web.url}/firehose/{path}")
        picture = page.picture(whole=name in ("overview", "batch"))
        (IMAGES / f"{name}-{width}-{theme}.png").write_bytes(picture)


@contextmanager
def _site(home: Path) -> Iterator[tuple[WebServer, str]]:
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
                yield web, made[day.BAD].id


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
