"""``firehose demo``: the command behind `make demo`."""

from __future__ import annotations

from typing import Annotated

import typer


def demo(
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Use the built-in simulator even where Jetstream can be reached.")
    ] = False,
    until_results: Annotated[
        bool, typer.Option("--until-results", help="Stop as soon as results can be queried.")
    ] = False,
) -> None:
    """Run the whole pipeline on this machine until Ctrl-C."""
    from devstack.demo.run import run
    from firehose.settings import load

    run(load(), simulated=simulate, until_results=until_results)
