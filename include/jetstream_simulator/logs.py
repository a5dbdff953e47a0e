"""The simulator's log: an event, then its fields as ``key=value``, through the standard library's ``logging``.

Lives here: the logger that modules use, and the format of the simulator's own process. Must not: configure
structlog globally, since a test may run the simulator in its own process.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from structlog.stdlib import BoundLogger, ProcessorFormatter
from structlog.typing import EventDict

_LOGFMT: Final = structlog.processors.LogfmtRenderer(key_order=["ts", "level", "event"])


def get_logger(name: str) -> BoundLogger:
    """The logger ``name``: ``log.info("client gone", reason=error)``."""
    logger: BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        wrapper_class=BoundLogger,
        processors=[structlog.stdlib.filter_by_level, ProcessorFormatter.wrap_for_formatter],
    )
    return logger.bind()


def setup() -> None:
    """Log to standard error in logfmt, with ``ts`` in UTC and ``level``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(ProcessorFormatter(processors=[_head, structlog.processors.format_exc_info, _line]))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("websockets").setLevel(logging.WARNING)


def _head(_: Any, __: str, event: EventDict) -> EventDict:
    record: logging.LogRecord = event.pop("_record")
    del event["_from_structlog"]
    ts = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    return {"ts": ts, "level": record.levelname, **event}


def _line(logger: Any, name: str, event: EventDict) -> str:
    """The event in logfmt, without the control characters that structlog leaves in it: a client may send them."""
    line = _LOGFMT(logger, name, event)
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in line)
