"""`firehose doctor` about a foreign Redis: whether what scripts wrote is there after it was started again."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, Final, cast

import pytest
import redis

from devstack.embedded.redis import free_port
from firehose.settings import Settings
from firehose_cli.doctor.check import Finding, State
from firehose_cli.doctor.redis_users import SCRIPTED, reads_back
from tests.security.redis.redis_servers import binaries
from tests.support.waiting import until

_ADMIN: Final = "user admin on >right-word ~* &* +@all"
_ROLE: Final = "user pipeline on >other-word ~* resetchannels -@all +ping +info +client"
_SCRIPT: Final = "redis.call('XADD', KEYS[1], '*', 'n', '1'); redis.call('HSET', KEYS[2], 'cursor', '1')"


class ForeignRedis:
    """A server of the operator's own: its user ``default`` as given, an administrator, and a role."""

    def __init__(self, binary: str, folder: Path, default: str, *, append_only: bool = True) -> None:
        self.port, users = free_port(), folder / "users.acl"
        users.write_text(f"user default {default}\n{_ADMIN}\n{_ROLE}\n")
        appended = ("--appendonly", "yes" if append_only else "no", "--appendfsync", "always", "--save", "")
        self._command = [
            binary,
            "--port",
            str(self.port),
            "--dir",
            str(folder),
            "--aclfile",
            str(users),
            *appended,
        ]

    @contextmanager
    def running(self) -> Iterator[redis.Redis]:
        """The server, until it is killed; a client of its administrator."""
        with (
            subprocess.Popen(self._command, stdout=subprocess.DEVNULL) as process,
            redis.Redis(port=self.port, username="admin", password="right-word") as admin,
        ):
            try:
                until(lambda: _answers(admin))
                yield admin
            finally:
                process.kill()

    def asked(self, home: Path, login: str) -> Finding:
        """What the doctor says with this login in the URL."""
        return reads_back(Settings(home=str(home), redis_url=f"redis://{login}localhost:{self.port}/0"))


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


@pytest.fixture(params=["bundled", "path"])
def binary(request: pytest.FixtureRequest) -> str:
    """Each redis-server that there is: 6.2, which comes with the project, does not ask for rights; 7.0 does."""
    found = binaries().get(request.param)
    if found is None:
        pytest.skip("no redis-server on PATH")
    return found


@pytest.mark.parametrize(
    "default",
    ["off -@all", "off ~other:* -@all +@write +select", "off ~* -@all +@write +select"],
)
def test_the_doctor_says_what_a_restart_shows(default: str, binary: str, tmp_path: Path) -> None:
    foreign = ForeignRedis(binary, tmp_path, default)
    keys = ("firehose:posts:queue", "firehose:metadata")
    with foreign.running() as admin:
        admin.eval(_SCRIPT, 2, *keys)
        finding = foreign.asked(tmp_path, "admin:right-word@")
        unknown = foreign.asked(tmp_path, "pipeline:other-word@")
        asks_for_rights = not str(admin.info("server")["redis_version"]).startswith("6.")
    with foreign.running() as admin:
        kept = admin.exists(*keys) == len(keys)
    assert finding.state is (State.OK if kept else State.FAILURE), finding
    assert kept or "ACL SETUSER default ~* +@write +select" in finding.remedy
    assert kept or asks_for_rights
    # A role may not ask: that is said, and how an administrator finds out.
    assert unknown.state is (State.NOT_CHECKED if asks_for_rights else State.OK)
    assert ("ACL GETUSER default" in unknown.said) is asks_for_rights
    assert "-word" not in f"{finding}{unknown}"


def test_a_redis_that_lets_default_in_is_asked_by_it(binary: str, tmp_path: Path) -> None:
    foreign = ForeignRedis(binary, tmp_path, "on nopass ~* &* +@all")
    with foreign.running() as admin:
        (tmp_path / "redis-access").mkdir()
        (tmp_path / "redis-access" / "pipeline").write_text("other-word\n")
        assert foreign.asked(tmp_path, "").state is State.OK
        assert admin.acl_log() == []


def test_without_an_append_only_file_there_is_nothing_to_lose(binary: str, tmp_path: Path) -> None:
    foreign = ForeignRedis(binary, tmp_path, "off -@all", append_only=False)
    with foreign.running():
        assert foreign.asked(tmp_path, "admin:right-word@").state is not State.FAILURE


def test_every_command_by_which_a_script_writes_is_asked_for(tmp_path: Path) -> None:
    scripts = "".join(
        script.read_text(encoding="utf-8")
        for package, folder in (("firehose", "batch/lua"), ("ingester", "contract/lua"))
        for script in resources.files(package).joinpath(folder).iterdir()
    )
    called = sorted(set(re.findall(r"redis\.p?call\(\s*'(\w+)'", scripts)))
    assert "XADD" in called
    with ForeignRedis(binaries()["bundled"], tmp_path, "off -@all").running() as admin:
        told = cast(dict[str, dict[str, Any]], cast(Any, admin).execute_command("COMMAND", "INFO", *called))
    writing = {name.upper() for name, command in told.items() if "write" in command["flags"]}
    assert writing == {command[0] for command in SCRIPTED} - {"SELECT"}
