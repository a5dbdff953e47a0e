"""What a newcomer sees first: `firehose --help`, and the public names of the development stack."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
import typer
from typer.testing import CliRunner

import devstack
from firehose_cli.app import app

COMMANDS = {name: command for name, command in typer.main.get_group(app).commands.items() if not command.hidden}


def test_every_command_is_in_a_panel_and_says_what_it_does() -> None:
    said = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "100"}).output
    assert "─ Commands ─" not in said, "a command has no panel"
    for name, command in COMMANDS.items():
        assert f"│ {name} " in said
        assert len(command.get_short_help_str(200)) > 20


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained(name: str) -> None:
    for option in COMMANDS[name].params:
        if isinstance(option, click.Option):
            assert option.hidden or option.help, f"{name} {option.opts[0]}"


def test_public_names_of_the_development_stack_exist_and_cost_nothing() -> None:
    assert all(callable(getattr(devstack, name)) for name in devstack.__all__)
    code = "import sys, devstack; print('redis' in sys.modules or 'firehose' in sys.modules)"
    loaded = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout == "False\n"
