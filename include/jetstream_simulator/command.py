"""The command ``firehose simulate``, which is ``python -m jetstream_simulator`` as well.

Lives here: from options to a running simulator. Must not: name options (flags.py); what is heavy is imported when
the command runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import typer

from jetstream_simulator.errors import SimulatorError
from jetstream_simulator.flags import EARLIER_NAMES, Flags

if TYPE_CHECKING:
    from jetstream_simulator.app import Config

_GENERATED_RATE: Final = 500.0


def simulate(**given: Any) -> None:
    """Serve a Jetstream v1 and v2 stream of synthetic or recorded events."""
    import asyncio

    from jetstream_simulator import app, logs

    logs.setup()
    config = _config(_renamed(Flags(**given), logs.get_logger(__name__).warning))
    asyncio.run(app.run(config, lambda url: typer.echo(f"listening on {url}")))


# typer reads a command's options from the signature of its function: it is that of the class that holds them.
simulate.__signature__ = inspect.signature(Flags, eval_str=True)  # type: ignore[attr-defined]  # any function has it


def _renamed(flags: Flags, warn: Callable[[str], None]) -> Flags:
    """The same options under their current names; each earlier name gets a line that says the current one."""
    for earlier, current in EARLIER_NAMES.items():
        if (value := getattr(flags, earlier)) is not None:
            old, new = (f"--{name.replace('_', '-')}" for name in (earlier, current))
            warn(f"{old} is now called {new}; the earlier name works in this version")
            flags = replace(flags, **{earlier: None, current: value})
    return flags


def _config(flags: Flags) -> Config:
    """The simulator's configuration.

    Raises:
        SimulatorError: options that do not go together, or a time that cannot be read.
    """
    from dataclasses import fields

    from jetstream_simulator.app import Config
    from jetstream_simulator.v2.gate import GateOptions

    if flags.replay and flags.start:
        raise SimulatorError("--start has no meaning with --replay, whose events have their own time")
    named = {field.name for field in fields(Config)}
    same = {name: value for name, value in asdict(flags).items() if name in named}
    generated_rate = 0.0 if flags.replay else _GENERATED_RATE
    other: dict[str, Any] = {
        "rate": generated_rate if flags.rate is None else flags.rate,
        "replay": tuple(flags.replay or ()),
        "retention_events": flags.retention,
        "retention_bytes": flags.retention_mib << 20,
        "start_us": _time_us(flags.start) if flags.start else None,
        "gate": GateOptions(flags.archive_key, flags.archive_quota, flags.archive_window, flags.archive_redirect),
        "warm_up_s": flags.warm_up,
    }
    return Config(**(same | other))


def _time_us(text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise SimulatorError(f"--start {text}: not an RFC 3339 time; write it like 2026-05-25T14:00:00Z") from None
    return int(parsed.astimezone(UTC).timestamp()) * 1_000_000 + parsed.microsecond
