"""The unit files of each part, with the paths of one machine in them.

Lives here: which files belong to which part, and their texts. The files themselves (``units/``, and
``ingester/systemd`` for a machine with an ingester only) are complete, for a checkout in /opt/bluesky-firehose.
Must not: read or write anything of the machine.
"""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Final, NamedTuple

SYSTEM: Final = Path("/etc/systemd/system")
TARGET: Final = "bluesky-firehose.target"
TIMER: Final = "bluesky-firehose-deadman.timer"
INGESTER: Final = "bluesky-firehose-ingester.service"
SPARE: Final = "bluesky-firehose-spare@"
#: The parts that a machine may have beside an ingester, in the order in which they start.
REDIS, CLICKHOUSE, AIRFLOW = PARTS = ("redis", "clickhouse", "airflow")

_INGESTER: Final = (
    TARGET,
    "bluesky-firehose-.service.d/sandbox.conf",
    INGESTER,
    f"{SPARE}.service",
)
_ALWAYS: Final = (
    f"{INGESTER}.d/lake.conf",
    f"{SPARE}.service.d/lake.conf",
    "bluesky-firehose-deadman.service",
    TIMER,
)
_OF_PART: Final = {
    REDIS: ("bluesky-firehose-redis.service",),
    CLICKHOUSE: (
        "bluesky-firehose-clickhouse.service",
        "bluesky-firehose-clickhouse.service.d/syscalls.conf",
    ),
    AIRFLOW: (
        "bluesky-firehose-airflow-.service.d/airflow.conf",
        "bluesky-firehose-airflow-init.service",
        "bluesky-firehose-airflow-api-server.service",
        "bluesky-firehose-airflow-scheduler.service",
        "bluesky-firehose-airflow-dag-processor.service",
    ),
}
_ELSEWHERE: Final = {
    "sysusers.conf": Path("/etc/sysusers.d/bluesky-firehose.conf"),
    "tmpfiles.conf": Path("/etc/tmpfiles.d/bluesky-firehose.conf"),
}
_LAKE: Final = "/var/lib/bluesky-firehose/lake"


class Places(NamedTuple):
    """What the files say of this machine. ``lake`` is None where it is not in a folder."""

    bin: Path
    root: Path
    package: Path
    redis: str
    redis_port: int
    lake: Path | None


def texts(parts: tuple[str, ...], places: Places) -> dict[str, str]:
    """The files of the ingester and of ``parts`` by their path on the machine."""
    ours = Path(str(resources.files("devstack"))) / "service" / "units"
    ingesters = Path(str(resources.files("ingester"))) / "systemd"
    found = {SYSTEM / name: ingesters / name for name in _INGESTER}
    found |= {SYSTEM / name: ours / name for name in _ALWAYS}
    found |= {SYSTEM / name: ours / name for part in parts for name in _OF_PART[part]}
    found |= {path: ours / name for name, path in _ELSEWHERE.items()}
    return {str(path): _for(places, source.read_text()) for path, source in found.items()}


def services(files: dict[str, str]) -> list[str]:
    """The names of the units among ``files`` that systemd starts or stops; not the template."""
    names = [Path(path).name for path in files if Path(path).parent == SYSTEM]
    return [name for name in names if "@" not in name]


def _for(places: Places, text: str) -> str:
    lines = text.splitlines(keepends=True)
    if places.lake is None:  # there is no folder to mount, make or write
        lines = [line for line in lines if _LAKE not in line]
    here = {
        "/opt/bluesky-firehose/.venv/bin": places.bin,
        "/opt/bluesky-firehose/include/firehose": places.package,
        "/opt/bluesky-firehose": places.root,
        "/usr/bin/redis-server": places.redis,
        "--port 6379": f"--port {places.redis_port}",
        _LAKE: places.lake,
    }
    # At once: what is put in may contain what is looked for.
    return re.sub("|".join(here), lambda found: str(here[found[0]]), "".join(lines))
