"""A source that leaves out one collection, and nothing else."""

from __future__ import annotations

from jetstream_simulator.event_log import Event
from jetstream_simulator.generate import events
from jetstream_simulator.sources import Omitting

LIKE = "app.bsky.feed.like"


class Lines:
    """A source of given lines."""

    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines

    def take(self, n: int, now_us: int) -> list[Event]:
        """The next ``n``."""
        taken, self._lines = self._lines[:n], self._lines[n:]
        return [Event(1, line) for line in taken]


def all_of(source: Omitting) -> list[bytes]:
    """Every line, taken a few at a time."""
    lines: list[bytes] = []
    while taken := source.take(7, 0):
        lines += [event.line for event in taken]
    return lines


def test_leaves_out_one_collection_from_then_on() -> None:
    lines = [*events(500, seed=1), b"no event"]
    kept = all_of(Omitting(Lines(lines), LIKE, 100))
    like = f'"collection":"{LIKE}"'.encode()
    assert kept == lines[:100] + [line for line in lines[100:] if like not in line]
    assert any(like in line for line in lines[100:]) and any(like in line for line in kept[:100])


def test_goes_on_over_a_run_of_what_is_left_out() -> None:
    like = b'{"commit":{"collection":"app.bsky.feed.like"}}'
    assert all_of(Omitting(Lines([like] * 50 + [b"{}"] + [like] * 50), LIKE, 0)) == [b"{}"]
