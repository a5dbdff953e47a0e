"""The trash: ``.firehose-trash/<time>-<day>/`` in the old system's root, so on the same file system.

``trash.json`` is durable, with all that is about to be moved, before the first file moves, and says ``done`` after
the last one. Until then a repetition puts everything back. Must not: decide what goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from firehose import crash, files
from firehose.errors import FirehoseError
from firehose.lake.audit import AuditedFile

FOLDER: Final = ".firehose-trash"
_LIST: Final = "trash.json"
_FILES: Final = "files"


class Trash(msgspec.Struct, frozen=True, kw_only=True):
    """What was moved together. ``files`` have their paths below the root; ``mtimes`` theirs, in the same order."""

    root: str
    moved_at: datetime
    until: datetime
    by: str
    audit: str
    files: list[AuditedFile]
    mtimes: list[int]
    done: bool = False


def folders(root: Path) -> list[Path]:
    """Every part of the trash, the oldest first."""
    place = root / FOLDER
    return sorted(path for path in place.iterdir() if (path / _LIST).exists()) if place.is_dir() else []


def read(folder: Path) -> Trash:
    """What a part of the trash holds.

    Raises:
        FirehoseError: it cannot be read.
    """
    try:
        return msgspec.json.decode((folder / _LIST).read_bytes(), type=Trash)
    except msgspec.MsgspecError as error:
        raise FirehoseError(f"{folder / _LIST}: not a list of removed files ({error}); move them back") from error


def move(root: Path, name: str, trash: Trash) -> list[str]:
    """Move files into the trash; returns those that stay, since they have changed meanwhile."""
    folder = root / FOLDER / name
    _write(folder, trash)
    crash.reached(crash.Point.TRASH_BEGUN)
    changed = []
    for file, mtime in zip(trash.files, trash.mtimes, strict=True):
        target = folder / _FILES / file.key
        target.parent.mkdir(parents=True, exist_ok=True)
        _rename(root / file.key, target)
        now = target.stat()
        if (now.st_size, now.st_mtime_ns) != (file.bytes, mtime):
            _rename(target, root / file.key)
            changed.append(file.key)
        crash.reached(crash.Point.TRASH_MOVED)
    _sync(folder / _FILES / file.key for file in trash.files)
    _sync(root / file.key for file in trash.files)
    _write(folder, msgspec.structs.replace(trash, done=True))
    return changed


def restore(root: Path, folder: Path) -> list[str]:
    """Put all files back where they were; returns those whose place another file has, which stay in the trash."""
    trash = read(folder)
    taken = []
    for file in trash.files:
        here, place = folder / _FILES / file.key, root / file.key
        if not here.exists():
            continue
        if place.exists() and files.sha256(place) != file.sha256:
            taken.append(file.key)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        _rename(here, place)
        crash.reached(crash.Point.TRASH_BACK)
    _sync(root / file.key for file in trash.files)
    if taken:
        _write(folder, msgspec.structs.replace(trash, done=True))
    else:
        _remove(folder)
    return taken


def purge(folder: Path) -> None:
    """Remove a part of the trash for good."""
    for file in read(folder).files:
        (folder / _FILES / file.key).unlink(missing_ok=True)
        crash.reached(crash.Point.PURGED_SOME)
    _remove(folder)


def _remove(folder: Path) -> None:
    for path in sorted((folder / _FILES).rglob("*"), reverse=True):
        path.rmdir()  # a file that nothing has listed is an error: it is not ours to remove
    if (folder / _FILES).exists():
        (folder / _FILES).rmdir()
    files.remove(folder / _LIST)
    folder.rmdir()


def _write(folder: Path, trash: Trash) -> None:
    files.write_bytes(folder / _LIST, msgspec.json.format(msgspec.json.encode(trash)))


def _rename(source: Path, target: Path) -> None:
    with files.explained(target):
        source.rename(target)


def _sync(paths: Iterable[Path]) -> None:
    for folder in _once(path.parent for path in paths):
        if folder.is_dir():
            files.sync_folder(folder)


def _once(folders: Iterable[Path]) -> Iterator[Path]:
    yield from dict.fromkeys(folders)
