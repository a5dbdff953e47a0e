"""Checks of Python, the installed packages and the engine's version."""

from __future__ import annotations

import platform
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from firehose.errors import FirehoseError
from firehose.settings import Settings
from firehose_cli.doctor.check import Check, Finding, failure, not_checked, ok, warning

_PINNED: Final = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
_SHOWN: Final = 5
_THIS_MACHINE: Final = ("localhost", "127.0.0.1", "::1", "")
#: What every command imports; without one of them this code would not run, unless the install is damaged.
_PYTHON: Final = (3, 11)


def python(_: Settings) -> Finding:
    """The version of Python is the one that the locks were made for."""
    if sys.version_info[:2] != _PYTHON:
        wanted = ".".join(map(str, _PYTHON))
        return failure(
            f"Python {platform.python_version()}", f"make the environment with Python {wanted}: make env"
        )
    return ok(f"Python {platform.python_version()}")


def packages(_: Settings) -> Finding:
    """What is installed is what the lock names."""
    lock = _lock()
    if lock is None:
        return not_checked("this is an installed package: its lock is in the project's checkout")
    pinned = dict(_PINNED.findall(lock.read_text(encoding="utf-8")))
    differ = [said for name, version in pinned.items() if (said := _difference(name, version))]
    if differ:
        more = f" and {len(differ) - _SHOWN} more" if len(differ) > _SHOWN else ""
        return warning(f"not as {lock} has it: {', '.join(differ[:_SHOWN])}{more}", "install the lock: make env")
    return ok(f"{len(pinned)} packages are as {lock.name} has them")


def engine(settings: Settings) -> Finding:
    """The embedded engine is installed, or none is needed. (Whether a server answers is a check of ClickHouse.)"""
    try:
        return ok(f"chDB {metadata.version('chdb')}")
    except metadata.PackageNotFoundError:
        host = urlsplit(settings.clickhouse_url).hostname or ""
        if host not in _THIS_MACHINE:
            return ok(f"no chDB, and none is needed: ClickHouse is at {host}")
        return warning(
            "chDB is not installed: only a ClickHouse server can be used",
            "install it, or set FIREHOSE_CLICKHOUSE_URL to a server",
        )


def _difference(name: str, version: str) -> str:
    try:
        there = metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"{name} {version} is missing"
    return "" if there == version else f"{name} {there} instead of {version}"


def _lock() -> Path | None:
    from devstack.checkout import checkout

    try:
        return checkout() / "requirements.txt"
    except FirehoseError:
        return None


CHECKS: Final = (
    Check("versions.python", python, needs_settings=False),
    Check("versions.packages", packages, needs_settings=False),
    Check("versions.engine", engine),
)
