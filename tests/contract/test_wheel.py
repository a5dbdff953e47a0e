"""A wheel of the project, installed where there is no checkout: it has its data, and runs the whole pipeline."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import BytesParser
from pathlib import Path
from urllib.request import urlopen

import pytest

from devstack.embedded.leash import ending_with_us
from firehose.settings import Settings
from ingester.contract.settings import read_settings
from jetstream_simulator import generate
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = [*(path.parent for path in ROOT.glob("include/*/__init__.py")), ROOT / "ingester"]
DATA = {
    ".acl",
    ".conf",
    ".css",
    ".html",
    ".j2",
    ".js",
    ".json",
    ".lua",
    ".service",
    ".sql",
    ".svg",
    ".target",
    ".timer",
}
DATA |= {".xml"}
EVENTS = 2000


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what belongs into it."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE", "requirements.in"):
        shutil.copy(ROOT / name, source)
    for name in ("include", "ingester"):
        shutil.copytree(
            ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "node_modules")
        )
    _pip("wheel", "--no-build-isolation", "--wheel-dir", source / "dist", source)
    return next((source / "dist").glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the wheel and the locked packages, but not the checkout."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    _pip("install", wheel, python=folder / "bin" / "python")
    packages = folder / "lib" / "python3.11" / "site-packages"
    # As a line of a .pth, so that the .pth of the editable checkout that lies there is not read.
    (packages / "locked.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def _pip(command: str, *arguments: object, python: object = sys.executable) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", f"--python={python}", command]
    done = subprocess.run(
        [*pip, "--no-deps", "--no-index", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Of a user who knows of no checkout and stands in a folder whose names are those of our modules."""
    for name in ("devstack", "firehose", "ingester", "jetstream_simulator", "redis"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the current folder was imported')")
    return {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "FIREHOSE_HOME": str(tmp_path / "home")}


def run(command: list[object], environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)), env=environ, cwd=environ["HOME"], capture_output=True, text=True, check=False
    )


def test_all_data_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        names = set(content.namelist())
    # What the page for readers is built from is not what is installed.
    files = [path for package in PACKAGES for path in package.rglob("*") if "web" not in path.parts]
    data = [path for path in files if path.suffix in DATA]
    assert {path.suffix for path in data} == DATA
    assert {str(path.relative_to(ROOT)).removeprefix("include/") for path in data} - names == set()
    assert {f"firehose/assistant/pages/{name}.md" for name in ("glossary", "limits", "search")} <= names


def test_all_packages_are_in_the_wheel_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        tops = {name.split("/", 1)[0] for name in content.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {path.name for path in PACKAGES}


def test_the_wheel_names_what_it_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        name = next(name for name in content.namelist() if name.endswith(".dist-info/METADATA"))
        needed = BytesParser().parsebytes(content.read(name)).get_all("Requires-Dist", [])
    lines = (ROOT / "requirements.in").read_text().splitlines()
    wanted = {line.split("#")[0].strip() for line in lines} - {""}
    always = [each for each in needed if "extra ==" not in each]
    assert sorted(always) == sorted(wanted)
    assert {*needed} - {*always} == {f'{name}; extra == "notebooks"' for name in ("altair", "marimo", "polars")}
    assert len(needed) > 20


def test_the_pipeline_runs_from_the_wheel(installed: Path, environ: dict[str, str], tmp_path: Path) -> None:
    firehose = installed / "firehose"
    for package in PACKAGES:
        found = run([installed / "python", "-P", "-c", f"import {package.name} as p; print(p.__file__)"], environ)
        assert found.stdout.startswith(str(installed.parent)), found.stdout + found.stderr
    events, home = tmp_path / "events.jsonl", tmp_path / "home"
    events.write_bytes(b"\n".join(generate.events(EVENTS, seed=21, rate=10)) + b"\n")
    once = run([firehose, "once", "--replay", events, "--home", home, "--json"], environ)
    assert once.returncode == 0, once.stderr
    assert json.loads(once.stdout)["received"] == EVENTS
    stored = sum(counts["stored"] for counts in json.loads(once.stdout)["types"].values())
    verified = run([firehose, "verify"], environ)
    assert verified.returncode == 0, verified.stderr
    settings = run([firehose, "settings"], environ)
    assert settings.returncode == 0 and "| `FIREHOSE_LAKE` |" in settings.stdout
    with _served(firehose, environ):
        migrated = run([firehose, "migrate"], environ)
        assert (migrated.returncode, migrated.stderr) == (0, "the schema is current\n")
        statement = "SELECT sum(events) FROM firehose.events_by_minute"
        asked = run([firehose, "query", "--format", "CSV", statement], environ)
        assert asked.stdout.strip() == str(stored), asked.stderr


@contextmanager
def _served(firehose: Path, environ: dict[str, str]) -> Iterator[None]:
    """`firehose clickhouse` on the data of the home."""
    url = read_settings(Settings, environ, closed=True).clickhouse_url
    process = subprocess.Popen(ending_with_us([str(firehose), "clickhouse"]), env=environ, cwd=environ["HOME"])
    try:
        until(lambda: _answers(url) or process.poll() is not None, what="it answers")
        assert process.poll() is None, "it ended"
        yield
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return bool(urlopen(f"{url}/ping", timeout=5).read())  # noqa: S310 - of loopback
    except OSError:
        return False


def test_the_demo_says_what_it_lacks(installed: Path, environ: dict[str, str], tmp_path: Path) -> None:
    refused = run([installed / "firehose", "demo", "--simulate"], environ)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1), refused.stderr
    assert "clone the project" in refused.stderr
    assert not (tmp_path / "home").exists()
