"""What `firehose service install`, `rollback` and `uninstall` do: plans that say it, and their execution.

Must not: print, decide what is in a unit (units.py) or what is refused (machine.py).
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import msgspec

from devstack.embedded import airflow
from devstack.service import credentials, machine, record, systemd, units
from devstack.service.record import Generation, Installed
from devstack.service.systemd import Host
from devstack.service.units import AIRFLOW, TARGET, TIMED, TIMER
from firehose import files
from firehose.errors import FirehoseError
from firehose.settings import Settings
from ingester.contract.settings import PREFIX

_AIRFLOW_CONFIG: Final = "/etc/bluesky-firehose/airflow.cfg"
#: What an uninstallation leaves; and the user, who may own files elsewhere.
LEFT: Final = ("/etc/bluesky-firehose", "/var/lib/bluesky-firehose", "/var/lib/private/bluesky-firehose-*")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is going to be done. Paths are those of the machine.

    ``secrets`` are files that are missing, or follow from others that have changed.
    """

    host: Host
    new: Installed
    write: dict[str, str]
    changed_by_hand: list[str]
    remove: list[str]
    secrets: dict[Path, str]
    redis_files: list[Path]
    stop: list[list[str]]
    commands: list[list[str]]


def plan_install(host: Host, parts: tuple[str, ...] | None, *, now: bool) -> Plan:
    """Plan an installation of ``parts``; None: of those that are installed.

    Raises:
        FirehoseError: it would not work; one line says why.
        SettingsError: the services' settings are wrong.
    """
    root, installed = host.root, record.read(host.root)
    if parts is None:
        parts = installed.current.parts if installed.current else ()
    secrets = credentials.missing(root, parts)
    settings = machine.settings(root, _assumed(secrets))
    machine.refuse(root, settings, parts)
    secrets |= credentials.of_analyst(root, settings, parts)
    return _plan(host, installed, _generation(root, settings, parts), secrets, now=now)


def plan_rollback(host: Host) -> Plan:
    """Plan the return to the set before the current one; the current one is then the one before.

    Raises:
        FirehoseError: there is none, or its interpreter is gone.
    """
    installed = record.read(host.root)
    previous = installed.previous
    if previous is None:
        raise FirehoseError("there is no earlier set of units to return to: only one was installed here")
    if not _below(host.root, previous.python).exists():
        raise FirehoseError(
            f"the earlier set ({previous.version}) runs with {previous.python}, which is gone: put that version "
            "back there, or install another one with its own `firehose service install`"
        )
    return _plan(host, installed, previous, {}, now=True)


def plan_uninstall(host: Host) -> Plan:
    """Plan the removal of all that was installed but settings, passwords and data.

    Raises:
        FirehoseError: nothing is installed.
    """
    current = record.read(host.root).current
    if current is None:
        raise FirehoseError("nothing is installed here: there is no /etc/bluesky-firehose/installed.json")
    names = units.services(current.files)
    ends = [["systemctl", "stop", *names, f"{units.SPARE}*"]] if host.runs else []
    return Plan(
        host=host,
        new=Installed(),
        write={},
        changed_by_hand=[],
        remove=sorted(current.files),
        secrets={},
        redis_files=[],
        stop=[host.systemctl("disable", *names), *ends],
        commands=[["systemctl", "daemon-reload"]] if host.runs else [],
    )


def execute(plan: Plan) -> None:
    """Do it. Killed or failed in between, it is done by repeating the command.

    Raises:
        FirehoseError: a file cannot be written, or a command of systemd failed.
    """
    root, current = plan.host.root, plan.new.current
    os.umask(0o022)  # units and airflow.cfg are for all to read; what is secret has its own mode
    systemd.run(plan.stop)
    if current:
        credentials.make(root, plan.secrets, current.parts)
    for name, text in plan.write.items():
        files.write_bytes(_below(root, name), text.encode())
    for name in plan.remove:
        files.remove(_below(root, name))
        _remove_empty(_below(root, name).parent)
    if current:
        record.write(root, plan.new)
    else:
        record.remove(root)
    systemd.run(plan.commands)


def _plan(host: Host, installed: Installed, new: Generation, secrets: dict[Path, str], *, now: bool) -> Plan:
    current = installed.current
    before = current.files if current else {}
    here = {name: _text(_below(host.root, name)) for name in before.keys() | new.files.keys()}
    gone = sorted(before.keys() - new.files.keys())
    ended = units.services(dict.fromkeys(gone, ""))
    flags = ["--now"] if host.runs else []
    return Plan(
        host=host,
        new=installed.followed_by(new),
        write={name: text for name, text in new.files.items() if here[name] != text},
        changed_by_hand=sorted(
            name for name, text in new.files.items() if here[name] not in (None, text, before.get(name))
        ),
        remove=gone,
        secrets=secrets,
        redis_files=credentials.of_redis(host.root, new.parts),
        stop=[host.systemctl("disable", *flags, *ended)] if ended else [],
        commands=_commands(host, new, now=now, restart=current is not None and current != new),
    )


def _commands(host: Host, new: Generation, *, now: bool, restart: bool) -> list[list[str]]:
    found = [
        ["systemd-sysusers", *host.option, "bluesky-firehose.conf"],
        ["systemd-tmpfiles", *host.option, "--create", "bluesky-firehose.conf"],
    ]
    if host.runs:
        found.append(["systemctl", "daemon-reload"])
    enabled = [name for name in units.services(new.files) if name not in TIMED]
    found.append(host.systemctl("enable", *enabled))
    if host.runs and now:
        # Units of the target follow it; a timer that runs keeps its time.
        found.append(["systemctl", "restart" if restart else "start", TARGET])
        if TIMER in enabled:
            found.append(["systemctl", "start", TIMER])
    return found


def _generation(root: Path, settings: Settings, parts: tuple[str, ...]) -> Generation:
    places = machine.places(root, settings, parts)
    texts = units.texts(parts, places)
    if AIRFLOW in parts:
        options = airflow.options(
            Path(machine.HOME) / "airflow", places.root / "dags", places.root / "plugins", settings.airflow_port
        )
        # Secrets come as credentials, and what names them from the units.
        del options["core"]["simple_auth_manager_passwords_file"], options["database"]
        texts[_AIRFLOW_CONFIG] = airflow.config_text(options)
    return Generation(version=_version(), python=str(places.bin / "python"), parts=parts, files=texts)


def _version() -> str:
    try:
        return version("bluesky-firehose")
    except PackageNotFoundError:
        return "unknown"


def _assumed(secrets: dict[Path, str]) -> dict[str, str]:
    """The settings in env files that are yet to be made."""
    lines = (line for path, text in secrets.items() if path.suffix == ".env" for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if line.startswith(PREFIX))
    return {name: value for name, _, value in pairs}


def _below(root: Path, name: str) -> Path:
    return root / name.lstrip("/")


def _text(path: Path) -> str | None:
    return path.read_text() if path.is_file() else None


def _remove_empty(folder: Path) -> None:
    """Remove a folder of drop-ins, once it has none of ours or anybody's."""
    if folder.name.endswith(".d") and folder.parent.name == "system" and not any(folder.iterdir()):
        folder.rmdir()
