"""The lines of a service's log, and what other formatters make of an event."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict

from ingester.contract.logs import get_logger

_SERVICE = """
import logging
from ingester.contract.logs import get_logger, setup
log = get_logger("a.b")
setup("INFO")
log.debug("hidden")
log.warning("x", a=1, b="two words", c='say "hi"\\n', d="", e=None, f=True, g="\\x1b[2J\\r", h=ValueError("no"))
try:
    1 / 0
except ZeroDivisionError:
    log.exception("two words", queue="posts")
    logging.getLogger("a.library").exception("100 %d", 3)
logging.getLogger("a.library").info("event=fake level=INFO\\nts=now")
import structlog
assert not structlog.is_configured(), "Airflow configures it for itself"
"""
_COMMAND = """
import logging
from firehose_cli import logs
from ingester.contract.logs import get_logger
logs.warnings_only()
get_logger("a.b").warning("two words", reason="no\\x1b[2J")
logging.getLogger("a.library").warning("no\\x1b[2J\\n12:00:00 fake")
logging.getLogger("a.library").info("hidden")
"""
_TS = r"ts=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00 "


def test_a_service_logs_one_line_for_each_event_its_own_and_a_librarys() -> None:
    done = subprocess.run([sys.executable, "-c", _SERVICE], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    own, own_failed, library_failed, library = done.stderr.splitlines()
    said = r'event=x a=1 b="two words" c="say \"hi\"\n" d="" e=None f=True g="\u001b[2J\r" h=no'
    assert re.fullmatch(_TS + re.escape("level=WARNING " + said), own)
    trace = r'traceback="Traceback \(most recent call last\):\\n.*\\nZeroDivisionError: division by zero"'
    assert re.fullmatch(_TS + 'level=ERROR event="two words" queue=posts ' + trace, own_failed)
    assert re.fullmatch(_TS + 'level=ERROR event="100 3" logger=a.library ' + trace, library_failed)
    assert re.fullmatch(_TS + r'level=INFO event="event=fake level=INFO\\nts=now" logger=a.library', library)


def test_a_commands_log_has_one_line_for_each_warning_and_shows_no_control_characters() -> None:
    done = subprocess.run([sys.executable, "-c", _COMMAND], capture_output=True, text=True, check=True)
    own, library = (line.partition(" ")[2] for line in done.stderr.splitlines())
    assert own == r'warning: two words reason="no\u001b[2J"'
    assert library == r'warning: "no\u001b[2J\n12:00:00 fake"'


def test_a_formatter_of_structlog_gets_the_fields_and_any_other_one_gets_logfmt(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[EventDict] = []

    def keep(_: object, __: str, event: EventDict) -> str:
        seen.append(event)
        return ""

    # As Airflow sets it up, which then orders a task's log by timestamp, level and event.
    airflow = ProcessorFormatter(processors=[ProcessorFormatter.remove_processors_meta, keep])
    with caplog.at_level(logging.INFO):
        try:
            raise OSError("no")
        except OSError as error:
            get_logger("a.b").exception("failed", file=Path("/a"), gaps=3, reason=error)
    (record,) = caplog.records
    assert record.getMessage().startswith('event=failed file=/a gaps=3 reason=no traceback="')
    airflow.format(record)
    assert isinstance(seen[0].pop("timestamp"), str)
    assert seen[0].pop("traceback").endswith("OSError: no"), "its page takes 'exception' for a list of frames"
    plain = {"file": "/a", "gaps": 3, "reason": "no"}
    assert seen == [{"logger": "a.b", "level": "error", "event": "failed"} | plain]
