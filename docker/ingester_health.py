"""Exits with 0 if the ingester has written to Redis lately, else with 1 and a line. The container's health check.

Health is progress, not a process that exists. Must not: import the project's batch side, which the image lacks.
"""

from __future__ import annotations

import sys

import redis

from ingester.contract import wire
from ingester.contract.redis_access import INGESTER, RedisAccess
from ingester.contract.settings import IngesterSettings, SettingsError, read_settings

#: A quiet network, a reconnect with its longest pause, and then some.
MAX_SILENCE_S = 120.0


def silence_s(client: redis.Redis) -> float:
    """Seconds since the last write, on Redis's own clock; infinite before the first."""
    last_ms = client.hget(wire.METADATA_KEY, wire.META_LAST_FLUSH_MS)
    seconds, microseconds = client.time()
    return seconds + microseconds / 1e6 - int(last_ms) / 1000 if last_ms else float("inf")


def main() -> str:
    """What is wrong, in one line; nothing if all is well."""
    try:
        access = RedisAccess.of(read_settings(IngesterSettings), INGESTER)
        with redis.Redis.from_url(access.url, socket_timeout=5, **access.options()) as connection:
            silent = silence_s(connection)
    except (SettingsError, ValueError) as error:
        return str(error)
    except redis.RedisError as error:
        return access.refusal(error) or f"Redis at {access.where} does not answer: {error}"
    if silent > MAX_SILENCE_S:
        return f"nothing written to Redis for {silent:.0f} s (limit {MAX_SILENCE_S:.0f} s)"
    return ""


if __name__ == "__main__":
    sys.exit(main() or 0)
