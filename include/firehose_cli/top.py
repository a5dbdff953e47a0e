"""``firehose top``: what passes now, by type; what waits, and what is at work.

Lives here: options, the screen. Must not: look (firehose.observe), compute rates (firehose.observe.rates).
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Group

    from firehose.observe.rates import Rates, Sampler


def top(
    every: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks, over which rates are.")] = 2,
    once: Annotated[bool, typer.Option("--once", help="Print one sample and end; the default in a pipe.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object for each sample; with --once, one.")
    ] = False,
) -> None:
    """Show events a second by type, lag, what waits in Redis, and the batches at work. Ctrl-C ends it."""
    from firehose.observe.rates import Sampler
    from firehose.settings import load
    from firehose_cli.console import stdout, until_closed

    sampler = Sampler(load())
    console = stdout()
    with until_closed(), suppress(KeyboardInterrupt):
        if as_json:
            while True:
                _print_json(_next(sampler, every))
                if once:
                    return
        if once or not console.is_terminal:
            console.print(_screen(_next(sampler, every)))
        else:
            _redraw(sampler, every)


def _next(sampler: Sampler, every: float) -> Rates:
    time.sleep(every)
    return sampler.sample()


def _redraw(sampler: Sampler, every: float) -> None:
    from rich.live import Live

    from firehose_cli.console import stdout

    with Live(_screen(_next(sampler, every)), console=stdout(), auto_refresh=False) as live:
        while True:
            live.update(_screen(_next(sampler, every)), refresh=True)


def _screen(rates: Rates) -> Group:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from firehose_cli.console import harmless

    table = Table("type", "events/s", "frames waiting", "events waiting", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    queues = rates.buffer.queues if rates.buffer else {}
    for queue in rates.ingester.queue_events:
        rate = "?" if rates.events_per_s is None else f"{rates.events_per_s[queue]:,.1f}"
        depth = queues.get(queue)
        frames = f"{depth.frames:,}" if depth else "?"
        events = f"{depth.events:,}" if depth and depth.events is not None else "?"
        table.add_row(queue, rate, frames, events)
    total = "?" if rates.total is None else f"{rates.total:,.1f}"
    frames = f"{rates.buffer.frames:,}" if rates.buffer else "?"
    waiting = rates.buffer.events if rates.buffer else None
    table.add_row(
        *(Text(each, style="bold") for each in ("all", total, frames, "?" if waiting is None else f"{waiting:,}"))
    )
    lag = "?" if rates.ingester.lag_s is None else f"{rates.ingester.lag_s:.1f} s"
    lines = [f"{rates.ingester.host or 'no host'}, lag {lag}; newest batch {rates.newest or 'none'}"]
    lines += [f"at work: {each.batch}, drained {each.age_s:.0f} s ago" for each in rates.running]
    lines += [f"{part}: {why}" for part, why in rates.unknown.items()]
    return Group(table, *(Text(harmless(line)) for line in lines))


def _print_json(rates: Rates) -> None:
    import msgspec

    sys.stdout.buffer.write(msgspec.json.encode(rates) + b"\n")
    sys.stdout.buffer.flush()
