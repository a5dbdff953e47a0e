"""``python -m clickhouse_http FILE``: serves what a JSON file describes. Must not: anything else."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from clickhouse_http import EndpointError, serve
from clickhouse_http.config import from_json

_USAGE = "usage: python -m clickhouse_http CONFIG.json (or -, for standard input)"


def main(arguments: list[str]) -> None:
    """Serve until stopped; exit 1 with one line on standard error where it cannot start."""
    os.umask(0o077)
    if len(arguments) != 1 or arguments[0].startswith("--"):
        sys.exit(_USAGE)
    program = "clickhouse_http"
    try:
        config = from_json(_read(arguments[0]), arguments[0])
        program = config.program
        serve(config)
    except EndpointError as error:
        sys.exit(f"{program}: {error}")


def _read(source: str) -> bytes:
    if source == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(source).read_bytes()
    except OSError as error:
        sys.exit(f"clickhouse_http: {source}: {error.strerror}; {_USAGE}")


main(sys.argv[1:])
