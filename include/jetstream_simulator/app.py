"""Puts the simulator together and runs it until a signal.

Lives here: one run from options to exit. Must not: parsing a command line.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from jetstream_simulator import frames
from jetstream_simulator.errors import SimulatorError
from jetstream_simulator.event_log import EventLog
from jetstream_simulator.feed import Feed
from jetstream_simulator.server import Simulator
from jetstream_simulator.sources import Generated, Omitting, Replayed, Source
from jetstream_simulator.v2.gate import OPEN, GateOptions
from jetstream_simulator.v2.host import HostOptions
from jetstream_simulator.v2.sources import Imported, Numbered, Synced
from jetstream_simulator.v2.xrpc import Dictionary


@dataclass(frozen=True, kw_only=True)
class Config:
    """A simulator's options. ``rate`` and ``client_rate`` are in events a second, 0 for no limit."""

    host: str
    port: int
    rate: float
    events: int = 0
    seed: int = 0
    malformed: float = 0.0
    replay: tuple[Path, ...] = ()
    loop: bool = False
    keep_invalid: bool = False
    dictionary: Path | None = None
    retention_events: int = 1_000_000
    retention_bytes: int = 1 << 30
    record: Path | None = None
    start_us: int | None = None
    outbox: int = 10_000
    client_rate: float = 0.0
    v2_host: bool = False
    v2_dictionary: Path | None = None
    first_seq: int = 1
    lookback: int = 0
    sync: float = 0.0
    resync: int = 0
    imported: float | None = None
    segment_events: int = 16_384
    block_events: int = 1024
    plan_entries: int = 100_000
    gate: GateOptions = OPEN
    warm_up_s: float = 0.0
    omit: str = ""
    omit_after: int = 0
    end_with_input: bool = False

    @property
    def finite(self) -> bool:
        """True if the events come to an end. Then they begin with the first client, so that it misses none."""
        return bool(self.events or (self.replay and not self.loop))


async def run(config: Config, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM, SIGINT or the end of the input. ``announce`` is called once, with where to subscribe.

    Raises:
        SimulatorError: the address is taken, a file cannot be read, or the input cannot be waited for.
    """
    clock_us = _clock(config.start_us)
    compressor = frames.compressor(config.dictionary) if config.dictionary else None
    v2 = _host_options(config)
    event_log = EventLog(config.retention_events, config.retention_bytes)
    with ExitStack() as stack:
        feed = Feed(
            event_log,
            _source(config),
            clock_us,
            rate=config.rate,
            limit=config.events,
            waits=config.finite,
            outbox=config.outbox,
            record=stack.enter_context(_writable(config.record)) if config.record else None,
        )
        simulator = Simulator(
            event_log,
            feed,
            clock_us,
            compressor=compressor,
            client_rate=config.client_rate,
            v2=v2,
            warm_up_s=config.warm_up_s,
        )
        server = await simulator.listen(config.host, config.port)
        feeding = asyncio.create_task(feed.run())
        try:
            host = f"[{config.host}]" if ":" in config.host else config.host
            announce(f"ws://{host}:{server.sockets[0].getsockname()[1]}/subscribe")
            await _until_stopped(feeding, with_input=config.end_with_input)
        finally:
            feeding.cancel()
            await simulator.close(server)


async def _until_stopped(feeding: asyncio.Task[None], *, with_input: bool) -> None:
    """Until a signal, the end of the input, or an error of the feed; its mere end keeps the server up.

    Raises:
        SimulatorError: the source cannot be read, or the input cannot be waited for.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    if with_input:
        try:
            loop.add_reader(0, _read_input, stopped)
        except OSError as error:  # a file, /dev/null, or none at all: these have no end to wait for
            said = "--end-with-input: the input is not a pipe or a terminal; give it one, or leave the option out"
            raise SimulatorError(said) from error
    stopping = asyncio.create_task(stopped.wait())
    await asyncio.wait({feeding, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if feeding.done():
        feeding.result()
        await stopping


def _read_input(stopped: asyncio.Event) -> None:
    if not os.read(0, 4096):
        asyncio.get_running_loop().remove_reader(0)
        stopped.set()


def _source(config: Config) -> Source:
    source = _own_source(config)
    if config.omit:
        source = Omitting(source, config.omit, config.omit_after)
    if config.sync:
        source = Synced(source, config.sync, config.seed, config.resync)
    if config.imported is not None:
        source = Imported(source, config.imported, config.seed)
    return Numbered(source, config.first_seq) if config.v2_host else source


def _own_source(config: Config) -> Source:
    if not config.replay:
        return Generated(config.seed, config.malformed, config.rate)
    for path in config.replay:
        if not path.is_file():
            raise SimulatorError(f"replay: no file at {path}; name recorded events, one JSON object a line")
    return Replayed(config.replay, loop=config.loop, keep_invalid=config.keep_invalid)


def _host_options(config: Config) -> HostOptions:
    return HostOptions(
        v1_cursors=config.v2_host,
        first_seq=config.first_seq,
        lookback=config.lookback,
        ahead=config.finite,
        dictionary=_dictionary(config.v2_dictionary) if config.v2_dictionary else None,
        segment_events=config.segment_events,
        block_events=config.block_events,
        plan_entries=config.plan_entries,
        gate=config.gate,
    )


def _dictionary(path: Path) -> Dictionary:
    dictionary = Dictionary(frames.dictionary(path), frames.compressor(path))
    if not dictionary.id:
        raise SimulatorError(f"dictionary {path}: it has no id; name a trained zstd dictionary")
    return dictionary


def _writable(path: Path) -> BinaryIO:
    try:
        return path.open("wb")
    except OSError as error:
        raise SimulatorError(f"record {path}: {error.strerror}; name a file that can be written") from error


def _clock(start_us: int | None) -> Callable[[], int]:
    """Microseconds since the epoch: the wall clock, or one that begins at ``start_us`` now."""
    offset_us = 0 if start_us is None else start_us - time.time_ns() // 1000
    return lambda: time.time_ns() // 1000 + offset_us
