"""The Firehose page in a real web server of Airflow: behind its login, in its menu, linked from its tasks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest

from devstack.embedded import airflow, browser
from devstack.embedded.redis import RedisServer, free_port
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.lake.publish import publish
from firehose.quality.validate import validate
from firehose.settings import Settings
from jetstream_simulator.generate import events
from tests.dags.conftest import begin_with
from tests.support.frames import fill, minutes
from tests.support.waiting import until
from tests.support.warm import Warm
from tests.support.web_server import WebServer, web_server

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "<script>document.title='hostile'</script>"


class Site(NamedTuple):
    """A web server over a lake with one batch, validated by Great Expectations itself."""

    web: WebServer
    batch: Batch
    home: Path


@pytest.fixture(scope="module")
def site(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("site")
    with RedisServer(home) as server:
        settings = Settings(home=str(home), lake=str(home / "lake"), redis_url=server.url, batch_minutes=1)
        (batch,) = minutes(1)
        with server.client() as client:
            fill(client, events(3000, seed=5, start_us=batch.start_ms * 1000, rate=60, malformed=0.05), batch)
        for step in (drain, validate, publish):
            step(settings, batch)
        begin_with(migrated, home / "airflow")
        environ = {name: value for name, value in os.environ.items() if not name.startswith("FIREHOSE_")}
        environ |= {"FIREHOSE_HOME": str(home), "FIREHOSE_LAKE": settings.lake, "FIREHOSE_REDIS_URL": server.url}
        environ |= {"FIREHOSE_BATCH_MINUTES": "1", "FIREHOSE_CLICKHOUSE_URL": "http://127.0.0.1:1"}
        environ |= {
            "FIREHOSE_START_DATE": batch.start.isoformat(),
            "FIREHOSE_AIRFLOW_PORT": str(port := free_port()),
        }
        environ = airflow.prepare_airflow_home(
            home / "airflow", ROOT / "dags", ROOT / "plugins", environ, port=port
        )
        with web_server(environ, home / "airflow", port) as web, web.client() as client:
            until(lambda: client.get("/firehose/snapshot.json").status_code == 200, what="the figures are read")
            yield Site(web, batch, home)


def routes(site: Site) -> list[str]:
    """One address of every route."""
    from firehose_page.app import create_app

    known = {"batch_id": site.batch.id, "key": "index.html", "name": "page.css"}
    app = create_app(Settings, lambda: None, "", lambda start: None)
    paths = [str(route.path) for route in app.routes]  # type: ignore[attr-defined]  # all are of one path
    paths.remove("/runs/{batch_id}")  # no run was made: tests/dags/test_reruns.py has some
    assert len(paths) >= 10
    return [re.sub(r"{(\w+)(:path)?}", lambda found: known[found[1]], path) for path in paths]


def test_every_route_without_a_login_is_refused(site: Site) -> None:
    for token in ("", "no.such.token"):
        with site.web.client(token) as client:
            for path in routes(site):
                answer = client.get(f"/firehose{path}")
                if path.endswith(".json"):
                    assert answer.status_code in (401, 403) and set(answer.json()) == {"detail"}, path
                elif answer.status_code == 307:
                    there = urlsplit(answer.headers["location"])
                    assert there.path == "/api/v2/auth/login", path
                    assert parse_qs(there.query) == {"next": [f"/firehose{path}"]}
                else:
                    assert answer.status_code in (401, 403), path
                assert site.batch.id not in answer.text.replace(path, ""), path
    with httpx.Client(base_url=site.web.url) as client:
        answer = client.get("/firehose/snapshot.json", headers={"Authorization": "Bearer x"})
        assert answer.status_code in (401, 403)


def test_every_route_answers_who_may_read(site: Site) -> None:
    with site.web.client() as client:
        for path in routes(site):
            answer = client.get(f"/firehose{path}", follow_redirects=True)
            assert answer.status_code == 200, path
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy and "'unsafe-eval'" not in policy, path
            assert client.post(f"/firehose{path}").status_code == 405, path
    with httpx.Client(base_url=site.web.url) as client:
        answer = client.get("/firehose/snapshot.json", headers={"Authorization": f"Bearer {site.web.token}"})
        assert answer.json()["snapshot"]["batches"]["newest"] == site.batch.id


def test_who_may_not_read_the_dag_sees_nothing(site: Site) -> None:
    claims = jwt.decode(site.web.token, options={"verify_signature": False})
    secret = next(
        line.partition("=")[2].strip()
        for line in (site.home / "airflow" / "airflow.cfg").read_text().splitlines()
        if line.startswith("jwt_secret")
    )
    # A user of Airflow's simple manager without a role: authenticated, and allowed nothing.
    nobody = jwt.encode(
        claims | {"sub": "nobody", "role": None}, secret, algorithm="HS512", headers={"kid": "not-used"}
    )
    with site.web.client(nobody) as client:
        for path in routes(site):
            answer = client.get(f"/firehose{path}")
            assert answer.status_code == 403, (path, answer.status_code)
            assert site.batch.id not in answer.text.replace(path, "")


def test_the_login_leads_back_to_the_page(site: Site) -> None:
    with site.web.client("") as client:
        there = client.get("/firehose/batches?day=2026-11-26").headers["location"]
        answer = client.get(there)
        assert answer.status_code == 307
        assert parse_qs(urlsplit(answer.headers["location"]).query) == {
            "next": ["/firehose/batches?day=2026-11-26"]
        }


def test_data_docs_are_served_and_nothing_in_them_runs(site: Site) -> None:
    with site.web.client() as client:
        told = client.get(f"/firehose/batches/{site.batch.id}.json").json()
        assert {"posts", "likes", "follows"} <= set(told["pages"])
        answer = client.get(f"/firehose/quality/{told['pages']['likes']}")
        assert answer.status_code == 200 and "Expectation" in answer.text
        assert "sandbox allow-same-origin;" in answer.headers["content-security-policy"]
        assert told["quality"]["quarantined"] > 0


def test_objectives_are_shown_of_what_the_pipeline_has_stored(site: Site) -> None:
    with site.web.client() as client:
        until(lambda: "Objectives, 30 days" in client.get("/firehose/objectives").text, what="they are read")
        text = client.get("/firehose/objectives").text
    for name in ("Fresh", "Covered", "Batches in time"):
        assert f'data-name="objective">{name}<' in text
    assert "99.90 %" in text and f"/firehose/batches?day={site.batch.start:%Y-%m-%d}" in text


def test_airflows_menu_has_it(site: Site) -> None:
    with site.web.client() as client:
        plugins = client.get("/api/v2/plugins").json()["plugins"]
        (ours,) = (plugin for plugin in plugins if plugin["name"] == "firehose")
        (view,) = ours["external_views"]
        assert (view["href"], view["destination"], view["url_route"]) == ("/firehose/", "nav", "firehose")
        for icon in (view["icon"], view["icon_dark_mode"]):
            assert client.get(icon).headers["content-type"] == "image/svg+xml"
        assert client.get("/api/v2/plugins/importErrors").json()["import_errors"] == []


def test_a_process_of_airflow_starts_without_what_only_the_page_needs(airflow_home: dict[str, str]) -> None:
    script = """
