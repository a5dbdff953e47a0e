"""Exits with 0 if the ingester has written to Redis lately, else with 1 and a line. The container's health check.

Health is progress, not a process that exists. Must not: import the project's batch side, which the image lacks.
"""

from __future__ import annotations

import os
import sys

import redis

from ingester import wire

#: A quiet network, a reconnect with its longest pause, and then some.
MAX_SILENCE_S = 120.0


def silence_s(client: redis.Redis) -> float:
    """Seconds since the last write, on Redis's own clock; infinite before the first."""
    last_ms = client.hget(wire.METADATA_KEY, wire.META_LAST_FLUSH_MS)
    seconds, microseconds = client.time()
    return seconds + microseconds / 1e6 - int(last_ms) / 1000 if last_ms else float("inf")


if __name__ == "__main__":
    with redis.Redis.from_url(os.environ["FIREHOSE_REDIS_URL"], socket_timeout=5) as connection:
        silent = silence_s(connection)
    if silent > MAX_SILENCE_S:
        sys.exit(f"nothing written to Redis for {silent:.0f} s (limit {MAX_SILENCE_S:.0f} s)")
