"""Who may do what in Redis: nobody without a name, each role what it uses, and only the administrator the rest."""

from __future__ import annotations

import os
import re
import secrets
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, cast

import pytest
import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError
from redis.retry import Retry

from devstack.demo.services import services
from devstack.embedded import redis as embedded
from devstack.embedded.ingester import ingester_process
from devstack.embedded.redis import RedisServer, free_port
from devstack.embedded.redis_config import TEMPLATES, login_of
from firehose.batch import buffer
from firehose.batch.coverage import known_gaps
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.errors import FirehoseError, ServiceUnavailable
from firehose.lake.publish import publish
from firehose.quality.validate import validate
from firehose.settings import Settings
from ingester import errors
from ingester.buffer.buffers import Buffer
from ingester.buffer.exchange import Claim, Flush
from ingester.buffer.sink import Sink
from ingester.contract import wire
from ingester.contract.redis_access import INGESTER, MONITORING, PIPELINE, ROLES, RedisAccess
from jetstream_simulator import process as simulator
from tests.security.redis.redis_servers import binaries, fields, hear, last_minute
from tests.support.command import FIREHOSE
from tests.support.ingester import IngesterProcess, Source, event, metadata
from tests.support.waiting import until

#: What nobody but an administrator may do: the ways to files, to code, to other servers, and to nothing left.
DANGEROUS: Final[tuple[tuple[str, ...], ...]] = (
    ("CONFIG", "SET", "dir", "/tmp"),
    ("CONFIG", "GET", "*"),
    ("CONFIG", "REWRITE"),
    ("SAVE",),
    ("BGSAVE",),
    ("BGREWRITEAOF",),
    ("REPLICAOF", "127.0.0.1", "1"),
    ("SLAVEOF", "127.0.0.1", "1"),
    ("MODULE", "LOAD", "/tmp/x.so"),
    ("DEBUG", "SLEEP", "0"),
    ("SHUTDOWN", "NOSAVE"),
    ("FLUSHALL",),
    ("FLUSHDB",),
    ("ACL", "SETUSER", "default", "on", "nopass", "+@all", "~*"),
    ("ACL", "WHOAMI"),
    ("SCRIPT", "FLUSH"),
    ("SCRIPT", "KILL"),
    ("EVAL", "return 1", "0"),
    ("KEYS", "*"),
    ("SCAN", "0"),
    ("MIGRATE", "127.0.0.1", "1", "firehose:metadata", "0", "100"),
    ("RESTORE", "firehose:metadata", "0", "x"),
    ("RENAME", "firehose:metadata", "firehose:backfill"),
    ("DEL", "firehose:metadata"),
    ("SWAPDB", "0", "1"),
    ("MONITOR",),
    ("CLIENT", "KILL", "127.0.0.1:1"),
    ("SUBSCRIBE", "x"),
)


