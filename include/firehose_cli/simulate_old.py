"""``firehose simulate-old``: a store of the system that the pipeline replaces, with synthetic records.

Lives here: the name only; the options are the simulator's own.
"""

from __future__ import annotations

from jetstream_simulator.old_store.command import simulate_old

__all__ = ["simulate_old"]
