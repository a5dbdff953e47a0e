"""Everything that can be explained: a closed list, made of the lists that the names come from.

Must not: have words of its own, but for those that say where to look.
"""

from __future__ import annotations

from difflib import get_close_matches

from firehose.alerts.catalogue import ALERTS
from firehose.errors import FirehoseError
from firehose_cli.exit_codes import INGESTER, MEANING, ExitCode
from firehose_cli.explanations import clickhouse, errors
from firehose_cli.explanations.entry import Entry, Kind


def entries() -> list[Entry]:
    """All of them, errors first."""
    return [*errors.entries(), *_alerts(), *_exit_codes(), *clickhouse.entries()]


def found(name: str) -> list[Entry]:
    """The entries of a name or number: of 75 and of 3 there are several.

    Raises:
        FirehoseError: there is none; the line names the nearest.
    """
    known = entries()
    wanted = name.strip().strip("[]").casefold()
    matching = [entry for entry in known if wanted in _names(entry)]
    if matching:
        return matching
    near = get_close_matches(wanted, [each for entry in known for each in _names(entry)], n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}? " if near else ""
    raise FirehoseError(f"{name!r} is not explained here: {hint}`firehose explain` lists all that is")


def _names(entry: Entry) -> set[str]:
    """What a user may type for it: ``241`` and ``MEMORY_LIMIT_EXCEEDED``, ``exit 75``."""
    names = {entry.name.casefold()}
    if entry.kind is Kind.CLICKHOUSE:
        names.add(entry.means.partition(":")[0].casefold())
    return names | {name.removeprefix("ingester ") for name in names}


def _alerts() -> list[Entry]:
    return [
        Entry(
            alert.name,
            Kind.ALERT,
            f"{alert.severity}: {alert.title}. {alert.text}",
            tuple(getattr(alert, "causes", ())),
            "what its section of the runbook says",
            f"docs/operations.md#{alert.runbook}",
        )
        for alert in ALERTS
    ]


def _exit_codes() -> list[Entry]:
    ours = [
        Entry(str(int(code)), Kind.EXIT_CODE, f"firehose: {means}", (), _todo(code), "docs/commands.md#exit-codes")
        for code, means in MEANING.items()
    ]
    theirs = [
        Entry(
            f"ingester {code}", Kind.EXIT_CODE, means, (), "see its log", "docs/ingester.md#when-things-go-wrong"
        )
        for code, means in INGESTER.items()
    ]
    return [*ours, *theirs]


def _todo(code: ExitCode) -> str:
    return {
        ExitCode.OK: "nothing",
        ExitCode.FAILED: "what the line on standard error says",
        ExitCode.USAGE: "firehose COMMAND --help",
        ExitCode.UNAVAILABLE: "run it again later; `firehose doctor` says what is away",
        ExitCode.INTERRUPTED: "run it again: every command is safe to repeat",
    }[code]
