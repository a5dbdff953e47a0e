"""A disk that loses power: from what a process did to it, every disk that may be found afterwards.

The model is POSIX's, not a file system's: content is there once the file was synced, a name once its folder was.
Until then each change of a name may be there or not, whatever came before or after it, and content may be all, a
part, or nothing. Must not: know what the files are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tests.fault.power.journal import (
    ROOT,
    Began,
    Deleted,
    Event,
    Journal,
    Made,
    Names,
    Returned,
    Synced,
    SyncFailed,
    Written,
)

#: What is left of content that was not synced: nothing, a part, or all of it.
LOST, TORN, WHOLE = CONTENTS = ("lost", "torn", "whole")
#: A tree that power left: content by path, None for a folder.
Tree = dict[str, bytes | None]
# Of more changes at a time than these not every combination is tried (see _subsets).
_ALL_SUBSETS: Final = 4


class Change(NamedTuple):
    """Names of a folder that may or may not be on the disk. A ``stuck`` one no later sync of the folder writes."""

    folder: int
    names: dict[str, int | None]
    stuck: bool = False


class Node:
    """A file or folder: what is on the disk of it, and for a file what it really holds."""

    def __init__(self, folder: bool) -> None:
        self.folder = folder
        self.names: dict[str, int] = {}
        self.durable = ""  # the name of a content; empty: none
        self.now = ""
        self.failed = ""  # what a sync should have written, and did not


class Disk:
    """The disk after some events of a journal."""

    def __init__(self) -> None:
        self.nodes = {ROOT: Node(folder=True)}
        self.pending: list[Change] = []

    def apply(self, event: Event) -> None:
        """Let the next thing happen."""
        match event:
            case Made(node, folder):
                self.nodes[node] = Node(folder)
            case Names(folder, names):
                self.pending.append(Change(folder, names))
            case Written(node, content):
                self.nodes[node].now = content
            case Synced(node):
                self._sync(node)
            case SyncFailed(node):
                self._fail(node)
            case Began() | Deleted() | Returned():
                pass

    def _sync(self, number: int) -> None:
        node, left = self.nodes[number], list[Change]()
        if not node.folder:
            if node.now != node.failed:
                node.durable = node.now
            return
        for change in self.pending:
            if change.folder != number or change.stuck:
                left.append(change)
            else:
                _set(node.names, change.names)
                # An older change of the same names has been written over.
                left = [one for one in left if one.folder != number or not one.names.keys() <= change.names.keys()]
        self.pending = left

    def _fail(self, number: int) -> None:
        node = self.nodes[number]
        if not node.folder:
            node.failed = node.now
            return
        # New folders' names stay to be written: nothing could make a folder again that is there.
        self.pending = [
            one._replace(stuck=True) if one.folder == number and not self._is_of_folders(one) else one
            for one in self.pending
        ]

    def _is_of_folders(self, change: Change) -> bool:
        return all(node is not None and self.nodes[node].folder for node in change.names.values())

    def names_now(self, folder: int) -> dict[str, int]:
        """The names in a folder as every process sees them."""
        names = dict(self.nodes[folder].names)
        for change in self.pending:
            if change.folder == folder:
                _set(names, change.names)
        return names

    def left_over(self, journal: Journal) -> Iterator[Tree]:
        """Every disk that a power loss may leave now, each once; of very many changes not every combination."""
        seen: set[frozenset[tuple[str, bytes | None]]] = set()
        for kept in _subsets(self.pending):
            names = {number: dict(node.names) for number, node in self.nodes.items() if node.folder}
            for change in kept:
                _set(names[change.folder], change.names)
            for fate in CONTENTS:
                tree = dict(self._walk(names, ROOT, "", fate, journal))
                if (key := frozenset(tree.items())) not in seen:
                    seen.add(key)
                    yield tree

    def _walk(
        self, names: dict[int, dict[str, int]], folder: int, path: str, fate: str, journal: Journal
    ) -> Iterator[tuple[str, bytes | None]]:
        for name, number in names[folder].items():
            node, below = self.nodes[number], f"{path}/{name}" if path else name
            if node.folder:
                yield below, None
                yield from self._walk(names, number, below, fate, journal)
            else:
                yield below, _content(node, fate, journal)


def _set(names: dict[str, int], changes: dict[str, int | None]) -> None:
    for name, number in changes.items():
        if number is None:
            names.pop(name, None)
        else:
            names[name] = number


def _content(node: Node, fate: str, journal: Journal) -> bytes:
    if node.now == node.durable or fate == LOST:
        return journal.content(node.durable) if node.durable else b""
    now = journal.content(node.now)
    return now if fate == WHOLE else now[: len(now) // 2]


def _subsets(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """Which changes are on the disk, each time in their order."""
    count = len(changes)
    if count <= _ALL_SUBSETS:
        for bits in range(1 << count):
            yield [change for number, change in enumerate(changes) if bits >> number & 1]
        return
    for number in range(count):
        yield [changes[number]]
        yield [*changes[:number], *changes[number + 1 :]]
        yield list(changes[:number])
    yield list(changes)


def write(tree: Tree, folder: Path) -> None:
    """Make a disk that power left."""
    folder.mkdir(parents=True)
    for name, content in tree.items():
        if content is None:
            (folder / name).mkdir(parents=True, exist_ok=True)
        else:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)


def replay(events: Iterable[Event]) -> Iterator[tuple[Event, Disk]]:
    """Each event, and the disk just after it (one disk, that changes)."""
    disk = Disk()
    for event in events:
        disk.apply(event)
        yield event, disk
