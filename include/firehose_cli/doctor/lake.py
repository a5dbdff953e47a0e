"""Checks of the lake: whether it can be written, to whom it belongs, and how much room is left."""

from __future__ import annotations

import os
import pwd
import uuid
from contextlib import suppress
from typing import Final

from firehose.areas import Area
from firehose.batch import budget
from firehose.settings import Settings
from firehose.store import LocalLake
from firehose_cli.doctor.check import Check, Finding, failure, not_checked, ok, warning

_FEW_INODES: Final = 0.05


def writable(settings: Settings) -> Finding:
    """This user can write, replace and remove a file there; and it is a lake of this version."""
    lake = settings.lake_path
    if isinstance(lake, LocalLake) and not lake.is_dir():
        return failure(
            f"{lake}: there is no lake", "the first batch makes it; or name its folder with FIREHOSE_LAKE"
        )
    lake.require_current()
    probe = lake / f"_doctor-{uuid.uuid4().hex}"
    try:
        probe.write(b"first")
        probe.write(b"second")
        if probe.read_bytes() != b"second":
            return failure(f"{lake}: a replaced file has its old content", "use a file system that is consistent")
    except PermissionError:
        return failure(
            f"{lake}: this user may not write there",
            "run this as the user who runs Airflow's tasks; else see to the folder's owner",
        )
    finally:
        with suppress(OSError):
            probe.remove()
    return ok(f"{lake}: written, replaced and removed a file")


def one_disk(settings: Settings) -> Finding:
    """All of its areas lie in one file system: files are renamed from one to the other."""
    lake = settings.lake_path
    if not isinstance(lake, LocalLake):
        return not_checked("the lake is in an object store")
    if not lake.is_dir():
        return not_checked(f"there is no {lake}")
    own = lake.stat().st_dev
    others = [area for area in Area if (path := area.of(lake)).is_dir() and path.stat().st_dev != own]
    if others:
        return failure(
            f"{', '.join(others)} of {lake} lie on another file system: files cannot be renamed into them",
            "mount the whole lake, and not single folders of it",
        )
    return ok("the lake is one file system")


def owner(settings: Settings) -> Finding:
    """Its folders belong to one user."""
    lake = settings.lake_path
    if not isinstance(lake, LocalLake):
        return not_checked("the lake is in an object store")
    if not lake.is_dir():
        return not_checked(f"there is no {lake}")
    owners = {path.stat().st_uid for path in (lake, *lake.iterdir()) if path.is_dir()}
    names = " and ".join(sorted(map(_name, owners)))
    if len(owners) > 1:
        return failure(
            f"{lake}: its folders belong to {names}: one of them cannot write into those of the other",
            f"give all of it to one user: chown -R USER {lake}",
        )
    if os.getuid() not in owners and os.getuid() != 0:
        return warning(f"{lake} belongs to {names}, and this is another user", f"run this as {names}")
    return ok(f"{lake} belongs to {names}")


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def room(settings: Settings) -> Finding:
    """Its disk has room, above all the room that drains leave free."""
    lake = settings.lake_path
    disk = lake.disk()
    if disk is None:
        return not_checked("the lake is in an object store, which has no such limit")
    said = budget.said(settings, disk)
    budget.require_room(settings, lake)
    if disk.share * 100 > settings.disk_warn_percent:
        return warning(said, "firehose maintenance says what could be removed; --do removes it")
    return ok(said)


def inodes(settings: Settings) -> Finding:
    """Its file system can hold more files."""
    lake = settings.lake_path
    if not isinstance(lake, LocalLake):
        return not_checked("the lake is in an object store")
    if not lake.is_dir():
        return not_checked(f"there is no {lake}")
    found = os.statvfs(lake)
    if not found.f_files:
        return ok("this file system has no limit of files")
    share = found.f_favail / found.f_files
    said = f"{found.f_favail:,} more files fit ({share:.0%})"
    if not found.f_favail:
        return failure(said, "remove files: firehose maintenance --do; a batch needs some forty")
    if share < _FEW_INODES:
        return warning(said, "firehose maintenance --do removes what need not be kept")
    return ok(said)


CHECKS: Final = (
    Check("lake.writable", writable, timeout_s=30.0),
    Check("lake.one-disk", one_disk),
    Check("lake.owner", owner),
    Check("lake.room", room),
    Check("lake.inodes", inodes),
)
