"""Finds the places in the source at which an event or a span of time can leave its way.

Lives here: the idioms, and the modules that events pass. Must not: say what happens at a place (``places.py``).
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
#: Every module that events, their times or their records pass, from the socket to ClickHouse.
MODULES = (
    *("ingester/*.py", "ingester/buffer/*.py", "ingester/position/*.py", "ingester/jetstream/*.py"),
    *("ingester/contract/resyncs.py", "ingester/contract/wire.py", "ingester/contract/frame.py"),
    *(f"include/firehose/{room}/*.py" for room in ("batch", "quality", "events", "backfill")),
    *("include/firehose/maintenance/*.py", "include/firehose/maintenance/tiers/*.py"),
    *(f"include/firehose/lake/{name}.py" for name in ("publish", "commit", "hourfile", "staged", "displacement")),
    *(
        f"include/firehose/lake/{name}.py"
        for name in ("edges", "carry", "rebuild", "remake", "losses", "published", "sides")
    ),
    *(f"include/firehose/lake/{name}.py" for name in ("expiry", "closing", "closed_file", "users", "identity")),
    *(f"include/firehose/warehouse/{name}.py" for name in ("summaries", "event_rows", "event_tables", "coverage")),
)
#: Calls that drop something, set it aside, or give up what is in memory.
SINKS = frozenset(
    {
        *("dead_letter", "reject", "set_aside", "skip", "keep_sample", "abandon", "restart", "record_silence"),
        *("xdel", "xtrim", "unlink", "remove", "discard", "discard_all", "rmtree", "truncate"),
        *("add_undecodable", "add_rows", "drop_duplicates", "filter", "Gap", "suppress"),
    }
)
#: Fields of results that say how much has gone: whatever fills one is a place.
COUNTED = frozenset(
    {
        *("quarantined", "duplicates", "displaced", "lost", "absent", "removed", "waiting"),
        *("foreign", "miscounted", "late"),
    }
)
#: Errors that end a batch, or an interval, without it.
ENDINGS = frozenset(
    {"BeforeFirstStart", "MissedInterval", "NotListening", "PoisonFlood", "SourceNotice", "Restart"}
)


def places() -> Counter[tuple[str, str]]:
    """How often each idiom is in each function: by ``module::function`` and idiom."""
    found: Counter[tuple[str, str]] = Counter()
    for path in sorted({path for pattern in MODULES for path in ROOT.glob(pattern)}):
        name = str(path.relative_to(ROOT)).removeprefix("include/").removesuffix(".py")
        for function, idiom in _of(ast.parse(path.read_text()), ""):
            found[f"{name}::{function or 'module'}", idiom] += 1
    return found


def _of(node: ast.AST, function: str) -> Iterator[tuple[str, str]]:
    for child in ast.iter_child_nodes(node):
        inside = function
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inside = f"{function}.{child.name}" if function else child.name
        if idiom := _idiom(child):
            yield function, idiom
        yield from _of(child, inside)


def _idiom(node: ast.AST) -> str:
    """The idiom of a node: what may drop something; empty for all others."""
    if isinstance(node, ast.Continue | ast.Break):
        return type(node).__name__.lower()
    if isinstance(node, ast.ExceptHandler) and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node)):
        return "except"  # it goes on after an error
    if isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        return called if called in SINKS | ENDINGS else ""
    return f"{node.arg}=" if isinstance(node, ast.keyword) and node.arg in COUNTED else ""
