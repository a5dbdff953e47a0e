"""``firehose metrics``: the exporter, as a service or once."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
    from firehose.settings import Settings

app = typer.Typer(help="Numbers for Prometheus: of buffer, batches, storage, queries and this machine.")


@app.command()
def serve(
    listen: Annotated[str, typer.Option(help="HOST:PORT instead of FIREHOSE_EXPORTER_LISTEN.")] = "",
) -> None:
    """Serve /metrics until stopped: what Redis, lake, ClickHouse, Airflow and this machine say."""
    from firehose.errors import ServiceUnavailable
    from firehose.exporter.look import Looker
    from firehose.settings import load
    from ingester.contract import logs, scrape

    settings = load(**({"exporter_listen": listen} if listen else {}))
    logs.setup(settings.log_level)
    try:
        looker, stop = Looker(settings), threading.Event()
        server = scrape.listener(settings.exporter_listen, scrape.registry(looker.seen))
    except OSError as error:
        raise ServiceUnavailable(
            f"{settings.exporter_listen}: {error.strerror}; stop what listens there, or set "
            "FIREHOSE_EXPORTER_LISTEN"
        ) from None
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with _alone(settings):
        threading.Thread(target=server.serve_forever, name="scrape", daemon=True).start()
        typer.echo(f"listening on http://{settings.exporter_listen}/metrics")
        looker.keep_looking(stop)


@app.command()
def show(
    textfile: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads it at run time
        typer.Option(help="Write to this file, whole or not at all, for node_exporter's textfile collector."),
    ] = None,
) -> None:
    """Look once, and print every metric."""
    from prometheus_client import generate_latest, write_to_textfile

    from firehose.exporter.look import Looker
    from firehose.settings import load
    from ingester.contract import scrape

    settings = load()
    with nullcontext() if textfile is None else _alone(settings):
        looker = Looker(settings, keep=textfile is not None)
        looker.look(math.inf)
        made = scrape.registry(looker.seen, process=False)
        if textfile is None:
            typer.echo(generate_latest(made).decode(), nl=False)
        else:
            write_to_textfile(str(textfile), made)


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Keep others from writing the same sums."""
    from firehose.errors import LockTaken
    from firehose.exporter.look import folder

    try:
        with (folder(settings) / "lock").lock(wait_s=0):
            yield
    except LockTaken as error:
        raise LockTaken(
            f"{folder(settings)} is in use by another `firehose metrics`: stop that one, or read what it serves"
        ) from error
