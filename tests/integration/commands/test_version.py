"""The version that ``firehose --version`` prints, and what it says where there is none."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version

import pytest

from firehose_cli import app as commands


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["firehose", "--version"])


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        commands.main()
    assert not ended.value.code
    assert capsys.readouterr().out == f"firehose {version('bluesky-firehose')}\n"


def test_files_that_were_copied_have_no_version_and_say_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unknown(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(commands, "version", unknown)
    with pytest.raises(SystemExit) as ended:
        commands.main()
    said = capsys.readouterr()
    assert (ended.value.code, said.out, said.err.count("\n")) == (1, "", 1)
    assert "the package bluesky-firehose is not installed here" in said.err
