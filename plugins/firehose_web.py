"""The Firehose page in Airflow's web server: behind its login, in its menu.

Lives here: the application as the plugin registers it, made at the first request. Must not: pages
(firehose_page), or a heavy import: every Airflow process loads this file, and only the web server shows pages.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from airflow.sdk.configuration import conf

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from datetime import datetime

    from fastapi import FastAPI

PREFIX: Final = "/firehose"
#: Who may read this DAG may read the page.
_DAG: Final = "firehose_batch"
#: Airflow's own way to its login, which comes back to ``next``.
_LOGIN: Final = "/api/v2/auth/login"


class Application:
    """The page as an ASGI application. FastAPI and the page's modules are imported when somebody asks for it."""

    def __init__(self) -> None:
        self._app: FastAPI | None = None
        self._making = asyncio.Lock()

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer a request."""
        async with self._making:
            if self._app is None:
                self._app = await asyncio.to_thread(_make)
        await self._app(scope, receive, send)


def _make() -> FastAPI:
    from airflow.api_fastapi.core_api.security import requires_access_dag

    from firehose_page.app import create_app

    return create_app(_settings, requires_access_dag("GET", param_dag_id=_DAG), _LOGIN, _run_of)


def _run_of(start: datetime) -> str | None:
    """The id of the latest run whose interval begins then: scheduled, by hand, or by a backfill."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    found = select(DagRun.run_id).where(DagRun.dag_id == _DAG, DagRun.data_interval_start == start)
    with create_session(scoped=False) as session:
        run_id: str | None = session.scalar(found.order_by(DagRun.id.desc()).limit(1))
    return run_id


def _settings() -> Any:
    from firehose.settings import load

    return load()


def page_path(below: str = "") -> str:
    """The path of a page inside Airflow's own: its menu stays around it."""
    return f"{_airflow()}/plugin{PREFIX}{_airflow()}{PREFIX}/{below}"


def _airflow() -> str:
    """The path at which Airflow is served."""
    return urlsplit(str(conf.get("api", "base_url", fallback=""))).path.rstrip("/")


FASTAPI_APP: Final = {"app": Application(), "url_prefix": PREFIX, "name": "Firehose"}
VIEW: Final = {
    "name": "Firehose",
    "href": f"{_airflow()}{PREFIX}/",
    "destination": "nav",
    "url_route": "firehose",
    "icon": f"{_airflow()}{PREFIX}/static/icon.svg",
    "icon_dark_mode": f"{_airflow()}{PREFIX}/static/icon-dark.svg",
    "nav_top_level": True,
}
