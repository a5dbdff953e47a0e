"""A Jetstream v1 and v2 server for demos, tests and benchmarks, with synthetic or replayed events; see README.md.

Lives here: synthetic events, the event log, and the websocket server. Must not: know anything of the pipeline.
"""

from jetstream_simulator.errors import SimulatorError
from jetstream_simulator.process import SimulatorProcess, start

__all__ = ["SimulatorError", "SimulatorProcess", "start"]
