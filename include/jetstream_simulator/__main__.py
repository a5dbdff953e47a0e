"""``python -m jetstream_simulator``: the simulator without the rest of the command line."""

from __future__ import annotations

import sys

import typer

from jetstream_simulator.command import simulate
from jetstream_simulator.errors import SimulatorError


def main() -> None:
    """Run it; an error of ours is one line and exit code 1."""
    try:
        typer.run(simulate)
    except SimulatorError as error:
        print(f"jetstream_simulator: {error}", file=sys.stderr)  # noqa: T201 - the one line that a user reads
        sys.exit(1)


if __name__ == "__main__":
    main()
