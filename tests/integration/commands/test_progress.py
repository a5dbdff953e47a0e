"""Bars on a terminal, and none in a pipe; what goes to standard output is the same in both."""

from __future__ import annotations

import os
import pty
import subprocess
import threading
from pathlib import Path

import pytest
import redis

from firehose.settings import Settings
from tests.support.command import FIREHOSE
from tests.support.frames import minutes
from tests.support.maintained import LIKES, published


@pytest.fixture
def settings(tmp_path: Path, redis_url: str, redis_client: redis.Redis) -> Settings:
    settings = Settings(home=str(tmp_path), lake=str(tmp_path / "lake"), redis_url=redis_url)
    first, second = minutes(2)
    published(settings, redis_client, {first: LIKES[:40], second: LIKES[40:70]})
    return settings


def environment(settings: Settings) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": settings.home,
        "FIREHOSE_HOME": settings.home,
        "FIREHOSE_LAKE": settings.lake,
        "TERM": "xterm",
        "COLUMNS": "160",
    }


def on_terminal(settings: Settings, *arguments: str) -> tuple[bytes, bytes, int]:
    """Standard output through a pipe, what the terminal got on standard error, and the exit status."""
    ours, theirs = pty.openpty()
    shown = bytearray()

    def read() -> None:
        while True:
            try:
                shown.extend(os.read(ours, 65536))
            except OSError:  # the other end is closed
                return

    reader = threading.Thread(target=read)
    reader.start()
    done = subprocess.run(
        [FIREHOSE, *arguments], stdout=subprocess.PIPE, stderr=theirs, env=environment(settings), check=False
    )
    os.close(theirs)
    reader.join(30)
    os.close(ours)
    return done.stdout, bytes(shown), done.returncode


def test_a_terminal_sees_bars_and_a_pipe_does_not(settings: Settings) -> None:
    piped = subprocess.run(
        [FIREHOSE, "verify", "--json"], capture_output=True, env=environment(settings), check=False
    )
    assert (piped.returncode, piped.stderr) == (0, b"")
    out, shown, code = on_terminal(settings, "verify", "--json")
    assert (code, out) == (0, piped.stdout)
    assert b"verifying likes" in shown
    assert b" files" in shown and b"of 0 files" not in shown


def test_a_command_without_long_work_shows_none(settings: Settings) -> None:
    out, shown, code = on_terminal(settings, "settings")
    assert (code, shown) == (0, b"")
    assert out.startswith(b"# Settings")
