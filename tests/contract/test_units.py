"""The units of `firehose service`: valid, locked down, without a secret, and what ships is what is installed."""

from __future__ import annotations

import difflib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.service import units
from devstack.service.units import PARTS, Places

ROOT = Path(__file__).parents[2]
INGESTERS = ROOT / "ingester" / "systemd"
# systemd 254 and newer know these; an older one says that it ignores them.
NEW_KEYS = ("RestartSteps", "RestartMaxDelaySec")
SHIPPED = Places(
    Path("/opt/bluesky-firehose/.venv/bin"),
    Path("/opt/bluesky-firehose"),
    Path("/opt/bluesky-firehose/include/firehose"),
    "/usr/bin/redis-server",
    6379,
    Path("/var/lib/bluesky-firehose/lake"),
)
SERVICES = [
    *(name for name in units.services(units.texts(PARTS, SHIPPED)) if name.endswith(".service")),
    "bluesky-firehose-spare@west.service",
]

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root folder with all units of a machine where everything is in its place, and what they run."""
    root = tmp_path_factory.mktemp("image")
    places = SHIPPED._replace(bin=Path(sys.executable).parent)
    for name, text in units.texts(PARTS, places).items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for program in (
        "bin/install",
        "usr/bin/redis-server",
        str(places.bin / "python")[1:],
        str(places.bin)[1:] + "/firehose",
    ):
        (root / program).parent.mkdir(parents=True, exist_ok=True)
        (root / program).touch(0o755)
    # What the units are ordered by, and the defaults of every unit.
    shutil.copytree("/lib/systemd/system", root / "lib/systemd/system", symlinks=True)
    return root


@needs_systemd
def test_every_unit_is_valid(image: Path) -> None:
    names = [*SERVICES, units.TARGET, units.TIMER, units.CLEAN_TIMER]
    command = ["systemd-analyze", "verify", "--man=no", f"--root={image}", *names]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    said = [line for line in run.stderr.splitlines() if "bluesky-firehose" in line]
    assert [line for line in said if not any(f"Unknown key '{key}'" in line for key in NEW_KEYS)] == []


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_every_unit_is_locked_down(name: str, image: Path) -> None:
    """At most 1.2 of 10, where a unit without any sandbox has 9.6."""
    command = ["systemd-analyze", "security", "--offline=true", f"--root={image}", "--no-pager", name]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    (level,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", run.stdout)
    assert float(level) <= 1.2


def test_no_unit_has_a_secret_or_one_in_its_environment() -> None:
    for name, text in units.texts(PARTS, SHIPPED).items():
        variables = [
            word
            for line in text.splitlines()
            if line.startswith("Environment=")
            for word in line.removeprefix("Environment=").replace('"', "").split()
        ]
        assert not [word for word in variables if re.search(r"(PASSWORD|SECRET|KEY|CONN)=", word)], name
        # Of the two files that become a service's environment neither is for secrets.
        files = re.findall(r"^EnvironmentFile=-?(\S+)", text, re.MULTILINE)
        assert not [file for file in files if "secrets" in file or "clickhouse" in file], name


def test_the_files_are_complete_as_they_are_shipped() -> None:
    """So that a machine with an ingester only can copy them: docs/ingester.md."""
    texts = units.texts(PARTS, SHIPPED)
    for file in INGESTERS.rglob("*"):
        if file.is_file():
            assert texts[str(units.SYSTEM / file.relative_to(INGESTERS))] == file.read_text()


def test_a_spare_differs_from_the_ingester_in_its_name_only() -> None:
    ingester, spare = (
        [
            line
            for line in (INGESTERS / name).read_text().splitlines()
            if not line.startswith(("#", "Description="))
        ]
        for name in (units.INGESTER, f"{units.SPARE}.service")
    )
    changes = [line for line in difflib.unified_diff(ingester, spare, n=0) if re.match(r"[+-][^+-]", line)]
    assert changes == [
        "-EnvironmentFile=-/etc/bluesky-firehose/ingester.env",
        "+EnvironmentFile=-/etc/bluesky-firehose/spare-%i.env",
        "-Environment=FIREHOSE_REDIS_PASSWORDS=%d",
        "+Environment=FIREHOSE_REDIS_PASSWORDS=%d FIREHOSE_INGESTER_NAME=%i",
    ]


def test_paths_of_another_place_are_in_every_unit_and_none_of_the_shipped_ones() -> None:
    here = Path("/opt/bluesky-firehose-2")
    programs, package, lake = here / ".venv/bin", here / "include/firehose", Path("/data/lake")
    places = Places(programs, here, package, "/usr/local/bin/redis-server", 7000, lake)
    for name, text in units.texts(PARTS, places).items():
        code = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
        for shipped in (
            "/opt/bluesky-firehose/",
            "-2-2",
            "/usr/bin/redis-server",
            "6379",
            "/var/lib/bluesky-firehose/lake",
        ):
            assert shipped not in code, name


def test_a_lake_in_a_bucket_is_no_folder_of_a_unit() -> None:
    for name, text in units.texts(PARTS, SHIPPED._replace(lake=None)).items():
        assert "bluesky-firehose/lake" not in text and "None" not in text, name
