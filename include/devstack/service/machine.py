"""What the units need of the machine, and refusals of what would not work once systemd starts them.

Lives here: the settings in /etc/bluesky-firehose, the interpreter, the lake's folder, and the checks of them. Must
not: change anything.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from importlib import resources
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from devstack.checkout import checkout
from devstack.embedded.redis import executable
from devstack.service.units import AIRFLOW, CLICKHOUSE, REDIS, UI, Places
from firehose.errors import FirehoseError
from firehose.settings import Settings
from ingester.contract import env_file
from ingester.contract.redis_access import INGESTER, PIPELINE, has_login
from ingester.contract.settings import PREFIX, read_settings

ETC: Final = Path("etc/bluesky-firehose")
HOME: Final = "/var/lib/bluesky-firehose"
SETTINGS: Final = ETC / "firehose.env"
CLICKHOUSE_ENV: Final = ETC / "clickhouse.env"
#: The analyst's password alone, for the page for readers.
ANALYST_ENV: Final = ETC / "analyst.env"
SECRETS_ENV: Final = ETC / "secrets.env"
REDIS_PASSWORDS: Final = ETC / "redis"
#: Each unit has its own.
_OF_THE_UNITS: Final = tuple(PREFIX + name for name in ("HOME", "ENV_FILE", "REDIS_PASSWORDS"))
# ProtectHome= hides the first three, PrivateTmp= the others.
_HIDDEN: Final = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 - named, not used
_PLAIN: Final = re.compile(r"[\w./+@-]+", re.ASCII)


def settings(root: Path, assumed: dict[str, str]) -> Settings:
    """The settings that the services will have; ``assumed`` stands for files that are yet to be made.

    Raises:
        SettingsError: a wrong or unknown setting, or a file that cannot be read.
        FirehoseError: a setting that each unit has of its own.
    """
    found = {PREFIX + "HOME": HOME, PREFIX + "LAKE": f"{HOME}/lake"} | assumed
    for name in (SETTINGS, CLICKHOUSE_ENV, SECRETS_ENV):
        path = root / name
        if path.is_file():
            said = env_file.read(path)
            if unit := sorted(set(said) & set(_OF_THE_UNITS)):
                raise FirehoseError(f"{path}: {unit[0]} is set by each unit; remove the line")
            found |= said
    return read_settings(Settings, found, closed=True)


def places(root: Path, found: Settings, parts: tuple[str, ...]) -> Places:
    """The paths for the units.

    Raises:
        FirehoseError: one that systemd's sandbox hides, that a service's user cannot read, or that a unit cannot
            say.
    """
    lake = None if found.lake_is_remote else Path(found.local_lake)
    if lake is not None:
        _plain(lake, "FIREHOSE_LAKE")
        _visible(lake, "FIREHOSE_LAKE")
    python = Path(sys.executable)
    _plain(python, "the interpreter")
    for path in (python, python.resolve()):
        _visible(path, "the interpreter")
        readable(root, path)
    where = checkout() if AIRFLOW in parts else Path(sys.prefix).parent
    package = Path(str(resources.files("firehose")))
    readable(root, package / "__init__.py")
    redis = executable() if REDIS in parts else ""
    if redis:
        readable(root, Path(redis))
    return Places(python.parent, where, package, redis, urlsplit(found.redis_url).port or 6379, lake)


def refuse(root: Path, found: Settings, parts: tuple[str, ...]) -> None:
    """Refuse settings with which a part would not work, and passwords that nobody has given.

    Raises:
        FirehoseError: one line that says what is missing, where, and how to make it.
    """
    local = urlsplit(found.redis_url).hostname in ("localhost", "127.0.0.1")
    if REDIS in parts and (has_login(found.redis_url) or not local):
        raise FirehoseError(
            f"/{SETTINGS}: FIREHOSE_REDIS_URL names another Redis than the one of --with redis: remove the line, "
            "or leave redis out"
        )
    if CLICKHOUSE in parts and found.lake_is_remote:
        raise FirehoseError(
            "the unit of the embedded ClickHouse reaches no network, and FIREHOSE_LAKE is in an object store: use "
            "a ClickHouse server, and leave clickhouse out"
        )
    if REDIS not in parts and not has_login(found.redis_url):
        for role in (INGESTER, PIPELINE) if AIRFLOW in parts else (INGESTER,):
            _password(root, role)
    if AIRFLOW in parts and CLICKHOUSE not in parts and not found.clickhouse_loader_password:
        raise FirehoseError(
            f"/{CLICKHOUSE_ENV}: there is no FIREHOSE_CLICKHOUSE_LOADER_PASSWORD: write it there (mode 0600), or "
            "add clickhouse to --with"
        )
    if UI in parts and CLICKHOUSE not in parts and not found.clickhouse_analyst_password:
        raise FirehoseError(
            f"/{CLICKHOUSE_ENV}: there is no FIREHOSE_CLICKHOUSE_ANALYST_PASSWORD: write it there (mode 0600), or "
            "add clickhouse to --with"
        )
    if AIRFLOW in parts and not found.start_date:
        raise FirehoseError(
            f"/{SETTINGS}: add FIREHOSE_START_DATE=…, the time from which on every interval is accounted for "
            "(date -u +%Y-%m-%dT%H:%M:00Z); never change it afterwards"
        )


def readable(root: Path, path: Path) -> None:
    """Refuse a path below ``root`` that other users than its owner cannot reach and read.

    Raises:
        FirehoseError: they cannot, or it is not there.
    """
    here = root / path.relative_to("/")
    try:
        for folder in reversed(path.parents):
            if not (root / folder.relative_to("/")).stat().st_mode & stat.S_IXOTH:
                raise FirehoseError(
                    f"the services' users cannot reach {path}, because {folder} is not open to others: put the "
                    "checkout and its .venv under /opt, or chmod o+x that folder"
                )
        if not here.stat().st_mode & stat.S_IROTH:
            raise FirehoseError(f"the services' users cannot read {path}: chmod o+r it, and what lies beside it")
    except OSError as error:
        raise FirehoseError(f"{here}: {error.strerror}; the services will look there, so put it there") from None


def _visible(path: Path, what: str) -> None:
    for hidden in _HIDDEN:
        if path.is_relative_to(hidden):
            raise FirehoseError(
                f"{what} {path} is under {hidden}, which the units' sandbox hides: put it elsewhere, say under "
                f"{'/opt' if what != 'FIREHOSE_LAKE' else '/srv'}"
            )


def _plain(path: Path, what: str) -> None:
    if not _PLAIN.fullmatch(os.fspath(path)):
        raise FirehoseError(f"{what} {path}: a unit file takes letters, digits and . / + @ _ - in a path; move it")


def _password(root: Path, role: str) -> None:
    path = root / REDIS_PASSWORDS / role
    try:
        if path.read_text().strip():
            return
    except PermissionError:  # a dry run of another user than root, who cannot look
        return
    except OSError:
        pass
    raise FirehoseError(
        f"{path}: the password of Redis' user {role} is missing: copy it there (mode 0600), or write a login into "
        f"FIREHOSE_REDIS_URL in /{SETTINGS}, or add redis to --with"
    )
