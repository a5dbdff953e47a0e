"""``python -m firehose.simulator``: the simulator without the rest of the command line."""

from __future__ import annotations

import sys

import typer

from firehose.errors import FirehoseError
from firehose.simulator.command import simulate


def main() -> None:
    """Run it; an error of ours is one line and exit code 1."""
    try:
        typer.run(simulate)
    except FirehoseError as error:
        print(f"firehose: {error}", file=sys.stderr)  # noqa: T201 - the one line that a user reads
        sys.exit(1)


if __name__ == "__main__":
    main()
