"""The rules about the lake's disk: no room, and finished files that lose their end."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from firehose.errors import CorruptLake
from firehose.lake import layout
from firehose.lake.ledger import read_ledger
from firehose.lake.rebuild import differing, rebuild
from firehose.lake.verify import verify
from firehose.store import LocalLake
from tests.fault.soak.faults import Fault
from tests.fault.soak.schedule import FIRED, WHICH, Schedule
from tests.fault.soak.tear import choose, hour_files


class DiskRules(Schedule):
    """What happens to the lake's disk."""

    @rule(which=WHICH, left=st.integers(0, 100_000))
    def step_on_a_full_disk(self, which: int, left: int) -> None:
        """The disk is full while the next step of an interval runs, and has room again when it has failed."""
        if interval := self._unfinished(which):
            self._fill(left)
            self._end(self._begin(interval, interval.missing[0]))
            self.plant.disk.free()

    @rule(left=st.integers(0, 60_000))
    def fill_disk(self, left: int) -> None:
        """The lake's disk has room for a few bytes."""
        if not self.plant.disk.full:
            self._fill(left)

    @rule()
    def free_disk(self) -> None:
        """And room again."""
        self.plant.disk.free()

    @rule(which=WHICH, kind=WHICH, number=WHICH, part=st.floats(0, 0.999))
    def tear(self, which: int, kind: int, number: int, part: float) -> None:
        """A finished file is damaged, noticed, and restored."""
        self._join()
        self.plant.disk.free()
        interval = self._interval(which)
        torn = interval and choose(self.plant.lake, interval.batch, kind, number, part)
        if not interval or not torn:
            return
        torn.tear()
        if torn.step:
            run = self._begin(interval, torn.step, excuse="torn")
            self._end(run)
            # Without staged rows a publication may not come to read the file.
            noticed = run.code != 0 and run.outcome.error != "NotStaged"
        else:
            noticed = not verify(LocalLake(self.plant.lake)).ok
        assert noticed or torn.step, f"no step noticed {torn.path}"
        assert torn.restore() or not noticed
        FIRED.count(Fault.FILE_TORN, noticed)

    @rule(number=WHICH)
    def lose_an_hour_file(self, number: int) -> None:
        """An hour file is gone, and made again from the raw batches."""
        self._join()
        self.plant.disk.free()
        lake = self.plant.lake
        if not (paths := [path for interval in self.intervals.all for path in hour_files(lake, interval.batch)]):
            return
        path = paths[number % len(paths)]
        kind, hour = path.stem, layout.hour_of_file(LocalLake(path))
        path.unlink()
        assert differing(LocalLake(lake), [hour]) == {kind: [hour]}
        try:
            rebuild(LocalLake(lake), kind, [hour], reason="lost")
        except CorruptLake:  # a death has left a copy in the hour that one beside it displaces
            rebuild(LocalLake(lake), kind, [hour], reason="lost", partial=True)
            self._clear_what_has_lost_rows()
        assert differing(LocalLake(lake), [hour]) == {}
        FIRED.count(Fault.HOUR_LOST)

    def _clear_what_has_lost_rows(self) -> None:
        """As an operator does after a rebuild of which the ledger says that a batch has lost rows."""
        ledger = read_ledger(LocalLake(self.plant.lake))
        short = {entry.batch for entry in ledger if any(rebuilt.lost for rebuilt in entry.rebuilt)}
        for interval in self.intervals.all:
            if interval.batch.id in short:
                interval.done -= {"validate", "publish"}

    def _fill(self, left: int) -> None:
        self.plant.disk.fill(left)
        for run in self.running:
            run.excuses.add("disk full")
