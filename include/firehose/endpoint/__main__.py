"""``python -m firehose.endpoint``: the same as ``firehose clickhouse``.

Lives here: turning the project's errors into one line and an exit code. Must not: anything else.
"""

from __future__ import annotations

import sys

from firehose.cli.clickhouse import clickhouse_serve
from firehose.errors import FirehoseError
from firehose.settings import SettingsError


def main() -> None:
    """Serve until stopped; exit 1 with one line on standard error where it cannot start."""
    try:
        clickhouse_serve()
    except (FirehoseError, SettingsError) as error:
        print(f"firehose: {error}", file=sys.stderr)  # noqa: T201 - the one line that a user reads
        sys.exit(1)


main()
