"""A thread as a tree, from the list of its answers: each comes after the post that it answers, with its depth.

Must not: SQL, HTTP.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import msgspec

#: Numbers of an account and of a key.
Post = tuple[int, int]


def as_tree(answer: bytes) -> bytes:
    """An answer of ``post_thread``, by time, as rows that begin with a depth instead of two posts."""
    rows = msgspec.json.decode(answer)["data"]
    posts = {_post(row[0]) for row in rows}
    below: defaultdict[Post | None, list[list[Any]]] = defaultdict(list)
    for row in rows:
        parent = _post(row[1])
        below[parent if parent in posts else None].append(row)  # None: the post that began the thread
    tree: list[list[Any]] = []
    # Not by recursion: Python's ends at a depth of a thousand.
    waiting = [(1, row) for row in reversed(below[None])]
    while waiting:
        depth, row = waiting.pop()
        tree.append([depth, *row[2:]])
        waiting += [(depth + 1, each) for each in reversed(below[_post(row[0])])]
    return msgspec.json.encode({"data": tree})


def _post(numbers: list[int]) -> Post:
    return int(numbers[0]), int(numbers[1])
