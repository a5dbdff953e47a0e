"""A fault at the boundary to ClickHouse: the process that uses the client dies between two commands."""

from __future__ import annotations

from typing import Any

from clickhouse_connect.driver.client import Client


class DyingClient:
    """A client whose process dies just before command number ``commands``, counted from 0."""

    def __init__(self, client: Client, commands: int) -> None:
        self._client = client
        self._left = commands

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def command(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command, or die."""
        self._left -= 1
        if self._left < 0:
            raise SystemExit
        return self._client.command(*args, **kwargs)
