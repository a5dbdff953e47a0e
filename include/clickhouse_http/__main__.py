"""``python -m clickhouse_http``: the same as ``firehose clickhouse``. Must not: anything else."""

from __future__ import annotations

from firehose_cli.clickhouse import clickhouse_serve
from firehose_cli.ending import one_line


def main() -> None:
    """Serve until stopped; exit 1 with one line on standard error where it cannot start."""
    with one_line():
        clickhouse_serve()


main()
