"""The ``firehose`` command as a user runs it.

Lives here: running it and reading what it prints. Must not: settings of the machine, which no test may depend on.
"""

from __future__ import annotations

import atexit
import importlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.support.forking import Forking

#: The installed command.
FIREHOSE: Final = str(Path(sys.executable).parent / "firehose")


#: What is slow to import of what commands import when they run.
_SLOW: Final = (
    *("clickhouse_connect", "firehose_cli.app", "pandas", "redis"),
    *("firehose.batch.drain", "firehose.lake.publish", "firehose.lake.verify", "firehose.quality.validate"),
)


def firehose(*arguments: object, home: Path | str, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run it with a home, these settings (``lake=…``) and nothing else of the environment.

    As a fork of a process that has imported what it imports, which takes each command a second or more; while that
    runs another one, as a process of its own.
    """
    given = {f"FIREHOSE_{name.upper()}": str(value) for name, value in settings.items()}
    return run([*map(str, arguments)], environment_of(home) | given)


def environment_of(home: Path | str) -> dict[str, str]:
    """All that a command needs of an environment."""
    return {"PATH": "/usr/bin:/bin", "HOME": str(home), "FIREHOSE_HOME": str(home)}


def run(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it with arguments and this environment, in a folder or this one, as :func:`firehose` does."""
    if (forking := _forking()).is_asked:
        command = [FIREHOSE, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder)
    return forking.run(arguments, environment, folder=folder)


@cache
def _forking() -> Forking:
    process = Forking(__name__, {"PATH": "/usr/bin:/bin"})
    atexit.register(process.end)
    return process


def prepare() -> None:
    """Import what takes long."""
    for module in _SLOW:
        importlib.import_module(module)


def execute(*arguments: str) -> None:
    """``firehose …``."""
    from firehose_cli.app import main

    sys.argv = [FIREHOSE, *arguments]
    main()


def once(home: Path, *replays: Path) -> dict[str, Any]:
    """``firehose once`` on files of events, which must succeed; its report."""
    done = firehose("once", *(f"--replay={path}" for path in replays), "--home", home, "--json", home=home)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def total(report: dict[str, Any], figure: str) -> int:
    """A figure of a report, of all types."""
    return sum(counts[figure] for counts in report["types"].values())
