"""The errors that reach a user, by their classes: a line that ends in ``[LakeChanged]`` is explained here.

What an error means is its class's docstring; here is why it comes and what to do. A test sees that no class is
missing. Must not: raise any.
"""

from __future__ import annotations

import inspect
from typing import Final, NamedTuple

from clickhouse_http import EndpointError, FolderInUse
from firehose import errors
from firehose.search.tree import QueryError
from firehose.settings import SettingsError
from firehose_cli.explanations.entry import Entry, Kind
from firehose_ui.clickhouse import Refused
from firehose_ui.named import BadValue
from jetstream_simulator.errors import SimulatorError

_OPERATIONS: Final = "docs/operations.md#"


class _Advice(NamedTuple):
    causes: tuple[str, ...]
    todo: str
    runbook: str = ""


_ADVICE: Final[dict[type[Exception], _Advice]] = {
    errors.FirehoseError: _Advice(
        ("whatever the line says: it names the thing and the place",),
        "what the line says; it is written for whoever reads it first",
        "runbook",
    ),
    errors.ServiceUnavailable: _Advice(
        (
            "Redis, ClickHouse, Airflow or an archive is not started, or restarts just now",
            "a URL of the settings names another host or port",
            "a firewall lies between",
        ),
        "`firehose doctor` says which one; start it. Airflow's tasks try again by themselves",
        "after-an-outage",
    ),
    errors.LockTaken: _Advice(
        ("another command or task does the same thing now",),
        "wait until it is done, and repeat the command",
    ),
    errors.StoreAway: _Advice(
        ("the object store is away, or answers 503 under load", "no route to its endpoint"),
        "repeat the step: nothing was half done",
        "a-lake-in-an-object-store",
    ),
    errors.StoreRefused: _Advice(
        ("wrong or expired credentials", "too few rights on the prefix", "another bucket or region than meant"),
        "compare the credentials and their rights with the list in the runbook",
        "a-lake-in-an-object-store",
    ),
    errors.LockLost: _Advice(
        ("the machine was suspended", "it is so loaded that a process got no time for half a minute"),
        "repeat the step: the one that took over has done its own work, and nothing is wrong in the lake",
        "a-lake-in-an-object-store",
    ),
    errors.Throttled: _Advice(
        ("too many requests to an archive or a host in a short time",),
        "wait as long as the line says, then repeat the command: it goes on where it was",
        "backfill-fill-a-gap-from-an-archive",
    ),
    errors.NotListening: _Advice(
        ("the ingester is not running, and was not in this interval",),
        "start the ingester, then clear the failed runs: each is skipped, and its gap recorded",
        "runbook",
    ),
    errors.BeforeFirstStart: _Advice(
        ("FIREHOSE_START_DATE is before the ingester's first start",),
        "nothing: the run is skipped",
        "everyday",
    ),
    errors.MissedInterval: _Advice(
        ("the ingester was away in this interval, and is back",),
        "nothing for the run; `firehose coverage --open` says what is missing, `firehose backfill` fetches it",
        "a-gap-in-coverage",
    ),
    errors.CorruptBatch: _Advice(
        ("a raw file was changed, cut or damaged on its disk", "a part of the lake was restored without the rest"),
        "see to the disk; restore the named file from a backup, then clear the batch's run. Nothing was published "
        "from it",
        "runbook",
    ),
    errors.NotStaged: _Advice(
        ("only the task publish was cleared, after it was done", "validate ran with another version"),
        "clear validate and what follows it",
        "runbook",
    ),
    errors.RawExpired: _Advice(
        ("the batch is older than FIREHOSE_KEEP_RAW_HOURS", "a backup holds it, so it was removed earlier"),
        "nothing is damaged: the lake holds all of it. To process it again, restore its folder from a backup",
        "what-is-kept-and-for-how-long",
    ),
    errors.DiskLow: _Advice(
        ("the lake has grown", "something else fills its disk"),
        "`firehose maintenance` says what could be removed, --do removes it; then clear the failed drains, the "
        "newest first. Redis keeps the events meanwhile",
        "the-lakes-disk-fills-up",
    ),
    errors.CorruptLake: _Advice(
        ("a file was cut or damaged on its disk", "this user may not read it"),
        "see to the disk and the rights; then `firehose verify`, and `firehose rebuild` the hour while its raw "
        "files are there",
        "runbook",
    ),
    errors.LakeChanged: _Advice(
        ("somebody moved, restored or cut an hour file", "the disk is failing"),
        "put the right file back if there is one; otherwise `firehose rebuild` the hour",
        "runbook",
    ),
    errors.LakeOutdated: _Advice(
        ("an earlier version made the lake",),
        "stop what still runs with that version, then `firehose upgrade-lake`",
        "upgrading-a-lake-of-an-earlier-version",
    ),
    errors.RestoreUnfinished: _Advice(
        ("a restore is running", "a restore was killed"),
        "let it end, or repeat `firehose restore` with the same options",
        "restore",
    ),
    errors.NoBackup: _Advice(
        ("FIREHOSE_BACKUP names another place", "no backup was ever completed", "--to is before the first set"),
        "see `firehose backup --list`; `firehose backup` makes a set",
        "backup-and-restore",
    ),
    errors.CorruptBackup: _Advice(
        ("the backup's disk or store has lost or changed objects",),
        "`firehose backup --whole` writes again what is missing; then `firehose backup --verify`",
        "backup-and-restore",
    ),
    errors.UnknownShape: _Advice(
        ("another program has put a file into a folder of the old system", "a version of it that is not known"),
        "move the file away, or tell the maintainers what it is; then run the import again",
        "the-old-system-beside-this-one",
    ),
    errors.CorruptArchive: _Advice(
        ("a download was damaged on its way", "the archive itself is damaged"),
        "run the backfill again; if it stays, name another archive",
        "backfill-fill-a-gap-from-an-archive",
    ),
    errors.BudgetSpent: _Advice(
        ("FIREHOSE_ARCHIVE_RUN_MIB or FIREHOSE_ARCHIVE_DAY_MIB is reached",),
        "run the backfill again, tomorrow if it was the day's limit, or raise it: it goes on where it was",
        "backfill-fill-a-gap-from-an-archive",
    ),
    errors.BufferFull: _Advice(
        ("batches do not take events: Airflow is down, or a disk is full", "maxmemory is too low"),
        "see why batches do not run; then repeat it",
        "redis-minutes-of-outage-per-gib",
    ),
    errors.PoisonFlood: _Advice(
        ("a host sends events of another form", "a rule is wrong about new records"),
        "look at the sample that the line names; mend the rule, or raise FIREHOSE_MAX_QUARANTINE_RATE for this "
        "run; then clear validate",
        "a-flood-of-bad-events",
    ),
    errors.DiskFailed: _Advice(
        ("the disk is full", "the disk is failing", "a quota is reached"),
        "make room or see to the disk, and repeat the step: the whole file is written again",
        "the-lakes-disk-fills-up",
    ),
    errors.NoSecondNames: _Advice(
        ("the file system knows no hard links: some network and FAT file systems",),
        "keep the lake on a file system that does: ext4, xfs, btrfs",
        "backup-and-restore",
    ),
    errors.WorkerLost: _Advice(
        ("the kernel killed it, because memory ran out (see dmesg)",),
        "repeat the step: it goes on where it was. Fewer slots of the pool firehose_memory take less memory",
        "runbook",
    ),
    errors.PagesNotWritten: _Advice(
        ("no room, no right, or a file in the way in _quality/docs",),
        "mend what the line names, then clear validate; nothing was published, and nothing is lost",
        "runbook",
    ),
    QueryError: _Advice(
        ("a quotation mark without its pair, an unknown condition, a date of another form",),
        "the mark under the query shows the place; docs/search.md has the grammar",
    ),
    Refused: _Advice(
        ("the page's reader wrote what ClickHouse does not understand, or what an analyst may not do",),
        "what the line says; docs/endpoint.md has the limits",
    ),
    BadValue: _Advice(
        ("an address of the page for readers that was changed by hand, or is from another version",),
        "open the view without what follows the #, and choose again",
    ),
    SettingsError: _Advice(
        ("a typing error in a name or a value", "a password file that is missing or cannot be read"),
        "`firehose doctor --only settings` says which, with a suggestion; `firehose settings` explains each",
        "everyday",
    ),
    EndpointError: _Advice(
        ("its port is taken", "its folder is in use or on a full disk", "the kernel has no Landlock"),
        "what the line says; docs/endpoint.md",
    ),
    FolderInUse: _Advice(
        ("another `firehose demo` or `firehose clickhouse` runs with the same folder",),
        "stop that one, or use another FIREHOSE_HOME",
        "the-demos-home",
    ),
    SimulatorError: _Advice(
        ("its port is taken", "a file of --replay cannot be read"),
        "what the line says; include/jetstream_simulator/README.md",
    ),
}
_ENTRIES: Final = tuple(
    Entry(
        kind.__name__,
        Kind.ERROR,
        " ".join((inspect.getdoc(kind) or "").replace("``", "").split()),
        advice.causes,
        advice.todo,
        f"{_OPERATIONS}{advice.runbook}" if advice.runbook else "",
    )
    for kind, advice in _ADVICE.items()
)


def entries() -> tuple[Entry, ...]:
    """One for each class."""
    return _ENTRIES


def name_of(error: Exception) -> str:
    """The name under which an error is explained: its class's, or of the nearest class above that has an entry."""
    return next((kind.__name__ for kind in type(error).__mro__ if kind in _ADVICE), "")
