"""The part of docker-compose.yaml that passes settings on to the containers.

Lives here: which settings a container may be given. Must not: values, which .env or the shell has.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from msgspec import structs

from firehose.settings import Settings
from ingester.contract.settings import PREFIX, IngesterSettings

FILE: Final = Path(__file__).resolve().parents[2] / "docker-compose.yaml"
#: Paths of the host, ports of the demo, and the embedded endpoint, whose place a ClickHouse server takes.
_NOT_FOR_CONTAINERS: Final = re.compile(
    "home|redis_passwords|(airflow|docs|simulator)_port|http_.*|clickhouse_sandbox|query_(max|total)_memory_mib"
)
_BLOCK: Final = re.compile(r"(?<=# begin: settings\n).*(?=# end: settings\n)", re.DOTALL)


def with_settings(text: str) -> str:
    """The compose file's text with the settings as they are now."""
    block = _anchor("ingester-settings", IngesterSettings) + _anchor("settings", Settings)
    return _BLOCK.sub(block, text)


def _anchor(name: str, kind: type[IngesterSettings]) -> str:
    fields = (field.name for field in structs.fields(kind))
    names = [f"  {PREFIX}{field.upper()}:\n" for field in fields if not _NOT_FOR_CONTAINERS.fullmatch(field)]
    return f"x-{name}: &{name}\n" + "".join(names)
