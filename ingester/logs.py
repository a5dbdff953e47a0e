"""Log lines of the form ``event=… key=value``, one a line, on standard error."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime


def line(event: str, **fields: object) -> str:
    """``event`` and its fields; a value with spaces, quotes or line breaks is quoted as in JSON."""
    return " ".join([f"event={event}", *(f"{key}={_shown(value)}" for key, value in fields.items())])


def renamed(old: str, new: str, **fields: object) -> str:
    """The line of an event under its old name, which is written beside the new one for one version."""
    return line(old, renamed_to=new, **fields)


def setup(level: str) -> None:
    """Log to standard error, in UTC."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter())
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # the service reports its failures itself


class _Formatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("ts=%(asctime)s level=%(levelname)s %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _shown(value: object) -> str:
    text = str(value)
    return text if text and text.isprintable() and not set(text) & set(' "=') else json.dumps(text)
