"""``firehose simulate``: a Jetstream server with synthetic or recorded events.

Lives here: the name only; the options are the simulator's own, so that it also runs without this command line.
"""

from __future__ import annotations

from jetstream_simulator.command import simulate

__all__ = ["simulate"]
