"""The lines of the simulator's log."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import logging
from jetstream_simulator.logs import get_logger, setup
setup()
get_logger("a.b").warning("two words", events=3, reason="no\\x1b[2J")
try:
    raise ValueError("no\\x1b[2J")
except ValueError:
    logging.getLogger("websockets").exception("opening handshake failed")
"""


def test_each_event_is_one_line_without_control_characters() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    own, library = (line.partition(" ")[2] for line in done.stderr.splitlines())
    assert own == r'level=WARNING event="two words" events=3 reason=no\x1b[2J'
    assert library.startswith('level=ERROR event="opening handshake failed" exception="Traceback ')
    assert library.endswith(r'\nValueError: no\x1b[2J"')
