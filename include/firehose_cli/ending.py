"""How every command ends: an expected error is one line and an exit code. Files are for their owner only.

Must not: know any command.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from clickhouse_http import EndpointError
from firehose.errors import FirehoseError, ServiceUnavailable
from firehose.settings import SettingsError
from firehose_cli.exit_codes import ExitCode
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
        may_pass = isinstance(error, ServiceUnavailable)
        _end(f"{error}{_name(error)}", ExitCode.UNAVAILABLE if may_pass else ExitCode.FAILED)
    except OSError as error:
        if error.filename is None:  # not about a file
            raise
        said = f"{os.fsdecode(error.filename)}: {error.strerror}; name another place, or make this one usable"
        _end(said, ExitCode.FAILED)


def _name(error: Exception) -> str:
    """`` [LakeChanged]``: what `firehose explain` takes. The base class says nothing more than its message."""
    from firehose_cli.explanations.errors import name_of

    return "" if type(error) is FirehoseError else f" [{name_of(error)}]"


def _end(text: str, code: ExitCode) -> None:
    print(f"firehose: {text}", file=sys.stderr)  # noqa: T201 - the one line that a user reads
    sys.exit(code)
