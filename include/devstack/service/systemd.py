"""Commands of systemd, on this machine or for the folder of an image.

Lives here: how they are run, and what is said when one fails. Must not: know the project's units.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

from firehose.errors import FirehoseError

#: ``%d``, the folder of a service's credentials, is of this version.
_OLDEST: Final = 250


class Host(NamedTuple):
    """Where services are installed: on this machine, whose systemd runs, or in the root folder of an image."""

    root: Path = Path("/")
    runs: bool = True

    def systemctl(self, *arguments: str) -> list[str]:
        """A command line of systemctl for this host."""
        return ["systemctl", *self.option, *arguments]

    @property
    def option(self) -> list[str]:
        """What tells a tool of systemd where to work."""
        return [] if self.runs else [f"--root={self.root}"]


def require(host: Host) -> None:
    """Refuse a machine without systemd, or with one that is too old.

    Raises:
        FirehoseError: it has none, it is not the one that runs the machine, or it is too old.
    """
    if not shutil.which("systemctl"):
        raise FirehoseError(
            "there is no systemctl on PATH: install systemd, or use docker-compose.yaml or firehose demo"
        )
    if host.runs and not Path("/run/systemd/system").is_dir():
        raise FirehoseError(
            "systemd does not run this machine (there is no /run/systemd/system): use --root DIR for an image, "
            "or docker-compose.yaml or firehose demo"
        )
    said = output(["systemctl", "--version"])
    found = re.match(r"systemd (\d+)", said)
    if not found or int(found[1]) < _OLDEST:
        version = found[1] if found else "unknown"
        raise FirehoseError(f"systemd {_OLDEST} or newer is needed, and this is {version}: see docs/operations.md")


def run(commands: list[list[str]]) -> None:
    """Run ``commands``, one after the other.

    Raises:
        FirehoseError: one failed; those after it were not run.
    """
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise FirehoseError(
                f"`{' '.join(command)}` failed with {done.returncode}: {said[-1] if said else 'it said nothing'}; "
                "see to it, then repeat this command"
            )


def output(command: list[str]) -> str:
    """What a command prints.

    Raises:
        FirehoseError: it failed.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise FirehoseError(f"there is no {command[0]} on PATH: this machine has no systemd") from None
    if done.returncode:
        raise FirehoseError(f"`{' '.join(command)}` failed with {done.returncode}: {done.stderr.strip()}")
    return done.stdout
