"""The generated table of settings: docs/settings.md is this text, and a test compares them."""

from __future__ import annotations

from typing import get_args, get_type_hints

from msgspec import structs

from firehose.settings import Settings
from ingester.contract.settings import PREFIX, IngesterSettings

_HEAD = """\
# Settings

Made by `firehose settings`; do not edit. Each setting is an environment variable, or a line of the env file:
`$FIREHOSE_ENV_FILE` (of a folder: each `*.env` in it), else `firehose.env` in `FIREHOSE_HOME`. The environment
wins over the file. A wrong value and an unknown `FIREHOSE_` variable are refused at start.

| variable | read by | type | default | meaning |
|---|---|---|---|---|
"""


def markdown() -> str:
    """The whole page."""
    hints = get_type_hints(Settings, include_extras=True)
    ours = {field.name for field in structs.fields(IngesterSettings)}
    rows = [
        _row(field.name, field.default, hints[field.name], field.name in ours)
        for field in structs.fields(Settings)
    ]
    return _HEAD + "\n".join(rows) + "\n"


def _row(name: str, default: object, hint: object, by_ingester: bool) -> str:
    kind, meta = get_args(hint)  # each is Annotated[type, Meta]
    shown = f"`{default}`" if default != "" else "(empty)"
    readers = "all" if by_ingester else "pipeline"
    return f"| `{PREFIX}{name.upper()}` | {readers} | {kind.__name__} | {shown} | {meta.description} |"
