"""Hours and record types as a user writes them on the command line."""

from __future__ import annotations

from collections.abc import Sequence


def hours_of(names: Sequence[str]) -> list[int]:
    """Hours since the epoch, in order, of names such as ``2026-11-23T20``.

    Raises:
        FirehoseError: one is not such a name.
    """
    from firehose.errors import FirehoseError
    from firehose.lake import layout

    found = set()
    for name in names:
        try:
            found.add(layout.parse_hour(name))
        except ValueError:
            raise FirehoseError(f"{name!r} is not an hour: write it like 2026-11-23T20 (UTC)") from None
    return sorted(found)


def types_of(names: Sequence[str]) -> list[str]:
    """These record types.

    Raises:
        FirehoseError: one does not exist.
    """
    from firehose import schema
    from firehose.errors import FirehoseError

    for name in names:
        if name not in schema.TYPES:
            raise FirehoseError(f"--type {name}: not a record type; there are {', '.join(schema.TYPES)}")
    return list(dict.fromkeys(names))
