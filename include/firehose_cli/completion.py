"""``firehose completion``: prints what makes a shell complete the command's names, options and their values.

Must not: complete anything: Typer does, when the shell asks the command itself.
"""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated, Final

import typer

_PROGRAM: Final = "firehose"
#: Set by a shell that asks for completions.
_VARIABLE: Final = "_FIREHOSE_COMPLETE"


def prepare() -> None:
    """Teach Typer the shells' protocols, if one of them asks. (It does so itself only with options of its own.)"""
    if _VARIABLE in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]  # it is, though not by name

        completion_init()


class Shell(StrEnum):
    """Shells that can be asked to complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    shell: Annotated[Shell, typer.Argument(help="The shell that the script is for.")],
) -> None:
    """Print the completion script of a shell.

    bash: `source <(firehose completion bash)` in ~/.bashrc. zsh: the same in ~/.zshrc, after compinit.
    fish: `firehose completion fish > ~/.config/fish/completions/firehose.fish`.
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]  # as above

    typer.echo(get_completion_script(prog_name=_PROGRAM, complete_var=_VARIABLE, shell=shell))
