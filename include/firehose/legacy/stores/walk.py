"""Lists the files of the old system's stores below a folder, without reading them.

Lives here: ``walk``, the order of what it lists. Must not: open a file, change anything.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from firehose.errors import FirehoseError
from firehose.legacy.record import Refused, Store
from firehose.legacy.stores.folders import (
    NAMES,
    QUEUE_LOGS,
    QUEUE_NAME,
    QUEUE_SIDE_FILES,
    ROWS_NAME,
    Folder,
    folder,
)
from firehose.legacy.stores.found import Found, Outside, Shape

Listed = Found | Refused | Outside
_NO_GENERATION: Final = (
    "a JSON cache lies in a folder named cache (until December 2025) or __local_cache__ (since then), and this "
    "one in neither: give it back its name"
)


def walk(root: Path) -> Iterator[Listed]:
    """Every file below ``root``: of a store (found), in a store's folder but of a shape that the old system never
    wrote (refused), or outside of its stores.

    ``root`` may be the old repository, ``$BSKY_DATA_DIR``, a cache, ``bluesky_research_data``, or a folder that
    holds several of them. The order is always the same: a folder's files by name, then its folders by name.

    Raises:
        FirehoseError: ``root`` is not a folder.
    """
    if not root.is_dir():
        raise FirehoseError(f"{root} is not a folder: name the old system's folder, or one that holds its stores")
    above = root.resolve().parts
    waiting = [""]
    while waiting:
        at = waiting.pop()
        names = (*above, *at.split("/")) if at else above
        folders: list[str] = []
        yield from _folder(root, at, folder(names), folders)
        waiting += sorted(folders, reverse=True)


def printable(path: str) -> str:
    """A path whose bytes are not UTF-8, as text that any file can hold."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _folder(root: Path, at: str, kind: Folder, folders: list[str]) -> Iterator[Listed]:
    """The files of one folder; its folders are put into ``folders``."""
    try:
        with os.scandir(root / at) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except OSError as error:
        yield Refused(path=printable(at), reason=f"cannot be listed: {error.strerror}", unknown=True)
        return
    names = {entry.name for entry in entries if entry.name.endswith((".db", *QUEUE_SIDE_FILES))}
    prefix = f"{at}/" if at else ""
    outside: list[str] = []
    for entry in entries:
        name, path = entry.name, prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            if name.startswith("."):
                yield Outside(path=printable(path), files=0, example=printable(name))
            else:
                folders.append(path)
        elif name.startswith(".") or _of_database(name, names):
            # A log of a database is read with it.
            outside += [name] if name.startswith(".") else []
        elif listed := _file(entry, path, kind, names):
            yield listed
        else:
            outside.append(name)
    if outside:
        yield Outside(path=printable(at) or ".", files=len(outside), example=printable(outside[0]))


def _of_database(name: str, names: set[str]) -> bool:
    for ending in QUEUE_SIDE_FILES:
        database = name.removesuffix(ending)
        if database != name:
            return database in names and QUEUE_NAME.fullmatch(database) is not None
    return False


def _file(entry: os.DirEntry[str], path: str, kind: Folder, names: set[str]) -> Found | Refused | None:
    """What one file is; None where it is outside of all stores."""
    is_queue = QUEUE_NAME.fullmatch(entry.name) is not None
    if not is_queue and not kind.of_store:
        return None
    store, shape, role = (Store.QUEUE, Shape.QUEUE, "queue") if is_queue else kind[:3]
    name = NAMES.get(shape, ROWS_NAME) if shape else None
    if not is_queue and (name is None or not name.fullmatch(entry.name)):
        return _unknown(path, "the old system wrote no file of this name to this folder")
    if store is None or shape is None:
        return _unknown(path, _NO_GENERATION)
    if not entry.is_file(follow_symlinks=False):
        return _unknown(path, "not a regular file; if it is a link, name the folder that it leads to as the root")
    try:
        path.encode()
        size, mtime_ns = _size(entry, names if is_queue else set())
    except UnicodeEncodeError:
        return _unknown(path, "its name is not UTF-8")
    except OSError as error:
        return Refused(path=path, reason=f"cannot be read: {error.strerror}")
    return Found(path=path, store=store, shape=shape, role=role, size=size, mtime_ns=mtime_ns)


def _size(entry: os.DirEntry[str], names: set[str]) -> tuple[int, int]:
    status = entry.stat(follow_symlinks=False)
    size, mtime_ns = status.st_size, status.st_mtime_ns
    for log in QUEUE_LOGS:
        if entry.name + log in names:
            other = Path(entry.path + log).lstat()
            size, mtime_ns = size + other.st_size, max(mtime_ns, other.st_mtime_ns)
    return size, mtime_ns


def _unknown(path: str, reason: str) -> Refused:
    return Refused(path=printable(path), reason=reason, unknown=True)
