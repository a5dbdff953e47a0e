"""`firehose service` without a systemd: what it refuses, plans and records, in the root folder of an image."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from devstack.service import credentials, inside, install, machine, record, status, units
from devstack.service.record import Generation, Installed
from devstack.service.systemd import Host
from devstack.service.units import AIRFLOW, CLICKHOUSE, REDIS, SYSTEM, UI, Places
from firehose.errors import FirehoseError
from firehose.settings import SettingsError
from tests.support.command import firehose

HERE = Places(Path("/opt/v2/.venv/bin"), Path("/opt/v2"), Path("/opt/v2/include/firehose"), "redis", 6379, None)

#: Properties of a unit that starts, and of one that is going to.
WAITS = {"ActiveState": "activating", "SubState": "start", "Result": "success"}
AGAIN = {"ActiveState": "activating", "SubState": "auto-restart", "Result": "exit-code"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root folder of an image with the folder of settings, and nothing in it."""
    (tmp_path / machine.ETC).mkdir(parents=True)
    return tmp_path


def write(root: Path, name: Path, text: str) -> None:
    """A file of settings or a password."""
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text(text)


def refusal(root: Path, parts: tuple[str, ...] = (), settings: str = "") -> str:
    """The line with which an installation of ``parts`` is refused; empty where it is not."""
    write(root, machine.SETTINGS, settings)
    try:
        machine.refuse(root, machine.settings(root, {}), parts)
    except (FirehoseError, SettingsError) as error:
        return str(error)
    return ""


def test_wrong_settings_are_refused_with_their_name(root: Path) -> None:
    assert "FIREHOSE_FLUSH_MS" in refusal(root, settings="FIREHOSE_FLUSH_MS=soon\n")
    assert "FIREHOSE_FLASH_MS is not a setting" in refusal(root, settings="FIREHOSE_FLASH_MS=400\n")
    for name in ("HOME", "ENV_FILE", "REDIS_PASSWORDS"):
        assert f"FIREHOSE_{name} is set by each unit" in refusal(root, settings=f"FIREHOSE_{name}=/srv\n")


def test_a_missing_password_is_refused_with_its_path(root: Path) -> None:
    assert f"{root / machine.REDIS_PASSWORDS}/ingester: the password of Redis' user" in refusal(root)
    assert refusal(root, settings="FIREHOSE_REDIS_URL=redis://ingester:secret@localhost/0\n") == ""
    assert refusal(root, (REDIS,)) == "", "it is made"
    write(root, machine.REDIS_PASSWORDS / "ingester", "secret\n")
    assert refusal(root) == ""
    write(root, machine.REDIS_PASSWORDS / "ingester", "\n")
    assert "user ingester is missing" in refusal(root), "an empty one is none"


def test_airflow_needs_a_start_and_the_passwords_of_what_it_uses(root: Path) -> None:
    start = "FIREHOSE_START_DATE=2026-11-26T00:00:00Z\n"
    write(root, machine.REDIS_PASSWORDS / "ingester", "secret\n")
    assert "user pipeline is missing" in refusal(root, (AIRFLOW,), start)
    write(root, machine.REDIS_PASSWORDS / "pipeline", "secret\n")
    assert "FIREHOSE_CLICKHOUSE_LOADER_PASSWORD" in refusal(root, (AIRFLOW,), start)
    write(root, machine.CLICKHOUSE_ENV, "FIREHOSE_CLICKHOUSE_LOADER_PASSWORD=secret\n")
    assert "add FIREHOSE_START_DATE" in refusal(root, (AIRFLOW,))
    assert refusal(root, (AIRFLOW,), start) == ""


def test_parts_that_the_settings_contradict_are_refused(root: Path) -> None:
    assert "names another Redis" in refusal(root, (REDIS,), "FIREHOSE_REDIS_URL=redis://10.0.0.1/0\n")
    assert "names another Redis" in refusal(root, (REDIS,), "FIREHOSE_REDIS_URL=redis://a:b@localhost/0\n")
    bucket = "FIREHOSE_LAKE=s3://bucket/lake?region=eu-central-1\n"
    assert "leave clickhouse out" in refusal(root, (REDIS, CLICKHOUSE), bucket)
    assert "FIREHOSE_CLICKHOUSE_ANALYST_PASSWORD" in refusal(root, (REDIS, UI))
    assert refusal(root, (REDIS, CLICKHOUSE, UI)) == "", "it is made"


def test_what_the_sandbox_hides_is_refused(root: Path) -> None:
    for lake in ("/home/me/lake", "/root/lake", "/tmp/lake"):
        write(root, machine.SETTINGS, f"FIREHOSE_LAKE={lake}\n")
        with pytest.raises(FirehoseError, match=f"FIREHOSE_LAKE {lake} is under /"):
            machine.places(root, machine.settings(root, {}), ())


