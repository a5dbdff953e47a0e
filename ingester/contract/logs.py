"""One style of log for every process: an event, then its fields as ``key=value``.

Lives here: the logger that modules use, and the format of a service's log. Records go through the standard
library's ``logging``, so each process decides where they go and in which format; Airflow does so for its tasks.
Must not: configure structlog globally, which Airflow does for itself.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from structlog.stdlib import BoundLogger, ProcessorFormatter
from structlog.typing import EventDict

#: What a record has besides its fields: Airflow's names, by which its task logs are ordered, and structlog's own.
_HEAD: Final = ("timestamp", "level", "logger", "event", "_record", "_from_structlog")


def get_logger(name: str) -> BoundLogger:
    """The logger ``name``: ``log.info("gaps loaded", gaps=3)``. An event is a constant, what varies is a field."""
    logger: BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        wrapper_class=BoundLogger,
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _traceback,
            _to_logging,
        ],
    )
    return logger.bind()


def logfmt(values: Mapping[str, object]) -> str:
    """``key=value …``; a value with spaces, quotes or line breaks is quoted as in JSON.

    structlog's own renderer writes other control characters as they come, and a hostile server's words are logged
    as well: they must not reach a terminal.
    """
    return " ".join(f"{key}={_shown(value)}" for key, value in values.items())


def fields(event: EventDict) -> dict[str, Any]:
    """The fields of an event that a formatter has got."""
    return {key: value for key, value in event.items() if key not in _HEAD}


def setup(level: str) -> None:
    """Make this process a service: log to standard error in logfmt, with ``ts`` in UTC and ``level``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(ProcessorFormatter(processors=[_service_line], foreign_pre_chain=[_traceback]))
    logging.basicConfig(level=level, handlers=[handler])


def _traceback(logger: Any, name: str, event: EventDict) -> EventDict:
    # Not as "exception", structlog's name: Airflow's log page takes that for a list of frames, and fails on text.
    event = structlog.processors.format_exc_info(logger, name, event)
    if text := event.pop("exception", ""):
        event["traceback"] = text
    return event


class _Message(dict[str, Any]):
    """An event for a formatter that knows structlog; any other one, pytest's say, shows it as logfmt."""

    def __str__(self) -> str:
        return logfmt({"event": self["event"]} | fields(self))


def _to_logging(logger: logging.Logger, name: str, event: EventDict) -> tuple[tuple[EventDict], dict[str, Any]]:
    # Airflow's JSON would show a path or an error as Python source.
    plain = {key: value if isinstance(value, str | int | float) else str(value) for key, value in event.items()}
    return ProcessorFormatter.wrap_for_formatter(logger, name, _Message(plain))


def _service_line(_: Any, __: str, event: EventDict) -> str:
    record: logging.LogRecord = event["_record"]
    ts = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    head = {"ts": ts, "level": record.levelname, "event": event["event"]}
    if not event["_from_structlog"]:
        head["logger"] = record.name  # a library's: its words alone may not say whose they are
    return logfmt(head | fields(event))


def _shown(value: object) -> str:
    text = str(value)
    return text if text and text.isprintable() and not set(text) & set(' "=') else json.dumps(text)
