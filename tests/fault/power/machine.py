"""A machine whose power fails: steps run on its disk in processes of their own, recorded, and end as a test says.

Lives here: the recorded runs, and Redis and lake as they may be found afterwards. Must not: say what is right.
"""

from __future__ import annotations

import os
import shutil
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import redis

from firehose.settings import Settings
from ingester.contract import crash
from tests.fault.power import disk, redis_watch
from tests.fault.power.disk import Tree
from tests.fault.power.journal import Began, Deleted, Event, Journal, Returned, Synced
from tests.fault.power.recorder import Failing, Recorder
from tests.support.logins import PASSWORDS

Step = Callable[[Settings], object]


class Ended(NamedTuple):
    """How a recorded process ended: its exit code (a signal is negative), what it said, its number of fsyncs."""

    code: int
    said: str
    syncs: int


class Found(NamedTuple):
    """A disk that a power loss left after ``event``; ``returned`` are the steps that were through by then.

    ``client`` may do everything in Redis, as it was then.
    """

    event: Event
    number: int
    settings: Settings
    client: redis.Redis
    returned: tuple[str, ...]


class Machine:
    """One disk and its Redis. The lake is not there at first, nor is the folder that it lies in."""

    def __init__(self, home: Path, client: redis.Redis, url: str) -> None:
        self.home, self.client, self._url = home, client, url
        self.root = home / "disk"
        self.root.mkdir(parents=True)
        self.journal = Journal(home / "journal")
        self._before: dict[bytes, bytes] | None = None
        self.settings = self._settings(self.root)

    def _settings(self, root: Path) -> Settings:
        # A home below the root: nothing above the lake itself is durable by being there already.
        return Settings(
            home=str(root / "home"),
            lake=str(root / "home" / "lake"),
            redis_url=self._url,
            redis_passwords=PASSWORDS,
        )

    def run(self, *steps: Step, at: str = "", fail_sync: int = 0, fail_sync_of: str = "") -> Ended:
        """Run steps; ``at`` kills the process at a crash point.

        ``fail_sync`` lets an fsync fail, by its number from 1 on; ``fail_sync_of`` the first one of such a path.
        """
        told, proof = self.home / "said", self.home / "proof"
        told.unlink(missing_ok=True)
        proof.unlink(missing_ok=True)
        if self._before is None:
            self._before = redis_watch.held(self.client)
        child = os.fork()
        if not child:
            code = 1
            try:
                environ = {crash.AT: at, crash.PROOF: str(proof)} if at else {}
                code = self._in_child(told, steps, environ, (fail_sync, fail_sync_of))
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said, syncs = msgspec.json.decode(told.read_bytes(), type=tuple[str, int]) if told.exists() else ("", 0)
        return Ended(code, said, syncs)

    @property
    def proof(self) -> str:
        """What the process that was last run has left at its crash point: the point, or nothing."""
        path = self.home / "proof"
        return path.read_text() if path.exists() else ""

    def _in_child(self, told: Path, steps: tuple[Step, ...], environ: dict[str, str], fails: Failing) -> int:
        recorder = Recorder(self.root, self.journal, fails)
        said, code = "", 0
        try:
            crash.arm(environ)
            recorder.watch()
            redis_watch.watch(self.client, recorder.emptied)
            for step in steps:
                step(self.settings)
                recorder.returned(getattr(step, "__name__", ""))
        except BaseException as error:  # noqa: BLE001 - the parent's copy of this stack must not go on
            said, code = f"{type(error).__name__}: {error}", 1
            traceback.print_exc()
        told.write_bytes(msgspec.json.encode((said, recorder.syncs)))
        return code

    def syncs_of_interest(self) -> list[int]:
        """Of what was run: the last sync of each file with content and of each folder, by number."""
        last, number = dict[int, int](), 0
        began = False  # what was there before counts as synced in the journal's beginning
        for event, now in disk.replay(self.journal.events()):
            began = began or isinstance(event, Began)
            if began and isinstance(event, Synced):
                number += 1
                node = now.nodes[event.node]
                if node.folder or self.journal.content(node.now):
                    last[event.node] = number
        return sorted(last.values())

    def power_losses(self, at: Callable[[Event], bool]) -> Iterator[Found]:
        """Every disk that a power loss just after one of these events leaves, with Redis as it was then.

        What is found lies in a folder of its own until the next one is asked for.
        """
        assert self._before is not None, "nothing was run"
        held, began = self._before, False  # what was there before is not to be lost
        number, returned, seen = 0, list[str](), set[tuple[object, ...]]()
        for event, now in disk.replay(self.journal.events()):
            if isinstance(event, Returned):
                returned.append(event.step)
            if isinstance(event, Deleted):
                held = self.journal.redis(event.content)
            began = began or isinstance(event, Began)
            if not began or not at(event):
                continue
            for tree in now.left_over(self.journal):
                key = (frozenset(tree.items()), frozenset(held.items()), len(returned))
                if key in seen:
                    continue
                seen.add(key)
                number += 1
                with self._found(tree, held) as settings:
                    yield Found(event, number, settings, self.client, tuple(returned))

    @contextmanager
    def _found(self, tree: Tree, held: dict[bytes, bytes]) -> Iterator[Settings]:
        root = self.home / "found"
        disk.write(tree, root)
        self.restore(held)
        try:
            yield self._settings(root)
        finally:
            shutil.rmtree(root)

    def restore(self, held: dict[bytes, bytes]) -> None:
        """Let Redis hold this."""
        self.client.flushall()
        for key, value in held.items():
            self.client.restore(key, 0, value)
