"""What a command logs: readable lines on standard error, since its results go to standard output.

Lives here: the format on a terminal. Must not: set up a service's log (``ingester.contract.logs``).
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict

from ingester.contract.logs import fields, logfmt


def warnings_only() -> None:
    """Show warnings and errors. A command that sets up a log of its own, a service's, has that one instead."""
    # The driver logs the errors that it raises as well, and a user is to read one line.
    logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_formatter())


def progress() -> None:
    """Show each step of a long command as well."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def _formatter() -> logging.Formatter:
    return ProcessorFormatter(
        processors=[structlog.processors.format_exc_info, structlog.processors.TimeStamper("%H:%M:%S"), _line]
    )


def _line(_: Any, __: str, event: EventDict) -> str:
    """``12:30:05 warning: its event key=value``, as a terminal may show it."""
    record: logging.LogRecord = event["_record"]
    level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
    said = str(event["event"])
    if not said.isprintable():  # a library's words, which may repeat a server's
        said = json.dumps(said)
    return f"{event['timestamp']} {level}{said} {logfmt(fields(event))}".rstrip()
