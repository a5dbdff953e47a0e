"""The state machine: random schedules of events, faults and steps, and at the end of each the conservation oracle.

Rules only say what happens; what runs is in ``plant``, what excuses a failed step in ``intervals``, what must hold
in ``oracle``. A rule whose object is not there (no ingester to kill) does nothing, so that what is drawn never
depends on how fast a process was.
"""

from __future__ import annotations

from tests.fault.soak.ending import Ending
from tests.fault.soak.rules_disk import DiskRules
from tests.fault.soak.rules_ingester import IngesterRules
from tests.fault.soak.rules_redis import RedisRules
from tests.fault.soak.rules_source import SourceRules
from tests.fault.soak.rules_steps import StepRules


class Firehose(SourceRules, IngesterRules, RedisRules, StepRules, DiskRules, Ending):
    """The whole way from two hosts to the lake, under faults."""
