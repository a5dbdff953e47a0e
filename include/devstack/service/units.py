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
DEADMAN: Final = "bluesky-firehose-deadman.service"
TIMER: Final = "bluesky-firehose-deadman.timer"
CLEAN: Final = "bluesky-firehose-airflow-clean.service"
CLEAN_TIMER: Final = "bluesky-firehose-airflow-clean.timer"
#: Services that a timer starts.
TIMED: Final = (DEADMAN, CLEAN)
INGESTER: Final = "bluesky-firehose-ingester.service"
SPARE: Final = "bluesky-firehose-spare@"
_REDIS: Final = "bluesky-firehose-redis.service"
_METRICS: Final = "bluesky-firehose-metrics.service"
_UI: Final = "bluesky-firehose-ui.service"
_CLICKHOUSE: Final = "bluesky-firehose-clickhouse.service"
#: The parts that a machine may have beside an ingester, in the order in which they start.
REDIS, CLICKHOUSE, AIRFLOW, METRICS, UI = PARTS = ("redis", "clickhouse", "airflow", "metrics", "ui")

#: Of each part the files by their name in /etc/systemd/system: the names of those that they are made of.
_INGESTER: Final = {
    name: name for name in (TARGET, "bluesky-firehose-.service.d/sandbox.conf", INGESTER, f"{SPARE}.service")
}
_ALWAYS: Final = {f"{name}.d/lake.conf": "lake.conf" for name in (INGESTER, f"{SPARE}.service")}
_OF_PART: Final = {
    REDIS: {_REDIS: _REDIS},
    CLICKHOUSE: {_CLICKHOUSE: _CLICKHOUSE, f"{_CLICKHOUSE}.d/syscalls.conf": "syscalls.conf"},
    AIRFLOW: {
        "bluesky-firehose-airflow-.service.d/pipeline.conf": "pipeline.conf",
        "bluesky-firehose-airflow-.service.d/airflow.conf": "airflow.conf",
        **{
            name: name
            for name in (
                "bluesky-firehose-airflow-init.service",
                "bluesky-firehose-airflow-api-server.service",
                "bluesky-firehose-airflow-scheduler.service",
                "bluesky-firehose-airflow-dag-processor.service",
                CLEAN,
                CLEAN_TIMER,
            )
        },
        f"{DEADMAN}.d/pipeline.conf": "pipeline.conf",
        DEADMAN: DEADMAN,
        TIMER: TIMER,
    },
    METRICS: {f"{_METRICS}.d/pipeline.conf": "pipeline.conf", _METRICS: _METRICS},
    UI: {_UI: _UI},
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
    found = {SYSTEM / name: ingesters / source for name, source in _INGESTER.items()}
    for files in (_ALWAYS, *(_OF_PART[part] for part in parts)):
        found |= {SYSTEM / name: ours / source for name, source in files.items()}
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