def test_what_others_cannot_read_is_refused(root: Path) -> None:
    program = root / "opt" / "v2" / "python"
    program.parent.mkdir(parents=True)
    program.touch(0o755)
    root.chmod(0o755)
    machine.readable(root, Path("/opt/v2/python"))
    (root / "opt").chmod(0o750)
    with pytest.raises(FirehoseError, match="because /opt is not open to others"):
        machine.readable(root, Path("/opt/v2/python"))
    (root / "opt").chmod(0o755)
    program.chmod(0o750)
    with pytest.raises(FirehoseError, match="cannot read /opt/v2/python"):
        machine.readable(root, Path("/opt/v2/python"))
    with pytest.raises(FirehoseError, match="so put it there"):
        machine.readable(root, Path("/opt/v3/python"))


def test_secrets_are_made_once_for_their_owner_only(root: Path) -> None:
    parts = (REDIS, CLICKHOUSE, AIRFLOW)
    wanted = credentials.missing(root, parts)
    of_redis = credentials.of_redis(root, parts)
    credentials.make(root, wanted, parts)
    made = [path for path in (root / machine.ETC).rglob("*") if path.is_file()]
    assert {path.relative_to(root) for path in made} == {*wanted, *of_redis}, "a dry run names each"
    assert [path for path in made if path.stat().st_mode & 0o077] == []
    assert machine.settings(root, {}).clickhouse_loader_password
    before = {path: path.read_bytes() for path in made}
    credentials.make(root, credentials.missing(root, parts), parts)
    assert {path: path.read_bytes() for path in made} == before


def test_the_page_has_the_analysts_password_and_not_the_loaders(root: Path) -> None:
    def made(parts: tuple[str, ...]) -> dict[Path, str]:
        return credentials.of_analyst(root, machine.settings(root, {}), parts)

    loader = "FIREHOSE_CLICKHOUSE_LOADER_PASSWORD=loads\n"
    write(root, machine.CLICKHOUSE_ENV, loader + "FIREHOSE_CLICKHOUSE_ANALYST_PASSWORD=reads\n")
    assert made((REDIS,)) == {}, "there is no page"
    assert made((UI,)) == {machine.ANALYST_ENV: "FIREHOSE_CLICKHOUSE_ANALYST_PASSWORD=reads\n"}
    credentials.make(root, made((UI,)), (UI,))
    assert (root / machine.ANALYST_ENV).stat().st_mode & 0o077 == 0
    assert made((UI,)) == {}, "it is there"
    write(root, machine.CLICKHOUSE_ENV, loader + "FIREHOSE_CLICKHOUSE_ANALYST_PASSWORD='reads on'\n")
    assert made((UI,)) == {machine.ANALYST_ENV: "FIREHOSE_CLICKHOUSE_ANALYST_PASSWORD='reads on'\n"}
    unit = generation("/opt/v1/python", (UI,)).files[str(SYSTEM / "bluesky-firehose-ui.service")]
    assert [line for line in unit.splitlines() if line.startswith("LoadCredential=")] == [
        f"LoadCredential=analyst.env:/{machine.ANALYST_ENV}"
    ]


def generation(python: str, parts: tuple[str, ...] = (REDIS,)) -> Generation:
    """A set of units."""
    texts = units.texts(parts, HERE._replace(bin=Path(python).parent))
    return Generation(version="1", python=python, parts=parts, files=texts)


def test_a_command_has_the_ingesters_password_only_where_there_is_no_other(root: Path) -> None:
    write(root, machine.REDIS_PASSWORDS / "ingester", "i")
    write(root, machine.SETTINGS, "")
    assert inside.files_of(root) == [machine.SETTINGS, machine.REDIS_PASSWORDS / "ingester"]
    write(root, machine.REDIS_PASSWORDS / "pipeline", "p")
    assert inside.files_of(root) == [machine.SETTINGS, machine.REDIS_PASSWORDS / "pipeline"]


def test_the_set_before_is_kept_and_twice_back_is_forward_again() -> None:
    old, new = generation("/opt/v1/python"), generation("/opt/v2/python")
    first = Installed().followed_by(old)
    assert first.followed_by(old) == first, "installing again is no upgrade"
    upgraded = first.followed_by(new)
    assert (upgraded.current, upgraded.previous) == (new, old)
    assert upgraded.followed_by(new) == upgraded
    back = upgraded.followed_by(old)
    assert (back.current, back.previous) == (old, new)