import sys
sys.path.insert(0, "plugins")
import airflow.sdk
before = set(sys.modules)
import firehose_web, firehose_links
print(*sorted({name.split(".")[0] for name in set(sys.modules) - before}))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=airflow_home, cwd=ROOT, capture_output=True, text=True, check=True
    )
    new = set(done.stdout.splitlines()[-1].split())
    assert "firehose_web" in new and not new & {
        "firehose_page",
        "fastapi",
        "firehose",
        "jinja2",
        "pyarrow",
        "pandas",
    }


def test_tasks_have_links(warm_airflow: Warm) -> None:
    script = """
import sys
from types import SimpleNamespace as Key
sys.path.insert(0, "plugins")
from firehose_links import LINKS
for dag, run in (
    ("firehose_batch", "scheduled__20261123T204000Z"),
    ("firehose_batch", "manual__20261123T204000Z__20261124T000000.000000Z"),
    ("firehose_batch", "backfill__2026-11-23T20:45:00+00:00"),
    ("firehose_lake", "scheduled__2026-11-23T20:40:00+00:00"),
):
    print(*(f"{link.name}={link.get_link(None, ti_key=Key(dag_id=dag, run_id=run))}" for link in LINKS), sep="|")
"""
    done = warm_airflow.python("-c", script)
    assert done.returncode == 0, done.stdout
    page = "/plugin/firehose/firehose"
    batch = f"Batch={page}/batches/20261123T204000Z#ledger|Quality page={page}/batches/20261123T204000Z#quality"
    book = f"Runbook={page}/runbook#a-task-failed"
    assert [line for line in done.stdout.splitlines() if "Runbook=" in line] == [
        f"{batch}|{book}",
        f"{batch}|{book}",
        f"{batch}|{book}",  # Airflow names it by the end of its interval
        f"Batch=|Quality page=|{book}",
    ]


