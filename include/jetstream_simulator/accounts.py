"""Identity and account events: a handle that is new or only touched, a state that changed.

Lives here: building both kinds of event. Must not: choose whose.
"""

from __future__ import annotations

from random import Random
from typing import Any

from jetstream_simulator import identifiers, text, words
from jetstream_simulator.lines import other_line


def identity(rng: Random, did: str, seq: int, time_us: int) -> bytes:
    """An identity event; seven in ten name the handle."""
    about: dict[str, Any] = {"did": did}
    if rng.random() < 0.7:
        about["handle"] = text.handle(rng)
    about |= {"seq": seq, "time": identifiers.iso(time_us - 300_000)}
    return other_line("identity", did, time_us, about)


def account(rng: Random, did: str, seq: int, time_us: int) -> bytes:
    """An account event; a quarter say that it is not active, and why."""
    active = rng.random() < 0.75
    status = {"active": active, "did": did, "seq": seq, "time": identifiers.iso(time_us)}
    if not active:
        status["status"] = words.STATUSES[int(len(words.STATUSES) * rng.random() ** 2)]
    return other_line("account", did, time_us, status)
