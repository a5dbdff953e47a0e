"""Confining the endpoint's process to the files that it needs.

Lives here: the list of files, and the log line at the start. Must not: system calls (landlock).
"""

from __future__ import annotations

import logging
import os
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from clickhouse_http.config import REQUIRE, EndpointConfig
from clickhouse_http.errors import CannotServe
from clickhouse_http.sandbox import landlock

log = logging.getLogger(__name__)

#: Shared libraries, time zones, certificates; how much memory and how many processors there are.
_SYSTEM: Final = (
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo", "/etc/localtime", "/etc/ssl"),
    *("/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/fs/cgroup"),
    "/sys/kernel/mm/transparent_hugepage",
    *("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random"),
)
#: What finds the address of a host by its name.
_NETWORK: Final = ("/etc/hosts", "/etc/nsswitch.conf", "/etc/resolv.conf", "/run/systemd/resolve")
#: Single files: the same folders hold the environments, and so the passwords, of this user's processes.
_PROC: Final = (
    *("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys/vm/overcommit_memory"),
    *(f"/proc/self/{name}" for name in ("auxv", "cgroup", "maps", "mountinfo", "smaps_rollup", "statm", "status")),
)


def confine(config: EndpointConfig) -> None:
    """Restrict this process to its own code and the lake, to read, and its data, to write. Logs one line about it.

    Temporary files go to the data's folder from now on. The lake's folder is made where it is missing: what does
    not exist cannot be allowed.

    Raises:
        CannotServe: the kernel cannot and the configuration requires it, or the lake's folder cannot be made.
    """
    folder, lake = config.folder, config.lake
    spool = folder / "spool"
    spool.mkdir(parents=True, exist_ok=True)
    tempfile.tempdir = os.environ["TMPDIR"] = str(spool)
    if lake is not None:
        _make(lake, config.called("lake"))
    data = [lake] if lake is not None else map(Path, _NETWORK)
    readable = [*_own_code(), *map(Path, (*_SYSTEM, *_PROC)), *data]
    try:
        held = landlock.enter(readable, [folder, Path("/dev/null")], tcp=lake is None)
    except landlock.SandboxUnavailable as error:
        called = config.called("sandbox")
        if config.sandbox == REQUIRE:
            raise CannotServe(f"the sandbox that {called}={REQUIRE} asks for is not available: {error}") from None
        log.warning(
            "no sandbox: %s. Only ClickHouse's rights keep the engine from this user's files; "
            "%s=%s makes this an error", error, called, REQUIRE,
        )  # fmt: skip
        return
    log.info(
        "sandbox (Landlock %d): reads its own code and %s, writes %s, starts no programs, %s",
        held.version, lake or "no lake", folder, "opens no TCP" if held.tcp_closed else "may open TCP connections",
    )  # fmt: skip


def _make(lake: Path, called: str) -> None:
    try:
        lake.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotServe(
            f"the lake's folder {lake} cannot be made ({error.strerror}); make it or change {called}"
        ) from None


def _own_code() -> Iterator[Path]:
    """Python, the installed packages, and this one."""
    yield Path(sys.base_prefix) / "lib"
    for name in ("stdlib", "platstdlib", "purelib", "platlib"):
        yield Path(sysconfig.get_path(name))
    # Packages may be installed elsewhere as well: an environment may see the system's, or those of a .pth file.
    yield from (path for path in map(Path, sys.path) if path.name in ("site-packages", "dist-packages"))
    yield Path(__file__).parents[1]
