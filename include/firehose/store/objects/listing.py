"""Which keys match a pattern, in few requests. Must not: read an object.

A store lists keys in order, a thousand a request. So what a pattern names before its first wildcard is asked for
alone, and where a whole page has no match, the part of the keys that cannot match is jumped over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final

from firehose.store.objects.client import Bucket, Seen

_WILD: Final = frozenset("*?[")
#: What is appended to a folder's name to come behind all that lies in it.
_END: Final = "/\U0010ffff"


def find(bucket: Bucket, folder: str, pattern: str) -> Iterator[str]:
    """The keys below ``folder`` (empty, or ending in ``/``) that match, in the store's order."""
    wanted = pattern.split("/")
    prefix = folder + constant(pattern)
    if len(wanted) == 1:
        yield from (
            key for key in _level(bucket, prefix, folders=False) if fnmatchcase(key[len(folder) :], pattern)
        )
        return
    after, more = "", True
    while more:
        page = bucket.page(prefix, after=after)
        more = page.more
        matching = [key for key in page.keys if _matches(key[len(folder) :].split("/"), wanted)]
        yield from matching
        if more:
            after = last = next(reversed(page.keys))
            if last not in matching[-1:]:
                after = folder + _beyond(last[len(folder) :].split("/"), wanted)


def folders(bucket: Bucket, folder: str, pattern: str) -> Iterator[str]:
    """The folders below ``folder`` that match: one listing for each folder that is looked into."""
    head, _, rest = pattern.partition("/")
    for found in _level(bucket, folder + constant(head), folders=True):
        if fnmatchcase(found[len(folder) :], head):
            yield from folders(bucket, f"{found}/", rest) if rest else (found,)


def below(bucket: Bucket, folder: str) -> Iterator[tuple[str, Seen]]:
    """All keys that begin with ``folder``, in order."""
    after, more = "", True
    while more:
        page = bucket.page(folder, after=after)
        yield from page.keys.items()
        after, more = next(reversed(page.keys), ""), page.more


def _level(bucket: Bucket, prefix: str, *, folders: bool) -> Iterator[str]:
    after, more = "", True
    while more:
        page = bucket.page(prefix, after=after, folders=True)
        yield from page.folders if folders else page.keys
        # Past a folder, with all that lies in it.
        after = max([*page.keys, *(name + _END for name in page.folders)], default="")
        more = page.more


def constant(pattern: str) -> str:
    """The part of a pattern before its first wildcard."""
    return pattern[: next((at for at, one in enumerate(pattern) if one in _WILD), len(pattern))]


def _matches(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


def _beyond(parts: Sequence[str], wanted: Sequence[str]) -> str:
    """Where to go on after a key that does not match: behind the first folder of it in which no key can."""
    for depth, part in enumerate(parts[:-1], start=1):
        if depth >= len(wanted) or not fnmatchcase(part, wanted[depth - 1]):
            return "/".join(parts[:depth]) + _END
    return "/".join(parts)