needs_browser = pytest.mark.skipif(browser.EXECUTABLE is None, reason="there is no chromium on PATH")


@needs_browser
def test_a_browser_asks_nobody_else_and_complains_of_nothing(site: Site) -> None:
    with site.web.client() as client:
        pages = client.get(f"/firehose/batches/{site.batch.id}.json").json()["pages"]
    own = ["", "batches", "coverage", "objectives", "storage", "runbook", f"batches/{site.batch.id}"]
    with browser.browser({"_token": site.web.token}, site.web.url) as page:
        for width in (390, 1024, 1600):
            page.look(width, 900)
            for path in (*own, "quality/index.html", f"quality/{pages['likes']}"):
                page.go(f"{site.web.url}/firehose/{path}")
                assert page.run("document.documentElement.scrollWidth") <= width, (path, width)
                if path in own:
                    assert page.errors == [], path
                page.errors.clear()
        # The policy stops what Great Expectations would load before a connection is made.
        answered = [url for url in page.answered if not url.startswith((site.web.url, "data:"))]
        assert answered == []


@needs_browser
def test_a_script_in_a_quality_page_does_not_run(site: Site) -> None:
    target = site.home / "lake" / "_quality" / "docs" / "hostile.html"
    target.write_text(f"<html><head></head><body>{HOSTILE}<p onclick='1'>shown</p></body></html>")
    with browser.browser({"_token": site.web.token}, site.web.url) as page:
        page.go(f"{site.web.url}/firehose/quality/docs/hostile.html")
        found = page.do("Page.getNavigationHistory")["entries"][-1]
        assert found["title"] != "hostile" and "hostile.html" in found["url"]


@needs_browser
def test_in_airflows_frame_it_follows_the_colours_and_links_lead_out(site: Site) -> None:
    frame = "document.querySelector('iframe').contentDocument"
    ground = f"{frame} && {frame}.body && getComputedStyle({frame}.body).backgroundColor"
    with browser.browser({"_token": site.web.token}, site.web.url) as page:
        page.look(1600, 900, dark=False)
        page.go(f"{site.web.url}/plugin/firehose")
        shown = f"document.querySelector('iframe') && {frame} && !!{frame}.querySelector('.flow')"
        until(lambda: page.run(shown), what="the page is in the frame")
        assert page.run(ground) == "rgb(255, 255, 255)"
        page.run("localStorage.setItem('theme', 'dark')")
        until(lambda: page.run(ground) == "rgb(17, 20, 24)", what="it is dark as Airflow is")
        page.run(f"{frame}.querySelector('a[data-out]').click()")
        until(
            lambda: page.run("location.pathname").startswith("/dags/firehose_batch"), what="Airflow shows the DAG"
        )
        page.go(f"{site.web.url}/plugin/firehose/firehose/batches/{site.batch.id}")
        batch = f"document.querySelector('iframe') && {frame} && {frame}.title"
        until(lambda: page.run(batch) == f"{site.batch.id} - Firehose", what="a task's link opens the batch")
