"""The command that makes an old store: its options, and the lines that say what it made.

Lives here: the command line. Must not: decide what is in a store.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jetstream_simulator.generate import DEFAULT_START_US
from jetstream_simulator.old_store.making import LISTING, STORE, make
from jetstream_simulator.old_store.plan import Plan


def simulate_old(
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
    records: Annotated[int, typer.Option(min=1, help="Events that the old system listened to.")] = 10_000,
    days: Annotated[int, typer.Option(min=1, help="Days that they are spread over.")] = 30,
    seed: Annotated[int, typer.Option(help="The same seed makes the same store.")] = 0,
    start_us: Annotated[int, typer.Option(help="When the days begin, in microseconds.")] = DEFAULT_START_US,
    files: Annotated[float, typer.Option(min=0, max=1, help="Share of records as JSON files of their own.")] = 0.1,
    copies: Annotated[float, typer.Option(min=0, max=1, help="Share of records in two stores.")] = 0.02,
    gaps: Annotated[float, typer.Option(min=0, max=1, help="Share of time lost at restarts.")] = 0.0,
    cleared: Annotated[float, typer.Option(min=0, max=1, help="Share of JSON files lost with the cache.")] = 0.0,
    likes_lost: Annotated[bool, typer.Option(help="No likes and follows as JSON files.")] = False,
    altered: Annotated[float, typer.Option(min=0, max=1, help="Share of posts with another text.")] = 0.0,
    only_old: Annotated[int, typer.Option(min=0, help="Posts that the stream never had.")] = 0,
    faults: Annotated[int, typer.Option(min=0, help="How often each fault is planted.")] = 0,
    foreign: Annotated[bool, typer.Option(help="Plant a file that the old system never wrote.")] = False,
    wal: Annotated[bool, typer.Option(help="Leave rows of the queues in write-ahead logs.")] = False,
) -> None:
    """Make a store of the old file-based system out of synthetic events, and a listing of what is in it."""
    plan = Plan(
        records=records,
        days=days,
        seed=seed,
        start_us=start_us,
        files=files,
        copies=copies,
        gaps=gaps,
        cleared=cleared,
        likes_lost=likes_lost,
        altered=altered,
        only_old=only_old,
        faults=faults,
        foreign=foreign,
        wal=wal,
    )
    count = make(folder, plan)
    typer.echo(f"{folder / STORE}: " + ", ".join(f"{number} {name}" for name, number in sorted(count.items())))
    typer.echo(f"{folder / LISTING}: a line for each event: where it is, what was lost, what was planted")
    options = f"--events {records} --seed {seed} --start {start_us} --rate {plan.rate!r}"
    typer.echo(f"the same events: firehose simulate {options}")
