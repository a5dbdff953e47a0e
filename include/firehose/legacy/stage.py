"""The stage of the move from the old system: which one is on record in the lake, and how it becomes another.

``_imports/stage.json`` has every change, the newest last; each is in ``_audit/`` as well. A stage follows the one
before it, and the way back is one stage at a time. Must not: change a setting, a view or a file of the old system.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import msgspec

from firehose.areas import Area
from firehose.errors import CorruptLake, FirehoseError
from firehose.lake import audit
from firehose.lake.audit import AuditLine, State
from firehose.legacy.demands import Check, Stage, checks
from firehose.settings import Settings
from firehose.store import LakePath


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A stage that was reached, when, by whom, and which checks it had passed."""

    stage: Stage
    at: datetime
    by: str
    passed: list[str]


ORDER: Final[tuple[Stage, ...]] = (*Stage,)


def changes(lake: LakePath) -> list[Change]:
    """Every change that is on record, the newest last.

    Raises:
        CorruptLake: the record cannot be read.
    """
    path = _path(lake)
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Change])
    except FileNotFoundError:
        return []
    except msgspec.MsgspecError as error:
        raise CorruptLake(f"{path}: not a record of stages ({error}); restore it from a backup") from error


def current(lake: LakePath) -> Stage:
    """The stage that is on record; the first one where there is none."""
    made = changes(lake)
    return made[-1].stage if made else Stage.OLD


def move(settings: Settings, wanted: Stage, by: str) -> list[Check]:
    """Put a stage on record that is next to the present one, if its checks pass; returns these.

    Raises:
        FirehoseError: it is not next to the present one, or a check fails; nothing was changed.
    """
    lake = settings.lake_path
    with (Area.LOCKS.of(lake) / "legacy-stage.lock").lock(wait_s=0):
        made = changes(lake)
        now = made[-1].stage if made else Stage.OLD
        step = ORDER.index(wanted) - ORDER.index(now)
        if abs(step) != 1:
            near = [ORDER[at] for at in (ORDER.index(now) - 1, ORDER.index(now) + 1) if 0 <= at < len(ORDER)]
            raise FirehoseError(f"the stage is {now}: from it one comes to {' or '.join(near)}, not to {wanted}")
        found = checks(settings, wanted, back=step < 0)
        if faults := [check for check in found if check.fault]:
            more = (
                "" if len(faults) == 1 else f" (and {len(faults) - 1} more: firehose legacy stage show {wanted})"
            )
            raise FirehoseError(f"the stage stays {now}: {faults[0].name}: {faults[0].fault}{more}")
        change = Change(stage=wanted, at=datetime.now(UTC), by=by, passed=[check.name for check in found])
        log = audit.log_path(lake, change.at, "legacy-stage")
        _log(log, change, now, State.BEGUN)
        _path(lake).write(msgspec.json.format(msgspec.json.encode([*made, change])))
        _log(log, change, now, State.DONE)
    return found


def before(stage: Stage) -> Stage:
    """The stage on the way back.

    Raises:
        FirehoseError: it is the first one.
    """
    if stage is Stage.OLD:
        raise FirehoseError(f"the stage is {stage}: there is none before it")
    return ORDER[ORDER.index(stage) - 1]


def _path(lake: LakePath) -> LakePath:
    return Area.IMPORTS.of(lake) / "stage.json"


def _log(path: LakePath, change: Change, left: Stage, state: State) -> None:
    why = f"checks passed: {', '.join(change.passed) or 'none needed'}"
    line = AuditLine(
        at=change.at,
        by=change.by,
        tier="legacy",
        what=f"stage {left} to {change.stage}",
        why=why,
        state=state,
        files=[],
    )
    audit.write(path, [line])
