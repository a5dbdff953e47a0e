"""systemd as PID 1 of namespaces of its own, on an overlay of this machine: services as they really run, as root.

Lives here: booting, running commands inside, its journal, power off. ``boot.sh`` beside it makes the root, in
which the checkout lies in /opt/bluesky-firehose, and once more in /opt/bluesky-firehose-next, as another version.
Must not: know a unit of the project.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.waiting import until

ROOT: Final = Path(__file__).parents[2]
_BOOT: Final = Path(__file__).with_name("boot.sh")
_NAMESPACES: Final = ("--pid", "--fork", "--kill-child", "--mount", "--uts", "--ipc", "--net", "--cgroup")
_ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}


def _why_not() -> str:
    """Why this machine cannot boot one; empty: it can."""
    if os.geteuid():
        return "only root may make the namespaces of a boot"
    if not Path("/lib/systemd/systemd").exists():
        return "systemd is not installed"
    if _cgroups() is None:
        return "there is no cgroup2 file system to give systemd a group in"
    scratch = "mount -t tmpfs tmpfs /mnt && cd /mnt && mkdir up work root"
    overlay = "mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/up,workdir=/mnt/work root"
    tried = subprocess.run(
        ["unshare", *_NAMESPACES, "sh", "-c", f"{scratch} && {overlay}"],
        capture_output=True,
        text=True,
        check=False,
    )
    return f"namespaces or overlays are refused: {tried.stderr.strip()}" if tried.returncode else ""


def _cgroups() -> Path | None:
    """Where the cgroup2 file system is mounted."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        place, kind = line.split()[4], line.split(" - ")[1].split()[0]
        if kind == "cgroup2":
            return Path(place)
    return None


class Booted:
    """A booted system. ``log`` is the folder of its journal, which outlives it."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self.log = log
        (self._init,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()

    def path(self, inside: str) -> Path:
        """A path of the booted system as this one sees it."""
        return Path(f"/proc/{self._init}/root") / inside.lstrip("/")

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command inside."""
        enter = [
            "nsenter",
            f"--target={self._init}",
            *(f"--{kind}" for kind in ("mount", "pid", "net", "uts", "ipc")),
        ]
        done = subprocess.run(
            [*enter, "--cgroup", "--root", *command], capture_output=True, text=True, check=False, env=_ENVIRONMENT
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", f"-p{name}", "--value", unit).stdout.strip()

    def journal(self, *options: str) -> list[dict[str, Any]]:
        """Entries of the journal, oldest first; also after the end."""
        asked = ["journalctl", f"--directory={self.log}", "--output=json", "--quiet", *options]
        done = subprocess.run(asked, capture_output=True, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def power_off(self) -> None:
        """Shut it down in order, and wait for its end."""
        self.run("systemctl", "poweroff")
        self._process.wait(60)


@contextmanager
def booted(scratch: Path, prepare: str) -> Iterator[Booted]:
    """Boot a system; ``prepare`` is a shell script that runs in its root before systemd does.

    The test is skipped where this machine cannot do that.

    Raises:
        AssertionError: it did not come up; the message is what it said.
    """
    if reason := _why_not():
        pytest.skip(reason)
    root, log, script, said = scratch / "boot", scratch / "journal", scratch / "prepare.sh", scratch / "said"
    root.mkdir()
    log.mkdir()
    script.write_text(prepare)
    group = (_cgroups() or Path("/")) / f"firehose-boot-{os.getpid()}"
    group.mkdir()
    join = f'echo $$ > {group}/cgroup.procs; exec unshare "$@"'
    boot = [str(_BOOT), str(root), str(log), str(ROOT), sys.base_prefix, str(script)]
    with said.open("w") as stream:
        process = subprocess.Popen(
            ["sh", "-c", join, "sh", *_NAMESPACES, "sh", *boot], stdout=stream, stderr=stream, text=True
        )
    try:
        until(lambda: _up(process, said), 60, what="systemd is up")
        yield Booted(process, log)
    finally:
        # What a failed test is shown with.
        subprocess.run(
            ["journalctl", f"--directory={log}", "--lines=100", "--output=short-monotonic"], check=False
        )
        process.kill()
        process.wait()
        until(lambda: "populated 0" in (group / "cgroup.events").read_text(), what="all its processes have ended")
        for folder in sorted(group.rglob("*/"), reverse=True):
            folder.rmdir()
        group.rmdir()
        shutil.rmtree(root, ignore_errors=True)


def _up(process: subprocess.Popen[str], said: Path) -> bool:
    assert process.poll() is None, said.read_text()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return bool(children) and Path(f"/proc/{children[0]}/root/run/systemd/private").exists()
