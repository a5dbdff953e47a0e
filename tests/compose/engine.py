"""podman without a registry, beside any other podman of this machine: with storage and configuration of its own.

Lives here: how podman is asked, and the stand-ins for the official images, made of Debian's packages. Must not:
what the compose file says (stack.py).
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
IMAGES: Final = Path(__file__).parent / "images"
_PROGRAMS: Final = {
    "podman": "podman",
    "runc": "runc",
    "mmdebstrap": "mmdebstrap",
    "iptables": "iptables",
    "/usr/lib/podman/netavark": "netavark",
    "/usr/lib/podman/aardvark-dns": "aardvark-dns",
}
#: What a container may open at most; where this machine has less, it asks for that.
NOFILE: Final = min(16384, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
NPROC: Final = 4096
#: Without limits of their own, containers ask for more than an unprivileged machine has.
_CONTAINERS: Final = f"""\
[containers]
default_ulimits = ["nofile={NOFILE}:{NOFILE}", "nproc={NPROC}:{NPROC}"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
"""
_STORAGE: Final = '[storage]\ndriver = "overlay"\ngraphroot = "{home}/storage"\nrunroot = "{home}/run"\n'
#: Certificates and pip's settings, without which a site with a proxy reaches no registry.
_SITE: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf")
_DEBIAN: Final = "localhost/debian:bookworm"
_BASE: Final = "localhost/stand-in-base:latest"
#: The official image without its tag, and the Dockerfile of what stands in for it.
STAND_INS: Final = {
    "redis": "redis",
    "postgres": "postgres",
    "python": "python",
    "apache/airflow": "airflow",
    "clickhouse/clickhouse-server": "clickhouse",
    "prom/prometheus": "prometheus",
}


class Engine:
    """podman with a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        (home / "containers.conf").write_text(_CONTAINERS)
        (home / "storage.conf").write_text(_STORAGE.format(home=home))
        self.environment = os.environ | {
            "CONTAINERS_CONF": f"{home}/containers.conf",
            "CONTAINERS_STORAGE_CONF": f"{home}/storage.conf",
        }

    def podman(self, *arguments: str, check: bool = True, timeout_s: float = 900) -> str:
        """Run podman; returns what it and the container print, errors included."""
        done = subprocess.run(
            ["podman", *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(
                f"podman {' '.join(arguments)} exited with {done.returncode}:\n{done.stdout[-4000:]}"
            )
        return done.stdout

    def succeeds(self, *arguments: str) -> bool:
        """Tell whether podman exits with 0."""
        return (
            subprocess.run(
                ["podman", *arguments], env=self.environment, capture_output=True, check=False
            ).returncode
            == 0
        )

    def build(self, tag: str, dockerfile: Path, context: Path) -> None:
        """Build an image; layers that have not changed are taken from the cache."""
        ignore = dockerfile.with_name(dockerfile.name + ".dockerignore")
        named = ["--ignorefile", str(ignore)] if ignore.exists() else []
        self.podman(*("build", "--network", "host", "--tag", tag, "--file", str(dockerfile)), *named, str(context))

    def make_base(self) -> None:
        """What every stand-in starts from."""
        if not self.succeeds("image", "exists", _DEBIAN):
            self._import_debian()
        site = self.home / "base"
        for path in map(Path, _SITE):
            if path.exists():
                (site / "site" / path.relative_to("/")).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, site / "site" / path.relative_to("/"))
        self.build(_BASE, IMAGES / "base.Dockerfile", site)

    def stand_in(self, official: str) -> None:
        """An official image, under the name and tag that the project's files have for it."""
        name = STAND_INS[official.rpartition(":")[0]]
        context = ROOT if name == "clickhouse" else IMAGES
        self.build(f"localhost/{official}", IMAGES / f"{name}.Dockerfile", context)

    def _import_debian(self) -> None:
        # Straight to an archive: what an interrupted run leaves is written over by the next.
        archive = self.home / "debian.tar"
        packages = "--include=ca-certificates,python3,python3-pip,curl"
        _run("mmdebstrap", "--variant=apt", packages, "bookworm", str(archive))
        self.podman("import", "--quiet", str(archive), _DEBIAN)
        archive.unlink()


def require_programs() -> None:
    """Install Debian's packages where root can; elsewhere the tests are skipped, and say what to do."""
    missing = [package for program, package in _PROGRAMS.items() if not shutil.which(program)]
    if not missing:
        return
    if os.getuid() or not shutil.which("apt-get"):
        pytest.skip(f"needs root, and: apt-get install {' '.join(missing)}")
    _run("apt-get", "update")
    _run("apt-get", "install", "--yes", "--no-install-recommends", *missing)


def _run(*command: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-4000:]}"
