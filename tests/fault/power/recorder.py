"""Records what this process does to a disk, at the calls by which it does it; the disk is the real one.

Lives here: the watch over ``os.fsync``, names and contents. To be used in a process of its own: nothing is put
back. Must not: know what the files are, beyond which need not be durable.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.fault.power.disk import Disk
from tests.fault.power.journal import (
    ROOT,
    Began,
    Deleted,
    Journal,
    Made,
    Names,
    Returned,
    Synced,
    SyncFailed,
    Written,
)

# Locks are of running processes, and quality pages are made again: neither is relied upon after a power loss.
_NOT_KEPT: Final = (".locks", "docs")

#: The fsync that is to fail: by its number from 1 on (0: none), or the first one of a path with this in it.
Failing = tuple[int, str]


class Escaped(BaseException):
    """Something durable was done that does not go through the watched calls. Nothing may catch it."""


class Recorder:
    """Watches this process's work below ``root``, and lets one fsync fail, if told to."""

    def __init__(self, root: Path, journal: Journal, fails: Failing = (0, "")) -> None:
        self._root, self._journal, self._fails = str(root), journal, fails
        self._disk = Disk()
        for event in journal.events():
            self._disk.apply(event)
        self._ids: dict[tuple[int, int], int] = {}
        self._state: dict[int, tuple[int, int]] = {}
        self._adopt(ROOT, self._root)
        if not journal.events():
            self._take_for_durable()
        self._syncs = 0

    def watch(self) -> None:
        """Begin."""
        self._look()
        self._add(Began())
        for name in ("replace", "rename", "unlink", "remove", "mkdir", "rmdir"):
            self._wrap(name)
        real_sync = os.fsync

        def fsync(descriptor: int) -> None:
            self._look()
            node = self._ids.get(_key(os.fstat(descriptor)))
            if node is not None and node != ROOT and not self._is_named(node):
                node = None  # a quality page, which the kernel has given the number of a removed file
            if node is not None:
                self._read(node, Path(f"/proc/self/fd/{descriptor}"))
                self._syncs += 1
                if self._is_to_fail(descriptor):
                    self._add(SyncFailed(node))
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
            real_sync(descriptor)
            if node is not None:
                self._add(Synced(node))

        os.fsync = fsync  # type: ignore[assignment]  # it takes a descriptor, as this project's code gives it
        sys.addaudithook(self._audit)

    def returned(self, step: str) -> None:
        """A step came to its end."""
        self._look()
        self._add(Returned(step))

    def _is_to_fail(self, descriptor: int) -> bool:
        number, path = self._fails
        if self._syncs != number and not (path and path in str(Path(f"/proc/self/fd/{descriptor}").readlink())):
            return False
        self._fails = (0, "")
        return True

    @property
    def syncs(self) -> int:
        """How many fsyncs there were."""
        return self._syncs

    def _take_for_durable(self) -> None:
        """What is there before the first process has been there for long."""
        self._look(by="long ago")
        for node in list(self._disk.nodes):
            self._add(Synced(node))

    def _wrap(self, name: str) -> None:
        real: Callable[..., Any] = getattr(os, name)

        def wrapped(*args: Any, **named: Any) -> Any:
            self._look()
            answer = real(*args, **named)
            self._look(by=name)
            return answer

        setattr(os, name, wrapped)

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        """Files are only written under partial names; nothing is renamed or removed behind our back."""
        if event != "open" or not isinstance(args[0], str | bytes):
            return
        path, flags = os.fsdecode(args[0]), args[2]
        if flags & (os.O_WRONLY | os.O_RDWR) and path.startswith(self._root) and not self._is_passing(path):
            raise Escaped(f"{path} is written in place")

    def _is_passing(self, path: str) -> bool:
        return path.endswith(".part") or any(f"/{name}/" in path for name in _NOT_KEPT)

    def emptied(self, command: str, held: dict[bytes, bytes]) -> None:
        """Redis has done a command that is not a mere reading, and holds this now."""
        self._look()
        self._add(Deleted(command, self._journal.keep_redis(held)))

    def _look(self, by: str = "") -> None:
        """Note what has changed below the root. ``by``: the call that has just changed it."""
        self._look_into(ROOT, self._root, by)

    def _look_into(self, folder: int, path: str, by: str) -> None:
        known, found = self._disk.names_now(folder), dict[str, int]()
        below: list[tuple[int, str]] = []
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.name in _NOT_KEPT:
                    continue
                is_folder = entry.is_dir(follow_symlinks=False)
                stat = entry.stat(follow_symlinks=False)
                node = self._node(stat, is_folder, known.get(entry.name))
                found[entry.name] = node
                if is_folder:
                    below.append((node, entry.path))
                else:
                    self._look_at(node, entry.path, stat)
        changes: dict[str, int | None] = {name: node for name, node in found.items() if known.get(name) != node}
        changes |= {name: None for name in known if name not in found}
        if changes:
            if not by and not all(name.endswith(".part") and node is not None for name, node in changes.items()):
                raise Escaped(f"{path}: {sorted(changes)} changed without a call that is watched")
            self._add(Names(folder, changes))
        for node, where in below:
            self._look_into(node, where, by)

    def _node(self, stat: os.stat_result, is_folder: bool, known: int | None) -> int:
        """The number of a file or folder. The kernel gives the number of a removed one to a new one."""
        node = self._ids.get(_key(stat))
        if node is None or (known is None and not self._is_named(node)):
            node = self._ids[_key(stat)] = len(self._disk.nodes)
            self._add(Made(node, is_folder))
        return node

    def _is_named(self, node: int) -> bool:
        folders = [number for number, one in self._disk.nodes.items() if one.folder]
        return any(node in self._disk.names_now(folder).values() for folder in folders)

    def _look_at(self, node: int, path: str, stat: os.stat_result) -> None:
        state = (stat.st_size, stat.st_mtime_ns)
        if self._state.get(node) != state:
            self._state[node] = state
            self._read(node, Path(path))

    def _read(self, number: int, path: Path) -> None:
        node = self._disk.nodes[number]
        if not node.folder and (content := self._journal.keep(path.read_bytes())) != node.now:
            self._add(Written(number, content))

    def _adopt(self, folder: int, path: str) -> None:
        """Find what an earlier process has recorded."""
        self._ids[_key(Path(path).stat())] = folder
        for name, node in self._disk.names_now(folder).items():
            where = f"{path}/{name}"
            if not os.path.lexists(where):
                continue
            stat = os.lstat(where)
            self._ids[_key(stat)] = node
            if self._disk.nodes[node].folder:
                self._adopt(node, where)
            elif self._disk.nodes[node].now:
                self._state[node] = (stat.st_size, stat.st_mtime_ns)

    def _add(self, event: Any) -> None:
        self._journal.add(event)
        self._disk.apply(event)


def _key(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_dev, stat.st_ino
