"""Which tests stay together in one worker of a run in several processes.

Lives here: that decision. Must not: anything that changes what a test does.
"""

from __future__ import annotations

from typing import Final

from xdist.scheduler import LoadFileScheduling

#: Folders whose tests share what takes longer to start than it would to wait for each other: an Airflow; the page
#: for readers with its lake.
TOGETHER: Final = ("tests/dags/", "tests/integration/ui/")


class ByFile(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Tests of one file stay together, and those of a folder of ``TOGETHER``."""

    def _split_scope(self, nodeid: str) -> str:
        for folder in TOGETHER:
            if nodeid.startswith(folder):
                return folder
        return str(super()._split_scope(nodeid))
