"""Listening: the address, TLS, limits of connections. Must not: know what is answered."""

from __future__ import annotations

import errno
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Final

import uvicorn

from clickhouse_http.http.connection_limits import ConnectionLimits
from clickhouse_http.http.protocol import BoundedProtocol
from firehose import settings as project_settings
from firehose.errors import FirehoseError, ServiceUnavailable
from firehose.settings import Settings, SettingsError
from firehose_ui.app import create_app
from firehose_ui.place import Place, place
from ingester.contract import logs

_GRACE_S: Final = 2
_BACKLOG: Final = 256


def serve(settings: Settings) -> None:
    """Serve the page until SIGTERM or SIGINT.

    Raises:
        FirehoseError: it may not, or cannot, listen there.
    """
    where = place(settings)
    certificate, key = (_file(settings, name) for name in ("ui_certificate", "ui_key"))
    app = create_app(settings, where)
    config = uvicorn.Config(
        app,
        http=partial(BoundedProtocol, connection_limits=ConnectionLimits.of(settings.http_timeout_s)),  # type: ignore[arg-type]  # it is only called
        ws="none",
        ssl_certfile=certificate,
        ssl_keyfile=key,
        lifespan="off",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_config=None,
        log_level="warning",
        timeout_graceful_shutdown=_GRACE_S,
        timeout_keep_alive=30,
    )
    try:
        config.load()
    except OSError as error:
        raise FirehoseError(f"FIREHOSE_UI_CERTIFICATE and FIREHOSE_UI_KEY cannot be used: {error}") from None
    listener = _listener(where)
    print(f"listening on {where.url}", flush=True)  # noqa: T201 - what a process runner waits for
    uvicorn.Server(config).run([listener])


def _file(settings: Settings, name: str) -> str | None:
    value: str = getattr(settings, name)
    if not value:
        return None
    path = Path(value).expanduser()
    if not path.is_file():
        raise FirehoseError(f"FIREHOSE_{name.upper()}: there is no file {path}")
    return str(path)


def _listener(where: Place) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in where.host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((where.host, where.port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        why = "is already in use" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}"
        raise ServiceUnavailable(
            f"port {where.port} on {where.host} {why}; stop what listens there, or set FIREHOSE_UI_LISTEN"
        ) from None
    return listener


if __name__ == "__main__":
    try:
        settings = project_settings.load()
        logs.setup(settings.log_level)
        serve(settings)
    except (FirehoseError, SettingsError) as error:
        sys.exit(f"firehose: {error}")
