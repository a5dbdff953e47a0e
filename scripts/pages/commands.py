"""docs/commands.md: every command with its options, and the exit codes, from the command line itself.

Must not: have words of a command of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import typer

from firehose_cli.app import app
from firehose_cli.exit_codes import INGESTER, MEANING

_HEAD: Final = """\
# Commands

Made by `make docs`; do not edit. `firehose COMMAND --help` says the same. Results go to standard output, all else
to standard error; `--json` gives what a script reads. Long work shows a bar with its rate and the time left, if
standard error is a terminal. A message that ends in a name, such as `[LakeChanged]`, is explained by `firehose
explain NAME`. `firehose completion bash` (`zsh`, `fish`) prints what makes a shell complete commands and options.

## Exit codes

| code | name | meaning |
|---|---|---|
"""
_INGESTER: Final = """
`python -m ingester` has its own:

| code | meaning |
|---|---|
"""


def page() -> str:
    """The text of docs/commands.md."""
    codes = "".join(f"| {int(code)} | {code.name} | {means} |\n" for code, means in MEANING.items())
    theirs = "".join(f"| {code} | {means} |\n" for code, means in INGESTER.items())
    return _HEAD + codes + _INGESTER + theirs + "".join(_panels())


def _panels() -> Iterator[str]:
    by_panel: dict[str, list[str]] = {}
    for name, command in typer.main.get_group(app).commands.items():
        if not command.hidden:
            panel = str(getattr(command, "rich_help_panel", "") or "Others")
            by_panel.setdefault(panel, []).extend(_command(name, command))
    for panel, parts in by_panel.items():
        yield f"\n## {panel}\n"
        yield from parts


def _command(name: str, command: Any) -> Iterator[str]:
    below = getattr(command, "commands", {})
    if not below or getattr(command, "invoke_without_command", False):
        yield _entry(name, command)
    for each, child in below.items():
        yield from _command(f"{name} {each}", child)


def _entry(name: str, command: Any) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option" and not each.hidden]
    usage = " ".join([name, *(_argument(each) for each in arguments)])
    text = " ".join(re.sub(r"\s+", " ", command.help or "").split())
    lines = [f"\n### firehose {usage}\n\n{text}\n"]
    if rows := [*arguments, *options]:
        lines.append("\n| option | meaning |\n|---|---|\n")
        lines += [_row(each) for each in rows]
    return "".join(lines)


def _argument(argument: Any) -> str:
    name = argument.name.upper()
    shown = f"{name}…" if argument.nargs == -1 else name
    return shown if argument.required else f"[{shown}]"


def _row(parameter: Any) -> str:
    is_argument = parameter.param_type_name == "argument"
    name = parameter.name.upper() if is_argument else ", ".join(parameter.opts)
    default = parameter.default
    shown = f" Default: `{getattr(default, 'value', default)}`." if _has_default(default) else ""
    help_text = (parameter.help or "").replace("|", "\\|")
    return f"| `{name}` | {help_text}{shown} |\n"


def _has_default(default: object) -> bool:
    return not callable(default) and default not in (None, "", False, (), [])
