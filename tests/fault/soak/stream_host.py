"""A Jetstream host of a schedule as its processes: started, killed, told what to send, made to forget.

Lives here: the one host. What its process does is in ``host``. Must not: choose what happens.
"""

from __future__ import annotations

import os
import subprocess
import sys

from ingester.jetstream.hosts import V1, V2, V2_METHOD
from tests.fault.soak.ports import port
from tests.fault.soak.steps import REPOSITORY
from tests.fault.soak.tape import Message


class Host:
    """A Jetstream host that can be killed and comes back with what it has retained.

    ``protocol`` is what ingesters are to ask it for; over v2 its events are numbered from ``first_seq`` on.
    """

    def __init__(self, first_seq: int) -> None:
        self.port = port()
        self.protocol = V1
        self.messages: list[Message] = []
        self._first_seq, self._forgotten = first_seq, 0
        self._process: subprocess.Popen[bytes] | None = None
        self._told = 0

    @property
    def url(self) -> str:
        """Its address, as ``FIREHOSE_JETSTREAM_URL`` takes it."""
        path = f"xrpc/{V2_METHOD}" if self.protocol == V2 else "subscribe"
        return f"ws://{self.name}/{path}"

    @property
    def name(self) -> str:
        """As ingesters name it."""
        return f"127.0.0.1:{self.port}"

    @property
    def up(self) -> bool:
        """Whether it runs."""
        return self._process is not None

    def start(self) -> None:
        """Start it with all that it has sent so far; :meth:`ready` waits until it listens."""
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.fault.soak.host",
                *map(str, (self.port, self._first_seq, self._forgotten)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
            env=os.environ | {"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'include'}"},
        )
        self._tell(self.messages)

    def ready(self) -> None:
        """Wait until it listens and has put everything on its stream."""
        assert self._process is not None
        assert self._process.stdout is not None
        while self._told:
            self._told -= 1
            assert self._process.stdout.readline(), "the host has ended"

    def put(self, messages: list[Message]) -> None:
        """Put events on its stream; one that is down has them when it comes back."""
        self.messages += messages
        if self.up:
            self._tell(messages)
            self.ready()

    def forget(self, retained: int) -> None:
        """Keep the newest events only, and their numbers; for a host that is down."""
        forgotten = max(0, len(self.messages) - retained)
        self._forgotten += forgotten
        del self.messages[:forgotten]

    def count_again(self, by: int) -> bool:
        """Give the events that it has other sequence numbers, as a rebuilt host does; for a host that is down.

        False: they are the same ones, since none is below 1.
        """
        before = self._first_seq + self._forgotten
        self._first_seq, self._forgotten = max(1, before + by), 0
        return self._first_seq != before

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process, self._told = None, 0

    def _tell(self, messages: list[Message]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(b"".join(b"%d %d %s\n" % message for message in messages) + b"\n")
        self._process.stdin.flush()
        self._told += 1
