"""``python -m ingester``: reads the settings, runs the service, and turns its end into an exit code."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys

from ingester import errors, listener
from ingester.backoff import delays
from ingester.buffer.delivery import Delivery
from ingester.buffer.sink import Sink
from ingester.contract.logs import get_logger, setup
from ingester.contract.redis_access import INGESTER, RedisAccess
from ingester.contract.settings import IngesterSettings, SettingsError, read_settings
from ingester.health import Notifier
from ingester.jetstream.hosts import hosts
from ingester.service import Service

log = get_logger("ingester")


def main() -> int:
    """Run the ingester until a signal or an error ends it. Returns the exit code (see ``errors``)."""
    argparse.ArgumentParser(
        prog="python -m ingester",
        description="Reads Jetstream into Redis. Its settings are FIREHOSE_* variables; see docs/settings.md.",
    ).parse_args()
    os.umask(0o077)
    try:
        settings = read_settings(IngesterSettings)
        setup(settings.log_level)
        logging.getLogger("websockets").setLevel(logging.CRITICAL)  # the service reports its failures itself
        _tune()
        asyncio.run(_serve(settings))
    except SettingsError as error:
        print(f"ingester: {error}", file=sys.stderr)  # noqa: T201 - the log may not be set up yet
        return errors.SETTINGS
    except errors.IngesterError as error:
        log.error("fatal", reason=error)
        return error.exit_code
    return errors.OK


def _tune() -> None:
    """Tune Python for one busy loop beside one thread that compresses and waits for Redis."""
    # That thread needs the interpreter lock about ten times a flush: at the default of 5 ms each, it would be
    # slower than the loop that feeds it.
    sys.setswitchinterval(0.0005)
    # No object made for an event is part of a cycle, and the modules stay: a collection would find nothing.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


async def _serve(settings: IngesterSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    notifier = Notifier(os.environ)
    sink = Sink(RedisAccess.of(settings, INGESTER), settings.ingester_name, hosts(settings)[0].name)
    pauses = min(5.0, settings.backoff_max_s)
    delivery = Delivery(sink, settings, lambda: delays(0.05, pauses), notifier.progress)
    service = Service(settings, delivery, notifier)
    listener.start(settings.ingester_metrics, service.gauges)
    running = asyncio.create_task(service.run())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if running.done():
        running.result()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await service.stop()


if __name__ == "__main__":
    sys.exit(main())
