"""``python -m devstack.demo.docs_server``: serves the lake's quality pages on this machine.

Lives here: static files, read only, for allowed hosts. Must not: make the pages.
"""

from __future__ import annotations

import logging
import sys
from functools import partial

import uvicorn
from starlette.applications import Starlette
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from clickhouse_http.door import Door
from clickhouse_http.http_protocol import BoundedProtocol
from clickhouse_http.origins import guarded
from firehose import settings as project_settings
from firehose.areas import Area
from firehose.settings import Settings, SettingsError


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        SettingsError: an allowed origin is not an origin.
    """
    pages = Area.QUALITY.of(settings.lake_path)
    pages.mkdir(parents=True, exist_ok=True)
    app = Starlette(
        routes=[
            Route("/", lambda _request: RedirectResponse("/docs/")),
            Mount("/", StaticFiles(directory=pages, html=True)),
        ]
    )
    uvicorn.run(
        guarded(app, settings),
        http=partial(BoundedProtocol, door=Door.of(settings)),  # type: ignore[arg-type]  # it is only called
        ws="none",
        host="127.0.0.1",
        port=settings.docs_port,
        lifespan="off",
        access_log=False,
        server_header=False,
        log_level="warning",
    )


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        serve(project_settings.load())
    except SettingsError as error:
        sys.exit(f"firehose: {error}")
