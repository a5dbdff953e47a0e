"""``firehose settings``: prints the table of settings that docs/settings.md holds."""

from __future__ import annotations

import typer


def settings() -> None:
    """Print every setting with its type, default and meaning, as Markdown."""
    from firehose.settings_table import markdown

    typer.echo(markdown(), nl=False)
