"""Makes a store of the file-based system that the pipeline replaces, out of the simulator's own events.

Public: ``make``, ``Plan``. Must not: know anything of the pipeline, which reads such stores.
"""

from jetstream_simulator.old_store.making import make
from jetstream_simulator.old_store.plan import Plan

__all__ = ["Plan", "make"]
