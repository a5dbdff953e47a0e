"""The ``firehose`` command as a user runs it.

Lives here: running it and reading what it prints. Must not: settings of the machine, which no test may depend on.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

#: The installed command.
FIREHOSE: Final = str(Path(sys.executable).parent / "firehose")


def firehose(*arguments: object, home: Path | str, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run it with a home, these settings (``lake=…``) and nothing else of the environment."""
    given = {f"FIREHOSE_{name.upper()}": str(value) for name, value in settings.items()}
    return subprocess.run(
        [FIREHOSE, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), "FIREHOSE_HOME": str(home)} | given,
    )


def once(home: Path, *replays: Path) -> dict[str, Any]:
    """``firehose once`` on files of events, which must succeed; its report."""
    done = firehose("once", *(f"--replay={path}" for path in replays), "--home", home, "--json", home=home)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def total(report: dict[str, Any], figure: str) -> int:
    """A figure of a report, of all types."""
    return sum(counts[figure] for counts in report["types"].values())
