"""Landlock, the kernel's sandbox, by direct system calls.

Lives here: restricting which files the process may read and write, and TCP. Must not: know what the files are for.

Landlock cannot be undone, and threads and programs that are started later inherit it. It holds for the calling
thread, so it belongs before any other is started. It needs no privileges. On PyPI there are only unfinished
bindings. See https://docs.kernel.org/userspace-api/landlock.html.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# System call numbers, the same on every architecture.
_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_VERSION: Final = 1  # LANDLOCK_CREATE_RULESET_VERSION
_PATH_BENEATH: Final = 1
_NO_NEW_PRIVS: Final = 38

# LANDLOCK_ACCESS_FS_*, by bit.
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = (1 << bit for bit in range(4))
_FIRST_RIGHTS: Final = (1 << 13) - 1  # all rights of the first version
_REFER: Final = 1 << 13  # version 2: rename and link between folders
_TRUNCATE: Final = 1 << 14  # version 3
_IOCTL_DEV: Final = 1 << 15  # version 5
_MAKE_DEVICES: Final = 1 << 6 | 1 << 11  # character and block devices
_TCP: Final = 1 << 0 | 1 << 1  # bind and connect
_TCP_SINCE: Final = 4
_SCOPES: Final = 1 << 0 | 1 << 1  # abstract UNIX sockets, signals to other processes
_SCOPES_SINCE: Final = 6

#: Without REFER, the engine could not move a part from one folder to another.
_OLDEST: Final = 2
_FILE_RIGHTS: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV  # the ones that a file can have


class SandboxUnavailable(Exception):
    """This kernel has no Landlock, or one that is too old; the message says which."""


@dataclass(frozen=True)
class Sandbox:
    """The restrictions of this process."""

    version: int  # of the kernel's Landlock interface
    tcp_closed: bool


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def landlock_version() -> int:
    """The version of Landlock's interface that this kernel has.

    Raises:
        SandboxUnavailable: there is none, or one that is too old.
    """
    try:
        version = _call(_CREATE_RULESET, None, 0, _VERSION)
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):
            raise SandboxUnavailable(f"the kernel has no Landlock ({os.strerror(error.errno)})") from None
        raise
    if version < _OLDEST:
        raise SandboxUnavailable(f"the kernel's Landlock is of version {version}, {_OLDEST} is needed")
    return version


def enter(readable: Iterable[Path], writable: Iterable[Path], *, tcp: bool = False) -> Sandbox:
    """From now on this process reads only below ``readable`` and ``writable``, and writes only below the latter.

    It cannot start programs. Without ``tcp`` it cannot open TCP connections or further ports either, if the kernel
    is new enough for that. Open files and sockets stay open. Paths that do not exist are left out.

    Raises:
        SandboxUnavailable: the kernel cannot; nothing has changed.
        RuntimeError: another thread is running, which would not be restricted.
        OSError: the kernel refuses a rule.
    """
    version = landlock_version()
    threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208 - a count, not paths
    if threads > 1:
        raise RuntimeError(f"the sandbox comes too late: {threads} threads are running")
    rights = _rights(version)
    tcp_closed = not tcp and version >= _TCP_SINCE
    ruleset = _Ruleset(fs=rights, net=_TCP if tcp_closed else 0, scoped=_SCOPES if version >= _SCOPES_SINCE else 0)
    handle = _call(_CREATE_RULESET, ctypes.byref(ruleset), ctypes.sizeof(ruleset), 0)
    try:
        for path in readable:
            _allow(handle, path, _READ_FILE | _READ_DIR)
        for path in writable:
            _allow(handle, path, rights & ~(_EXECUTE | _IOCTL_DEV | _MAKE_DEVICES))
        _check(ctypes.CDLL(None, use_errno=True).prctl(_NO_NEW_PRIVS, 1, 0, 0, 0))
        _call(_RESTRICT_SELF, handle, 0)
    finally:
        os.close(handle)
    return Sandbox(version, tcp_closed)


def _rights(version: int) -> int:
    """The rights on files that this version of Landlock knows: naming others is an error."""
    later = (_REFER, 2), (_TRUNCATE, 3), (_IOCTL_DEV, 5)
    return _FIRST_RIGHTS | sum(right for right, since in later if version >= since)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            rights &= _FILE_RIGHTS
        rule = _PathBeneath(allowed=rights, parent_fd=handle)
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(handle)


def _call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    values = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    return _check(libc.syscall(ctypes.c_long(number), *values))


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
