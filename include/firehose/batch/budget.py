"""The disk budget: how full the lake's disk is, and from where on nothing more is taken in.

Must not: free any room (:mod:`firehose.maintenance` does), send an alert (:mod:`firehose.monitor` does).
"""

from __future__ import annotations

from typing import Final

from firehose.errors import DiskLow
from firehose.settings import Settings
from firehose.store import Disk, LakePath

_MIB: Final = 1024 * 1024


def require_room(settings: Settings, lake: LakePath) -> None:
    """See that the disk has more room than is to be left free.

    Raises:
        DiskLow: it has not.
    """
    disk = lake.disk()
    if disk and disk.free < settings.disk_reserve_mib * _MIB:
        raise DiskLow(
            f"{lake}: its disk has {size(disk.free)} left, and FIREHOSE_DISK_RESERVE_MIB="
            f"{settings.disk_reserve_mib} is to stay free: nothing was taken from Redis, which keeps it. Make "
            "room (`firehose maintenance` says what could be removed), then clear the failed runs"
        )


def said(settings: Settings, disk: Disk) -> str:
    """How full it is, and what happens when."""
    return (
        f"{disk.share:.0%} of the disk is used, {size(disk.free)} are free; warning above "
        f"{settings.disk_warn_percent}%, drains stop below {size(settings.disk_reserve_mib * _MIB)} free"
    )


def size(count: int) -> str:
    """Bytes as people read them: ``3.1 GB``."""
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"