def installed(root: Path, *generations: Generation) -> None:
    """Have these been installed, one after the other."""
    found = Installed()
    for each in generations:
        found = found.followed_by(each)
        for name, text in each.files.items():
            (root / name.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            (root / name.lstrip("/")).write_text(text)
    record.write(root, found)


def test_a_rollback_plans_exactly_the_files_of_the_set_before(root: Path) -> None:
    host = Host(root, runs=False)
    with pytest.raises(FirehoseError, match="no earlier set"):
        install.plan_rollback(host)
    old, new = generation("/opt/v1/python"), generation("/opt/v2/python", (REDIS, CLICKHOUSE))
    installed(root, old, new)
    with pytest.raises(FirehoseError, match="runs with /opt/v1/python, which is gone"):
        install.plan_rollback(host)
    (root / "opt/v1").mkdir(parents=True)
    (root / "opt/v1/python").touch()
    plan = install.plan_rollback(host)
    gone = {str(SYSTEM / name) for name in new.files if CLICKHOUSE in name}
    assert set(plan.remove) == gone != set()
    assert plan.write == {name: text for name, text in old.files.items() if new.files[name] != text} != {}
    assert plan.stop == [["systemctl", f"--root={root}", "disable", "bluesky-firehose-clickhouse.service"]]


def test_a_file_that_was_changed_by_hand_is_named(root: Path) -> None:
    old = generation("/opt/v1/python")
    installed(root, generation("/opt/v0/python"), old)
    unit = SYSTEM / units.INGESTER
    (root / str(unit).lstrip("/")).write_text("[Service]\nExecStart=/bin/true\n")
    (root / "opt/v0").mkdir(parents=True)
    (root / "opt/v0/python").touch()
    plan = install.plan_rollback(Host(root, runs=False))
    assert plan.changed_by_hand == [str(unit)]
    assert str(unit) in plan.write


def test_uninstalling_removes_what_is_on_record_and_nothing_else(root: Path) -> None:
    host = Host(root, runs=False)
    with pytest.raises(FirehoseError, match="nothing is installed here"):
        install.plan_uninstall(host)
    installed(root, generation("/opt/v1/python"))
    plan = install.plan_uninstall(host)
    assert set(plan.remove) == set(generation("/opt/v1/python").files)
    assert not plan.write and not plan.secrets


@pytest.mark.parametrize(
    ("changed", "writer", "said"),
    [
        ({}, True, ""),
        ({"ActiveState": "failed", "Result": "watchdog"}, True, "failed, watchdog"),
        ({"ActiveState": "inactive", "Result": "success"}, True, "is inactive"),
        (AGAIN, True, "activating, exit-code"),
        ({"LoadState": "not-found", "ActiveState": "inactive"}, True, "its file is not-found"),
        ({"Type": "oneshot", "ActiveState": "inactive", "Result": "success"}, True, ""),
        ({"Type": "oneshot", "ActiveState": "failed", "Result": "exit-code"}, True, "failed, exit-code"),
        (WAITS | {"Id": units.INGESTER}, True, ""),
        (WAITS | {"Id": units.INGESTER}, False, "no ingester writes yet"),
        (WAITS | {"Id": "bluesky-firehose-spare@west.service"}, True, ""),
        (WAITS, True, "is activating"),
        ({"ActiveState": "inactive", "Job": "74"}, True, "waits until what it needs has started"),
    ],
)  # fmt: skip
def test_what_counts_as_healthy(changed: dict[str, Any], writer: bool, said: str) -> None:
    unit = {
        "Id": "bluesky-firehose-redis.service",
        "LoadState": "loaded",
        "ActiveState": "active",
        "SubState": "running",
        "Result": "success",
        "Type": "notify",
        "Job": "0",
    }
    assert status.problem(unit | changed, writer=writer) == said


def test_the_command_says_in_one_line_that_nothing_is_here(tmp_path: Path) -> None:
    if record.read(Path("/")).current:
        pytest.skip("this machine has the services")
    done = firehose("service", "status", home=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("firehose: nothing is installed here") and done.stderr.count("\n") == 1
    done = firehose("service", "install", "--with", "redis,kafka", "--dry-run", home=tmp_path)
    assert done.stderr.startswith(
        "firehose: --with: there is no part 'kafka'; choose of redis, clickhouse, airflow"
    )


def test_a_dry_run_shows_every_file_and_command_and_does_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the interpreter in the image, as it would be there."""
    package = Path(units.__file__).parents[2] / "firehose" / "__init__.py"
    for path in (Path("/opt/v2/.venv/bin/python"), package):
        (root / str(path).lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (root / str(path).lstrip("/")).touch(0o755)
    for folder in (root, *root.rglob("*/")):
        folder.chmod(0o755)
    monkeypatch.setattr(sys, "executable", "/opt/v2/.venv/bin/python")
    write(root, machine.REDIS_PASSWORDS / "ingester", "secret\n")
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    plan = install.plan_install(Host(root, runs=False), (), now=True)
    assert set(plan.secrets) == {machine.SETTINGS, machine.SECRETS_ENV}
    assert f"{SYSTEM}/{units.INGESTER}" in plan.write
    assert "ExecStart=/opt/v2/.venv/bin/python -m ingester\n" in plan.write[f"{SYSTEM}/{units.INGESTER}"]
    assert [command[:2] for command in plan.commands] == [
        ["systemd-sysusers", f"--root={root}"],
        ["systemd-tmpfiles", f"--root={root}"],
        ["systemctl", f"--root={root}"],
    ]
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
