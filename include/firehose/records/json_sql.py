"""SQL that finds a part of a record within its JSON. Pure text.

``record`` is SQL for the JSON; a path is the keys that lead to the part. Must not: know fields or types.
"""

from __future__ import annotations


def text_in(record: str, *path: str) -> str:
    """SQL for a string within JSON, NULL where there is none."""
    where = _where(record, *path)
    return f"if(JSONType({where}) = 'String', JSONExtractString({where}), NULL)"


def ref_in(record: str, *path: str) -> str:
    """SQL for whether JSON holds a strongRef and nothing else in it."""
    parts = (f"isNotNull({text_in(record, *path, name)})" for name in ("uri", "cid"))
    return " AND ".join([f"JSONLength({_where(record, *path)}) = 2", *parts])


def _where(record: str, *path: str) -> str:
    return ", ".join([record, *(f"'{key}'" for key in path)])
