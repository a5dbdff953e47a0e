"""The Lua scripts of the batch side, which lie in ``lua/``; each says in its file what it takes and replies.

Must not: hold those that write frames (ingester.contract.scripts).
"""

from __future__ import annotations

from importlib.resources import files


def script(name: str) -> str:
    """The text of a script."""
    return (files("firehose.batch") / "lua" / f"{name}.lua").read_text(encoding="utf-8")
