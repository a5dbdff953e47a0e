"""How ``firehose query`` lays out values."""

from __future__ import annotations

import msgspec
import pytest

from firehose_cli.query import _show, cell, table


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "plain"),
        ("", ""),
        ("a\nb\tc", "a b c"),
        ("\x1b[2Jx\x07", " [2Jx "),
        ("\u202eevil\u2066", " evil "),
        ("one\u2028two", "one two"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("x" * 80, "x" * 80),
        ("x" * 81, "x" * 79 + "…"),
    ],
)
def test_a_cell_is_one_line_that_steers_nothing(value: str, shown: str) -> None:
    assert cell(value) == shown


@pytest.mark.parametrize(
    ("kind", "justify"),
    [
        ("UInt64", "right"),
        ("Nullable(Int8)", "right"),
        ("LowCardinality(Nullable(Int8))", "right"),
        ("Float64", "right"),
        ("Decimal(9, 2)", "right"),
        ("String", "left"),
        ("Array(UInt8)", "left"),
        ("IntervalDay", "left"),
        ("DateTime64(6, 'UTC')", "left"),
    ],
)
def test_numbers_stand_to_the_right(kind: str, justify: str) -> None:
    assert table(["n"], [kind], [["1"]]).columns[0].justify == justify


@pytest.mark.parametrize(("columns", "lines_shown"), [(2, 3), (30, 31)])
def test_rows_stand_upright_where_the_terminal_is_too_narrow_for_their_columns(
    columns: int, lines_shown: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    names = [f"column{n}" for n in range(columns)]
    lines = [names, ["String"] * columns, ["value " * 9] * columns]
    _show(b"\n".join(map(msgspec.json.encode, lines)), 0.1)
    # Two columns: their names, a rule, the row. Thirty: a line for each value, a rule.
    assert len(capsys.readouterr().out.splitlines()) == lines_shown