@pytest.fixture(params=["bundled", "path"])
def binary(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each redis-server that there is: 6.2 comes with the project, Debian has 7.0."""
    found = binaries().get(request.param)
    if found is None:
        pytest.skip("no redis-server on PATH")
    monkeypatch.setattr(embedded, "executable", lambda: found)
    return found


@pytest.fixture
def server(binary: str, tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


def refused(client: redis.Redis, command: tuple[Any, ...]) -> bool:
    """Whether a command is refused for want of a name or a right, or to everybody."""
    try:
        cast(Any, client).execute_command(*command)
    except (NoPermissionError, redis.AuthenticationError):
        return True
    except redis.RedisError as error:
        return "command not allowed" in str(error)  # MODULE and DEBUG, from Redis 7 on
    return False


def stranger(port: int, **login: Any) -> redis.Redis:
    """A client of another user of the machine; it does not try again."""
    return redis.Redis(port=port, retry=Retry(NoBackoff(), 0), **login)


def test_nobody_is_let_in_without_a_name(server: RedisServer) -> None:
    before = {path: path.read_bytes() for path in TEMPLATES.iterdir()}
    for login in ({"protocol": 2}, {"protocol": 3}, {"password": ""}, {"username": "admin", "password": "redis"}):
        with stranger(server.port, **login) as client:
            tried = [*DANGEROUS, ("PING",), ("INFO",)]
            assert [command for command in tried if not refused(client, command)] == []
    # The attack itself, by the one who may: what is rewritten is the copy.
    with server.client() as admin:
        admin.config_set("maxmemory-policy", "allkeys-lru")
        admin.config_rewrite()
        assert {path: path.read_bytes() for path in TEMPLATES.iterdir()} == before
        assert "allkeys-lru" in (server.access / "redis.conf").read_text()
        admin.shutdown(nosave=True)
    assert server.process is not None
    server.process.wait(20)
    with server.start(), server.client() as admin:
        assert admin.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_what_a_script_wrote_is_there_after_a_restart(server: RedisServer) -> None:
    """Redis 7.0 reads its append-only file as the user `default`, and drops what that user may not repeat."""

    def everything() -> dict[str, Any]:
        with server.client() as admin:
            return {
                wire.METADATA_KEY: admin.hgetall(wire.METADATA_KEY),
                wire.HEARTBEATS_KEY: admin.zrange(wire.HEARTBEATS_KEY, 0, -1),
                **{queue: admin.xrange(wire.stream_key(queue)) for queue in wire.QUEUES},
            }

    sink = Sink(RedisAccess(server.url, INGESTER, server.access / INGESTER), "a", "host")
    assert isinstance(sink.claim(60_000), Claim)
    for first in (0, 8):
        added = Buffer()
        for number in range(first, first + 8):
            (added.add if added.placed else added.begin)(event(number, 10))
        sink.write(Flush(added.pack(2), added.last_us, True, 60_000))
    sink.close()
    before = everything()
    assert all(before[name] for name in (wire.METADATA_KEY, wire.HEARTBEATS_KEY, *wire.QUEUES))
    server.kill()
    with server.start():
        assert everything() == before
        with server.client() as admin:
            default = admin.acl_getuser("default")
    # Also seen where the only Redis is one that does not do so.
    assert {"+@write", "+select"} <= {*default["categories"], *default["commands"]}
    assert str(default["keys"]) in ("['~*']", "[b'*']")  # as Redis 7 and as Redis 6 say it
    assert default["enabled"] is False and "nopass" not in default["flags"] and default["passwords"] == []


@pytest.mark.parametrize("role", ROLES)
def test_dangerous_commands_are_for_no_role(role: str, server: RedisServer) -> None:
    with server.client(role) as client:
        assert [command for command in DANGEROUS if not refused(client, command)] == []


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_run_what_it_is_given_and_nothing_else(role: str, server: RedisServer) -> None:
    """Every command that the server has, so that a newer server's are seen as well."""
    text = (TEMPLATES / "users.acl").read_text()
    given = {name.lower() for name in re.findall(r"\+(\S+)", text.split(f"user {role} ")[1].split("\nuser ")[0])}
    with server.client() as admin, server.client(role) as client:
        allowed = {name for name, command in commands(admin) if not may_not_run(client, command)}
        dangerous = {name.decode() for name in cast(list[bytes], admin.execute_command("ACL", "CAT", "dangerous"))}
    if not any("|" in name for name in allowed):  # 6.2 names no subcommands
        given = {name for name in given if "|" not in name}
    assert allowed == given
    assert allowed & dangerous <= {"info"}


def may_not_run(client: redis.Redis, command: tuple[str, ...]) -> bool:
    """Whether a role is refused a command, whatever the key."""
    try:
        cast(Any, client).execute_command(*command)
    except NoPermissionError as error:
        return "permissions to run" in str(error)
    except redis.RedisError as error:
        return "command not allowed" in str(error)
    return False


def commands(admin: redis.Redis) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every command or subcommand with as many arguments as it needs at least.

    Not those for logging in, which everybody has, nor EXEC, which asks for the rights of what was queued.
    """
    for name, described in cast(dict[str, dict[str, Any]], cast(Any, admin).execute_command("COMMAND")).items():
        if name in ("auth", "hello", "quit", "reset", "exec"):
            continue
        parts = [(part[0].decode(), int(part[1])) for part in described.get("subcommands") or []]
        for sub, arity in parts or [(name, int(described["arity"]))]:
            words = sub.split("|")
            yield sub, (*words, *["x"] * (abs(arity) - len(words)))


@pytest.mark.parametrize(
    ("role", "command"),
    [
        (INGESTER, ("HGET", "firehose:backfill", "x")),
        (INGESTER, ("HGET", "firehose:backfill:bytes", "x")),
        (INGESTER, ("XADD", "other:posts:queue", "*", "n", "1")),
        (INGESTER, ("XADD", "firehose:posts:queue:misplaced", "*", "n", "1")),
        (INGESTER, ("XRANGE", "firehose:posts:queue", "-", "+")),
        (PIPELINE, ("HGET", "session:1", "x")),
        (PIPELINE, ("DUMP", "session:1")),
        (PIPELINE, ("RENAMENX", "firehose:posts:queue", "elsewhere")),
        (PIPELINE, ("ZADD", "firehose:heartbeats", "1", "1")),
        (MONITORING, ("HGET", "session:1", "x")),
        (MONITORING, ("XRANGE", "firehose:posts:queue", "-", "+")),
        (MONITORING, ("HSET", "firehose:metadata", "cursor", "1")),
        (MONITORING, ("XDEL", "firehose:posts:queue", "1-1")),
        (MONITORING, ("SCRIPT", "LOAD", "return 1")),
    ],
)
def test_a_role_reaches_nothing_of_anothers(role: str, command: tuple[str, ...], server: RedisServer) -> None:
    with server.client() as admin, server.client(role) as client:
        admin.hset("session:1", "x", "secret")
        assert refused(client, command)
        # Nor by a script, where the role may load one.
        if role != MONITORING:
            script = client.register_script(f"return redis.call({', '.join(map(repr, command))})")
            with pytest.raises(redis.ResponseError, match=r"can't|ACL failure"):
                script()


def test_the_roles_suffice_from_the_socket_to_the_lake(server: RedisServer, tmp_path: Path) -> None:
    settings = Settings(home=str(tmp_path), lake=str(tmp_path / "lake"), redis_url=server.url, start_cursor=1)
    with simulator.start(["--events=600", "--rate=3000", "--seed=2"]) as source, server.client() as admin:
        settings = Settings(**{**structs(settings), "jetstream_url": source.url})
        with ingester_process(settings), buffer.client(settings, MONITORING) as monitor:
            until(lambda: int(monitor.hget(wire.METADATA_KEY, wire.META_EVENTS) or 0) >= 600)
            health = subprocess.run(
                [sys.executable, "docker/ingester_health.py"],
                env=environment(settings) | {"PYTHONPATH": "."},
                capture_output=True,
                text=True,
                check=False,
            )
            assert (health.returncode, health.stdout + health.stderr) == (0, "")
            assert monitor.info("memory") and monitor.memory_usage(wire.METADATA_KEY)
        now = buffer.redis_ms(admin) // 1000
        admin.set("firehose:backfill", "foreign")
        admin.xadd(wire.stream_key(wire.POSTS), {"foo": "bar"}, id=f"{2**60}-1")
        batch = Batch.parse(time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now - 120)), 122)
        drain(settings, batch)
        validate(settings, batch)
        publish(settings, batch)
        assert known_gaps(settings) == []
        assert {entry["username"] for entry in admin.acl_log()} == set(), admin.acl_log()
        assert sum(admin.xlen(wire.stream_key(queue)) for queue in wire.QUEUES) == 0


def structs(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in settings.__struct_fields__}


def environment(settings: Settings) -> dict[str, str]:
    ours = {f"FIREHOSE_{name.upper()}": str(value) for name, value in structs(settings).items()}
    return {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]} | ours


def test_passwords_are_their_owners_only_and_in_no_command_line_or_log(server: RedisServer) -> None:
    assert server.process is not None
    kept = {path.name: path for path in server.access.iterdir() if path.is_file()}
    assert set(kept) == {*ROLES, "admin", "users.acl", "redis.conf"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept.values()} == {0o600}
    for folder in (server.access, server.folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_ISSOCK((server.access / "admin.sock").stat().st_mode)
    passwords = {kept[name].read_text().strip() for name in (*ROLES, "admin")}
    assert len(passwords) == 4 and min(map(len, passwords)) >= 32
    shown = Path(f"/proc/{server.process.pid}/cmdline").read_text() + server.log.read_text()
    shown += kept["users.acl"].read_text() + kept["redis.conf"].read_text()
    assert [password for password in passwords if password in shown] == []
    server.stop()
    with server.start():
        assert {kept[name].read_text().strip() for name in (*ROLES, "admin")} == passwords


@pytest.mark.parametrize("user", ["", "operator", "ingester"])
def test_a_password_in_the_url_is_the_servers(user: str, binary: str, tmp_path: Path) -> None:
    password, port = secrets.token_urlsafe(16), free_port()
    url = f"redis://{user}:{password}@localhost:{port}/0"
    settings = Settings(home=str(tmp_path), lake=str(tmp_path / "lake"), redis_url=url)
    (service,) = [one for one in services(settings, simulated=True) if one.name == "redis"]
    assert password not in " ".join(service.command)
    with subprocess.Popen(service.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            with buffer.client(settings) as client:
                until(lambda: answers(client))
                batch = last_minute(client)
                client.xadd(wire.stream_key(wire.POSTS), fields([b"{}"]), id=f"{batch.start_ms}-1")
                assert [command for command in DANGEROUS if not refused(client, command)] == []
            with stranger(port) as late:
                assert refused(late, ("PING",))
            assert drain(settings, batch).events == 1
        finally:
            process.kill()


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


@pytest.mark.parametrize(
    "url", ["redis://user@localhost", "redis://admin:x@localhost", "redis://a%20b:x@localhost"]
)
def test_a_login_that_the_server_cannot_have_is_one_line(url: str) -> None:
    with pytest.raises(FirehoseError, match=r"^FIREHOSE_REDIS_URL: the server that is started here cannot have"):
        login_of(url)


def test_a_home_from_before_goes_on_with_its_data(binary: str, tmp_path: Path) -> None:
    """A server as the previous version started it: no users, and data in its append-only file."""
    folder, port = tmp_path / "redis", free_port()
    folder.mkdir()
    command = [binary, str(TEMPLATES / "redis.conf"), "--dir", str(folder), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as old, redis.Redis(port=port) as client:
        until(lambda: answers(client))
        batch = last_minute(client)
        client.xadd(wire.stream_key(wire.POSTS), fields([b'{"a":1}']), id=f"{batch.start_ms}-1")
        client.hset(wire.METADATA_KEY, wire.META_EVENTS, 7)
        old.kill()
    settings = Settings(home=str(tmp_path), lake=str(tmp_path / "lake"), redis_url=f"redis://localhost:{port}/0")
    with RedisServer(tmp_path, port):
        assert drain(settings, batch).events == 1
        with buffer.client(settings, MONITORING) as client:
            assert client.hget(wire.METADATA_KEY, wire.META_EVENTS) == b"7"
        with stranger(port) as late:
            assert refused(late, ("PING",))


def test_a_rotated_password_counts_without_a_restart(server: RedisServer, tmp_path: Path) -> None:
    settings = Settings(home=str(tmp_path), lake=str(tmp_path / "lake"), redis_url=server.url)
    old = (server.access / PIPELINE).read_text().strip()
    with buffer.client(settings) as client, server.client() as admin:
        assert client.ping()
        rotate = [str(FIREHOSE), "redis-access", str(server.access), "--rotate"]
        subprocess.run([*rotate, PIPELINE], env=environment(settings), check=True)
        admin.execute_command("ACL", "LOAD")
        client.connection_pool.disconnect()
        assert client.ping()
    with stranger(server.port, username=PIPELINE, password=old) as late:
        assert refused(late, ("PING",))
    wrong = subprocess.run(
        [*rotate, "root"], env=environment(settings), capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 1 and wrong.stderr.startswith("firehose: Redis has no user 'root'")


def _wrong_password(server: RedisServer, settings: Settings) -> None:
    for role in ROLES:
        (settings.redis_passwords_path / role).write_text("guessed-password\n")


def _no_password(server: RedisServer, settings: Settings) -> None:
    for role in ROLES:
        (settings.redis_passwords_path / role).unlink()


def _no_right(server: RedisServer, settings: Settings) -> None:
    with server.client() as admin:
        admin.execute_command("ACL", "SETUSER", PIPELINE, "-xrange", "-script", "-evalsha")
        admin.execute_command("ACL", "SETUSER", INGESTER, "-hset")


@pytest.mark.parametrize(
    ("damage", "said", "what"),
    [
        (_wrong_password, "refuses the login of the user", "must hold the password that Redis has"),
        (_no_password, "refuses the login of the", "there is no login in FIREHOSE_REDIS_URL"),
        (_no_right, "does not allow the user", "give it the rights that include/firehose/redis/users.acl has"),
    ],
)
def test_a_refusal_is_one_line_that_says_what_to_do(
    damage: Callable[[RedisServer, Settings], None], said: str, what: str, tmp_path: Path
) -> None:
    (tmp_path / "server").mkdir()
    with RedisServer(tmp_path / "server") as server:
        settings = Settings(home=str(tmp_path), lake=str(tmp_path / "lake"), redis_url=server.url)
        write = (settings.redis_passwords_path, settings.local_lake)
        for folder in write:
            folder.mkdir()
        for role in ROLES:
            (settings.redis_passwords_path / role).write_text((server.access / role).read_text())
        with server.client() as admin:
            batch = last_minute(admin)
            hear(admin, batch)
        damage(server, settings)
        with pytest.raises(ServiceUnavailable) as caught:
            drain(settings, batch)
        command = subprocess.run([FIREHOSE, "coverage"], env=environment(settings), capture_output=True, text=True)
        with Source([event(0)]) as source, IngesterProcess(tmp_path, server.url, source.url).start() as ingester:
            assert ingester.ended() == errors.REFUSED
        logged = ingester.log.read_text()
    for text in (str(caught.value), command.stderr, logged):
        (line,) = [line for line in text.splitlines() if said in line]
        assert what in line and server.url in line
        assert "guessed-password" not in text and "Traceback" not in text
    assert "\n" not in str(caught.value)


def test_an_external_redis_with_its_own_login_works_as_before(server: RedisServer, tmp_path: Path) -> None:
    """A plain ``requirepass``, which the project knows nothing of; password files beside it do not matter."""
    folder, port = tmp_path / "external", free_port()
    folder.mkdir()
    command = [embedded.executable(), "--port", str(port), "--dir", str(folder), "--requirepass", "p@ss/word"]
    url = f"redis://:p%40ss%2Fword@localhost:{port}/0"
    settings = Settings(home=str(tmp_path), lake=str(tmp_path / "lake"), redis_url=url)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            with buffer.client(settings) as client:
                until(lambda: answers(client))
                batch = last_minute(client)
                hear(client, batch)
            with Source([event(0)]) as source, IngesterProcess(tmp_path, url, source.url).start() as ingester:
                until(lambda: metadata(redis.Redis.from_url(url)).get(wire.META_EVENTS) == "1")
                assert ingester.stop() == 0
            assert drain(settings, batch).events == 0
            assert "p@ss" not in ingester.log.read_text() and "p%40ss" not in ingester.log.read_text()
        finally:
            process.kill()
