"""Injects one fault after another, at intervals, and says each as it happens.

Lives here: the order, the waits, and what was done. Must not: judge.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Final

from tests.fault.soak_hour.availability import Outage
from tests.fault.soak_hour.expectations import AFTER_S, Done, fired, still_told
from tests.fault.soak_hour.faults import FAULTS, CannotBe, Fault
from tests.fault.soak_hour.plant import Plant

_LOOK_S: Final = 0.5
_QUIET_S: Final = 480.0


class Schedule:
    """``done`` and ``outages`` are what was injected so far, ``failed`` the faults that could not be."""

    def __init__(self, plant: Plant, only: Sequence[str], seed: int, say: Callable[[str], None]) -> None:
        self.done: list[Done] = []
        self.outages: dict[str, list[Outage]] = {}
        self.failed: list[str] = []
        self._plant, self._say = plant, say
        self._faults = _in_order([fault for fault in FAULTS if not only or fault.name in only], seed)
        self._beside: list[threading.Thread] = []

    def run(self, until_s: float, every_s: float) -> None:
        """One after the other until then (monotonic); what is left is said, and counts as failed."""
        for number, fault in enumerate(self._faults, 1):
            began = time.monotonic()
            if began >= until_s:
                self.failed.append(f"{fault.name}: the time was over before it came")
                continue
            what = f"fault {number}/{len(self._faults)}, {fault.name}"
            if fault.beside:
                thread = threading.Thread(target=self._inject, args=(what, fault), daemon=True)
                self._beside.append(thread)
                thread.start()
                continue
            self._inject(what, fault)
            time.sleep(max(0.0, min(began + every_s, until_s) - time.monotonic()))
        for thread in self._beside:
            thread.join(2 * AFTER_S)

    def _inject(self, what: str, fault: Fault) -> None:
        if fault.fires and not fault.beside:
            self._until_quiet()
        self._say(f"{what}: begins")
        begun = time.time()
        try:
            how = fault.does(self._plant, lambda alert: self._until_told(fault, begun, alert))
        except CannotBe as reason:
            self._say(f"{what}: left out: {reason}")
            return
        except Exception as error:  # noqa: BLE001 - the others go on; it is in the report
            how = f"could not be injected: {type(error).__name__}: {error}"
            self.failed.append(f"{fault.name}: {how}")
        ended = time.time()
        self.done.append(Done(fault.name, begun, ended, fault.fires, fault.may))
        for probe in fault.down:
            self.outages.setdefault(probe, []).append(Outage(fault.name, begun, ended))
        self._say(f"{what}: over after {ended - begun:.0f} s; {how}")

    def _until_quiet(self) -> None:
        """Wait until alerts of earlier faults are over: one that is told, or that another explains, is not sent.

        Those of the first two, which last, explain none.
        """
        lasting = {alert for fault in FAULTS[:2] for alert in fault.fires}
        deadline = time.monotonic() + _QUIET_S
        while time.monotonic() < deadline:
            if not {key.partition("/")[0] for key in still_told(self._plant.told())} - lasting:
                return
            time.sleep(_LOOK_S)

    def _until_told(self, fault: Fault, begun: float, alert: str) -> str:
        while (now := time.time()) < begun + fault.patience_s:
            if message := fired(Done(fault.name, begun, now), alert, self._plant.told()):
                return f"{alert} was told after {message.at_s - begun:.0f} s"
            time.sleep(_LOOK_S)
        return f"{alert} was not told within {fault.patience_s:.0f} s"


def _in_order(faults: list[Fault], seed: int) -> list[Fault]:
    """The first two of the list come first: their alerts take long to clear or to fire. Others by the seed.

    After each that fires an alert comes one that fires none: the alert clears meanwhile.
    """
    dice = random.Random(seed)
    first = [fault for fault in faults if fault in FAULTS[:2]]
    loud, quiet = (
        dice.sample(part, len(part))
        for part in (
            [fault for fault in faults if fault not in first and fault.fires],
            [fault for fault in faults if fault not in first and not fault.fires],
        )
    )
    mixed = [fault for pair in zip_longest(loud, quiet) for fault in pair if fault]
    # What runs beside others does not wait for them.
    return sorted(first, key=lambda fault: not fault.beside) + mixed
