"""``python -m devstack.demo.docs_server``: serves the lake's quality pages on this machine.

Lives here: static files, read only, for allowed hosts. Must not: make the pages.
"""

from __future__ import annotations

import sys
from functools import partial

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from clickhouse_http.http.connection_limits import ConnectionLimits
from clickhouse_http.http.origins import guarded
from clickhouse_http.http.protocol import BoundedProtocol
from devstack.embedded.clickhouse import endpoint_config
from firehose import settings as project_settings
from firehose.areas import Area
from firehose.settings import Settings, SettingsError
from ingester.contract import logs


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        SettingsError: an allowed origin is not an origin.
    """
    pages = Area.QUALITY.of(settings.local_lake)
    pages.mkdir(parents=True, exist_ok=True)
    config = endpoint_config(settings)
    app = Starlette(routes=[Mount("/", StaticFiles(directory=pages, html=True))])
    uvicorn.run(
        guarded(app, config),
        http=partial(BoundedProtocol, connection_limits=ConnectionLimits.of(config.timeout_s)),  # type: ignore[arg-type]  # it is only called
        ws="none",
        host="127.0.0.1",
        port=settings.docs_port,
        lifespan="off",
        access_log=False,
        server_header=False,
        log_config=None,
        log_level="warning",
    )


if __name__ == "__main__":
    logs.setup("WARNING")
    try:
        serve(project_settings.load())
    except SettingsError as error:
        sys.exit(f"firehose: {error}")
