"""How the installed units are: asked of systemd, and judged.

Lives here: the questions, and what counts as healthy. Must not: print, change anything.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from devstack.service import record, systemd, units
from devstack.service.units import INGESTER, SPARE
from firehose.errors import FirehoseError

_PROPERTIES: Final = (
    *("Id", "LoadState", "ActiveState", "SubState", "Result", "Type", "NRestarts", "MemoryCurrent", "StatusText"),
    *("StateChangeTimestamp", "Job"),
)
_FORMAT: Final = "%a %Y-%m-%d %H:%M:%S %Z"
#: The message that a unit's process has ended, and how many of them are looked at.
_EXITED: Final = "98e322203f7a4ed290d09fe03c09fe15"
_ENDS: Final = 1000


class UnitState(msgspec.Struct, frozen=True, kw_only=True):
    """A unit. ``since`` is in UTC, and empty where it never changed; ``problem`` is empty where all is well.

    ``last_exit`` is of the last process that did not end well, as long as the journal has it. ``memory`` (bytes)
    is None where systemd does not account for it.
    """

    unit: str
    state: str
    since: str
    restarts: int
    last_exit: str
    memory: int | None
    says: str
    problem: str


def unit_states() -> list[UnitState]:
    """The state of each installed unit and of each instance of the spare.

    Raises:
        FirehoseError: nothing is installed, or there is no systemd to ask.
    """
    current = record.read(systemd.Host().root).current
    if current is None:
        raise FirehoseError(
            "nothing is installed here: `firehose service install` does it, with --dry-run it says how"
        )
    if not shutil.which("systemctl") or not Path("/run/systemd/system").is_dir():
        raise FirehoseError("systemd does not run this machine, so its units have no state")
    names = units.services(current.files) + _spares()
    exits = _last_exits()
    shown = systemd.output(["systemctl", "show", "--timestamp=utc", f"-p{','.join(_PROPERTIES)}", *names])
    found = list(_blocks(shown))
    writer = any(_is_ingester(unit["Id"]) and unit["ActiveState"] == "active" for unit in found)
    return [_state(unit, exits.get(unit["Id"], ""), writer=writer) for unit in found]


def _spares() -> list[str]:
    listed = ["systemctl", "list-units", "--all", "--plain", "--no-legend", f"{SPARE}*.service"]
    return [line.split()[0] for line in systemd.output(listed).splitlines() if line.strip()]


def _blocks(shown: str) -> Iterator[dict[str, str]]:
    for block in shown.strip().split("\n\n"):
        pairs = (line.partition("=") for line in block.splitlines())
        yield dict.fromkeys(_PROPERTIES, "") | {name: value for name, _, value in pairs}


def _state(unit: dict[str, str], last_exit: str, *, writer: bool) -> UnitState:
    return UnitState(
        unit=unit["Id"],
        state=f"{unit['ActiveState']} ({unit['SubState']})",
        since=_instant(unit["StateChangeTimestamp"]),
        restarts=int(unit["NRestarts"] or 0),
        last_exit=last_exit,
        memory=int(unit["MemoryCurrent"]) if unit["MemoryCurrent"].isdigit() else None,
        says=unit["StatusText"],
        problem=problem(unit, writer=writer),
    )


def problem(unit: dict[str, str], *, writer: bool) -> str:
    """What is wrong with a unit of these properties; empty: nothing. ``writer``: an ingester writes."""
    state, result = unit["ActiveState"], unit["Result"]
    if unit["LoadState"] != "loaded":
        return f"its file is {unit['LoadState']}"
    if unit["Type"] == "oneshot" and state == "inactive" and result == "success":
        return ""
    if unit["SubState"] == "start" and _is_ingester(unit["Id"]):
        return "" if writer else "no ingester writes yet"
    if state == "active":
        return ""
    if state == "inactive" and unit["Job"] not in ("", "0"):
        return "waits until what it needs has started"
    return f"{state}, {result}" if result not in ("", "success") else f"is {state}"


def _is_ingester(name: str) -> bool:
    return name == INGESTER or name.startswith(SPARE)


def _last_exits() -> dict[str, str]:
    """How the last process of each unit that failed ended; from the journal, since systemd forgets it."""
    asked = ["journalctl", "--quiet", "--reverse", f"--lines={_ENDS}", "--output=json", f"MESSAGE_ID={_EXITED}"]
    found: dict[str, str] = {}
    for line in systemd.output(asked).splitlines():
        said: dict[str, str] = msgspec.json.decode(line)
        how = f"{said.get('EXIT_CODE', '')} {said.get('EXIT_STATUS', '')}".strip()
        found.setdefault(said.get("UNIT", ""), how)
    return found


def _instant(said: str) -> str:
    if not said or said == "n/a":
        return ""
    return f"{datetime.strptime(said, _FORMAT).replace(tzinfo=UTC):%Y-%m-%dT%H:%M:%SZ}"
