"""Airflow's web server alone, with the plugins: for tests of pages, and their pictures.

Lives here: starting, logging in, asking. Must not: know the pages.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil

from devstack.embedded import airflow
from tests.support.waiting import until


class WebServer(NamedTuple):
    """``token`` is of the user ``admin``."""

    url: str
    token: str

    def client(self, token: str | None = None, **options: object) -> httpx.Client:
        """A client with a session as a browser has one; with an empty token it has none."""
        token = self.token if token is None else token
        cookies = {"_token": token} if token else {}
        return httpx.Client(base_url=self.url, cookies=cookies, timeout=60)


@contextmanager
def web_server(environ: Mapping[str, str], home: Path, port: int) -> Iterator[WebServer]:
    """The web server of a prepared home of Airflow, once it answers."""
    url, log = f"http://localhost:{port}", home / "api-server.log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [*airflow.commands()["api-server"], "--port", str(port)],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )
    try:
        until(lambda: process.poll() is not None or _answers(url), 120, what="Airflow's web server answers")
        assert process.poll() is None, log.read_text()[-3000:]
        login = {"username": airflow.USER, "password": airflow.password(home)}
        answer = httpx.post(f"{url}/auth/token", json=login, timeout=60)
        assert answer.status_code == 201, answer.text
        yield WebServer(url, answer.json()["access_token"])
    finally:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/v2/version", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
