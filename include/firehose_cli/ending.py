"""How every command ends: an expected error is one line and exit code 1. Files are for their owner only.

Must not: know any command.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from clickhouse_http import EndpointError
from firehose.errors import FirehoseError
from firehose.settings import SettingsError
from jetstream_simulator.errors import SimulatorError


@contextmanager
def one_line() -> Iterator[None]:
    """Run a command inside. Files and folders that it and its children make are for this user only.

    A umask that keeps others out already was chosen by somebody, say for a group that may read, and stays.
    """
    if (given := os.umask(0o077)) & 0o007 == 0o007:
        os.umask(given)
    try:
        yield
    except (FirehoseError, SettingsError, EndpointError, SimulatorError) as error:
        _end(str(error))
    except OSError as error:
        if error.filename is None:  # not about a file
            raise
        _end(f"{os.fsdecode(error.filename)}: {error.strerror}; name another place, or make this one usable")


def _end(text: str) -> None:
    print(f"firehose: {text}", file=sys.stderr)  # noqa: T201 - the one line that a user reads
    sys.exit(1)
