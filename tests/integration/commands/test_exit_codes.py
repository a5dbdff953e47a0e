"""Exit codes are a closed list: every command, with nothing there, ends with one of them and in one line."""

from __future__ import annotations

import ast
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import firehose_cli
from firehose_cli.app import app
from firehose_cli.exit_codes import ExitCode
from scripts.pages import commands as commands_page
from tests.support.command import FIREHOSE, firehose, run
from tests.support.waiting import until

ROOT = Path(__file__).parents[3]
AWAY = "127.0.0.1:1"
#: They serve until they are told to end.
SERVE = {"demo", "simulate", "clickhouse", "metrics serve", "ui"}
#: Arguments without which a command is not complete.
ARGUMENTS = {
    "query": ["SELECT 1"],
    "search": ["coffee"],
    "rebuild": ["2026-11-23T20"],
    "redis-access": ["access"],
    "completion": ["bash"],
    "crosscheck": [f"ws://{AWAY}/subscribe", f"ws://{AWAY}/subscribe", "--hour", "2026-11-23T20"],
    "once": ["--replay", "/nowhere.jsonl"],
    "alerts silence": ["gap", "--for", "1h"],
    "tap": ["--count", "1"],
    "top": ["--once"],
    "quarantine replay": ["--do"],
    "maintenance": ["--do"],
    "batches rerun": ["--all", "--from", "2026-11-23", "--to", "2026-11-24"],
    # Of the machine that the tests run on, perhaps as root.
    "service install": ["--dry-run"],
    "service rollback": ["--dry-run"],
    "service uninstall": ["--dry-run"],
    "service exec": ["settings"],
    "cohort add": ["study", "/nowhere.txt"],
    "cohort show": ["study"],
    "cohort remove": ["study"],
    "cohort export": ["study", "/nowhere"],
    **{f"legacy {name}": ["/nowhere"] for name in ("import", "compare", "cleanup", "restore")},
    "legacy stage set": ["parallel"],
    "simulate-old": ["/dev/null/nowhere"],
}
#: Whose arguments are another command's.
TAKE_ANY = {"service exec"}


def every_command() -> Iterator[str]:
    def walk(name: str, command: Any) -> Iterator[str]:
        below = getattr(command, "commands", {})
        if not below or command.invoke_without_command:
            yield name
        for each, child in below.items():
            yield from walk(f"{name} {each}", child)

    for name, command in typer.main.get_group(app).commands.items():
        if not command.hidden and name != "bench":
            yield from walk(name, command)


#: A rehearsal needs nothing that could be missing: it brings its own services.
COMMANDS = [name for name in every_command() if name != "legacy rehearse"]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, subprocess.CompletedProcess[str]]:
    """Every command, run where there is nothing: no lake, no service, no archive."""
    home = tmp_path_factory.mktemp("empty")
    environment = {
        **{"PATH": "/usr/bin:/bin", "HOME": str(home), "FIREHOSE_HOME": str(home / "home")},
        **{"FIREHOSE_LAKE": str(home / "lake"), "FIREHOSE_REDIS_URL": f"redis://{AWAY}/0"},
        **{"FIREHOSE_CLICKHOUSE_URL": f"http://{AWAY}", "FIREHOSE_AIRFLOW_URL": f"http://{AWAY}"},
        "FIREHOSE_JETSTREAM_URL": f"ws://{AWAY}/subscribe",
    }
    commands = {name: [*name.split(), *ARGUMENTS.get(name, [])] for name in COMMANDS if name not in SERVE}
    return {name: run(arguments, environment, home) for name, arguments in commands.items()}


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in SERVE])
def test_a_command_that_finds_nothing_ends_in_the_list(
    ended: dict[str, subprocess.CompletedProcess[str]], name: str
) -> None:
    done = ended[name]
    assert done.returncode in {int(code) for code in ExitCode}, done.stderr
    assert done.returncode != ExitCode.USAGE, done.stderr
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("firehose: ")]
    assert len(errors) == (1 if done.returncode == ExitCode.UNAVAILABLE else len(errors[:1]))
    if done.returncode == ExitCode.UNAVAILABLE:
        assert re.search(r" \[\w+\]$", errors[0]), "the name for `firehose explain`"


def test_what_needs_a_service_says_that_it_may_pass(
    ended: dict[str, subprocess.CompletedProcess[str]],
) -> None:
    for name in ("query", "migrate", "top", "tap", "search"):
        assert ended[name].returncode == ExitCode.UNAVAILABLE, (name, ended[name].stderr)
    for name in ("settings", "explain", "completion"):
        assert ended[name].returncode == ExitCode.OK, (name, ended[name].stderr)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_wrong_command_line_is_2_and_help_is_0(name: str, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    if name not in TAKE_ANY:
        assert CliRunner().invoke(app, [*name.split(), "--no-such-option"]).exit_code == ExitCode.USAGE
    assert CliRunner().invoke(app, [*name.split(), "--help"]).exit_code == ExitCode.OK


def test_ctrl_c_is_130_and_no_traceback(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # takes connections, and never answers
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        process = subprocess.Popen(
            [FIREHOSE, "query", "SELECT 1"],
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "FIREHOSE_CLICKHOUSE_URL": url},
        )
        deaf.settimeout(60)
        connection, _ = deaf.accept()
        with connection:
            until(lambda: connection.recv(1, socket.MSG_PEEK), what="a request")
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
    assert (process.returncode, b"Traceback" in said) == (ExitCode.INTERRUPTED, False), said


def test_no_command_has_a_code_of_its_own() -> None:
    """Every ``typer.Exit(…)`` and ``sys.exit(…)`` of the command line names a member of the list."""
    for path in Path(firehose_cli.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("typer.Exit", "sys.exit"):
                numbers = [
                    each
                    for each in ast.walk(node)
                    if isinstance(each, ast.Constant) and isinstance(each.value, int)
                ]
                assert not numbers, f"{path}: {ast.unparse(node)}"


def test_the_page_is_current() -> None:
    assert (ROOT / "docs/commands.md").read_text() == commands_page.page(), "make docs"


def test_bash_completes_commands_options_and_names(tmp_path: Path) -> None:
    script = """
source <(firehose completion bash)
complete_words() {
  COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
  _firehose_completion firehose; echo "${COMPREPLY[@]}"
}
complete_words firehose quar
complete_words firehose quarantine ""
complete_words firehose tap --op
complete_words firehose explain LakeO
"""
    environment = {"PATH": f"{Path(FIREHOSE).parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.splitlines() == ["quarantine", "list show replay", "--operation", "LakeOutdated"]
    assert done.stderr == ""


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_take_their_script(shell: str, tmp_path: Path) -> None:
    said = firehose("completion", shell, home=tmp_path)
    assert said.returncode == 0
    assert "_FIREHOSE_COMPLETE" in said.stdout
    if not (program := shutil.which(shell)):
        pytest.skip(f"there is no {shell} here")
    environment = {"PATH": f"{Path(FIREHOSE).parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    asks = "; complete -C 'firehose quarantine re'" if shell == "fish" else ""
    option = "--no-config" if shell == "fish" else "-fn"
    run = [program, option, "-c", said.stdout + asks]
    done = subprocess.run(run, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.startswith("replay" if shell == "fish" else "")
