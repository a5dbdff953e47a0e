"""The end of a schedule: everything is made healthy, all that is missing is taken in, and the oracle is asked."""

from __future__ import annotations

import random
import shutil
import signal
import sys
import time

from firehose.batch import manifest as manifests
from firehose.store import LocalLake
from ingester import errors
from ingester.contract import wire
from tests.fault.soak.faults import Fault
from tests.fault.soak.intervals import STEPS
from tests.fault.soak.oracle import Account, judge
from tests.fault.soak.pairs import PAIRS
from tests.fault.soak.schedule import FIRED, SUMMARY, Schedule, steps
from tests.support.ingester import stored
from tests.support.waiting import until


class Ending(Schedule):
    """What follows the last rule."""

    def teardown(self) -> None:
        """Make everything healthy, take in and process all that is missing, and ask the oracle."""
        try:
            if sys.exc_info()[0] is None:
                self._finish()
        finally:
            for run in self.running:
                run.signal(signal.SIGKILL)
                steps().wait(run)
            self.plant.close()
            shutil.rmtree(self.home, ignore_errors=True)

    def _finish(self) -> None:
        self._backfill()
        self._take_in_the_rest()
        self._process_the_rest()
        while left := self._left():
            # What a torn log has brought back, or a clock has put into a past interval, goes with the next batch.
            assert len(self.intervals.all) < 40, f"still in Redis: {left}"
            self._take_in_the_rest()
            self._process_the_rest()
        self._remove_what_no_manifest_names()
        speak = {host.protocol for host in self.plant.hosts}
        account = judge(self.plant.lake, self.tape, speak, forgotten=self.forgotten)
        self._judge_ingesters()
        self._count(account)

    def _remove_what_no_manifest_names(self) -> None:
        """What ``verify`` tells an operator to do where a drain died and Redis was lost before it ran again.

        The hosts were asked for these events again: the oracle, which counts no such file, sees that they came.
        """
        for interval in self.intervals.all:
            folder = manifests.folder_of(self.plant.lake, interval.batch)
            if interval.silent and any(folder.glob("*")) and manifests.read(LocalLake(folder)) is None:
                shutil.rmtree(folder)

    def _left(self) -> dict[str, int]:
        client = self.plant.buffer.client
        return {queue: left for queue in wire.QUEUES if (left := client.xlen(wire.stream_key(queue)))}

    def _count(self, account: Account) -> None:
        FIRED.count(Fault.REPEATED, account.dropped)
        FIRED.count(Fault.POISON, account.quarantined)
        FIRED.count(Fault.GAP, account.missing)
        self._count_protocols(account)
        FIRED.count(Fault.CLOCK_FORWARD, sum(step > 0 for _, step in self.tape.steps))
        FIRED.count(Fault.CLOCK_BACK, sum(step < 0 for _, step in self.tape.steps))
        SUMMARY.schedules += 1
        if SUMMARY.schedules % 10 == 0:
            print(f"{SUMMARY.schedules} schedules", file=sys.stderr, flush=True)
        SUMMARY.events += account.sent
        SUMMARY.delivered += account.delivered
        SUMMARY.missing += account.missing
        SUMMARY.intervals += len(self.intervals.all)
        SUMMARY.seconds += time.monotonic() - self.began

    def _count_protocols(self, account: Account) -> None:
        one, two = (host.protocol for host in self.plant.hosts)
        FIRED.count(PAIRS[one, two], self.spoken.seen <= {one, two} and one in self.spoken.seen)
        FIRED.count(Fault.SYNC, account.sync)
        FIRED.count(Fault.BROKEN_FRAME, account.frames)

    def _backfill(self) -> None:
        self._join()
        self.plant.disk.free()
        self._free_redis()
        self.plant.buffer.clock.advance()
        for host in self.plant.hosts:
            if not host.up:
                host.start()
                host.ready()

    def _take_in_the_rest(self) -> None:
        for ingester in self.plant.alive():
            ingester.kill()
        ingester = self._start("one")
        self._arrive(1, 0)
        # A good event, the last of all, once in Redis says that all before it have passed.
        while (last := self.tape.count - 1) in self.tape.odd | self.tape.only_v2:
            self._arrive(1, 0)
        until(lambda: ingester.said("event=connected") and self._holds(last), what="the last event is in Redis")
        self._look()
        assert ingester.stop(60) == errors.OK

    def _holds(self, number: int) -> bool:
        return any(self.tape.number(line) == number for line in stored(self.plant.buffer.client))

    def _process_the_rest(self) -> None:
        self.intervals.cut(self.plant.buffer.now_s() + 1)
        order = list(self.intervals.all)
        random.Random(len(order) * 1009 + self.tape.count).shuffle(order)
        for interval in order:
            # Entries that a torn log has brought back are deleted by a repeated drain.
            interval.silent = False
            interval.done.discard("drain")
            for step in STEPS:
                if step in interval.missing:  # a validation that is done again has to be published again
                    self._end(self._begin(interval, step))
            assert interval.silent or not interval.missing

    def _judge_ingesters(self) -> None:
        for ingester in self.plant.ingesters:
            code = ingester.ended()
            FIRED.count(Fault.INGESTER_FENCED, code == errors.FENCED)
            FIRED.count(Fault.INGESTER_SUPERSEDED, code == errors.SUPERSEDED)
            FIRED.count(Fault.INGESTER_STANDBY, ingester.said("event=standby"))
            FIRED.count(Fault.HOST_SWITCHED, ingester.said("event=host_switched"))
            FIRED.count(Fault.CURSOR_TOO_OLD, ingester.said("event=cursor_too_old"))
            FIRED.count(Fault.TIME_TOO_OLD, ingester.said("name=OutdatedCursor"))
            proof = ingester.proof.read_text() if ingester.proof.exists() else ""
            FIRED.count(Fault.INGESTER_CRASHED, FIRED.point(proof))
            known = [errors.OK, errors.UNWRITTEN, errors.FENCED, errors.SUPERSEDED, -signal.SIGKILL]
            said = ingester.log.read_text()
            if not said:
                known.append(-signal.SIGTERM)  # it was stopped before it had begun
            assert code in known and "Traceback" not in said, f"an ingester ended with {code}:\n{said}"
