"""The options of the command: each of them reaches the simulator."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import pytest

from jetstream_simulator.command import _config, _renamed
from jetstream_simulator.flags import EARLIER_NAMES, Flags

#: Options whose default says nothing of what they take.
VALUES: Final[dict[str, Any]] = {
    "rate": 7.0,
    "replay": [Path("events.jsonl")],
    "dictionary": Path("some.dict"),
    "v2_dictionary": Path("some.dict"),
    "record": Path("record.jsonl"),
    "start": "2026-05-25T14:00:00Z",
    "imported": 0.5,
}
OPTIONS: Final = {field.name: field.default for field in fields(Flags) if field.name not in EARLIER_NAMES}


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_changes_the_simulator(name: str) -> None:
    assert _config(Flags(**{name: _other_than_default(name)})) != _config(Flags())


@pytest.mark.parametrize("earlier", EARLIER_NAMES)
def test_an_earlier_name_works_and_says_the_current_one(earlier: str) -> None:
    current, said = EARLIER_NAMES[earlier], list[str]()
    value = _other_than_default(current)
    assert _renamed(Flags(**{earlier: value}), said.append) == Flags(**{current: value})
    assert len(said) == 1 and f"--{current.replace('_', '-')};" in said[0]


def _other_than_default(name: str) -> Any:
    default: Any = OPTIONS[name]
    if name in VALUES:
        return VALUES[name]
    if isinstance(default, bool):
        return not default
    return "other" if isinstance(default, str) else default + 1
