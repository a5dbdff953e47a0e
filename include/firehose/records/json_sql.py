"""SQL that finds a part of a record within its JSON. Pure text.

``record`` is SQL for the JSON; a path is the keys that lead to the part. Must not: know fields or types.
"""

from __future__ import annotations


def text_in(record: str, *path: str) -> str:
    """SQL for a string within JSON, NULL where there is none."""
    where = _where(record, *path)
    return f"if(JSONType({where}) = 'String', JSONExtractString({where}), NULL)"


def texts_in(record: str, *path: str) -> str:
    """SQL for whether JSON holds a list of strings and nothing else in it."""
    where = _where(record, *path)
    return f"JSONType({where}) = 'Array' AND arrayAll(x -> JSONType(x) = 'String', JSONExtractArrayRaw({where}))"


def raw_in(record: str, *path: str) -> str:
    """SQL for any value within JSON, as JSON; NULL where there is none, or it is null."""
    return f"nullIf(nullIf(JSONExtractRaw({_where(record, *path)}), ''), 'null')"


def number_in(record: str, *path: str) -> str:
    """SQL for an integer of 64 bits within JSON, NULL where there is none."""
    where = _where(record, *path)
    # Without a check of its type, the engine makes integers of fractions, texts and booleans.
    return f"if(JSONType({where}) IN ('Int64', 'UInt64'), JSONExtract({where}, 'Nullable(Int64)'), NULL)"


def flag_in(record: str, *path: str) -> str:
    """SQL for true or false within JSON, NULL where there is neither."""
    where = _where(record, *path)
    return f"if(JSONType({where}) = 'Bool', JSONExtract({where}, 'Nullable(Bool)'), NULL)"


def ref_in(record: str, *path: str) -> str:
    """SQL for whether JSON holds a strongRef and nothing else in it."""
    parts = (f"isNotNull({text_in(record, *path, name)})" for name in ("uri", "cid"))
    return " AND ".join([f"JSONLength({_where(record, *path)}) = 2", *parts])


def _where(record: str, *path: str) -> str:
    return ", ".join([record, *(f"'{key}'" for key in path)])
