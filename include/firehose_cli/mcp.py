"""``firehose mcp``: the lake for an assistant. Must not: tools and resources (firehose.assistant)."""

from __future__ import annotations


def mcp() -> None:
    """Serve the lake to an assistant over standard input and output, read-only (docs/notebooks.md)."""
    from firehose.errors import FirehoseError

    try:
        from firehose.assistant.server import server
    except ModuleNotFoundError as error:
        if error.name not in ("mcp", "mcp_types"):
            raise
        raise FirehoseError("the package mcp is not installed here: pip install mcp") from error
    server().run()
