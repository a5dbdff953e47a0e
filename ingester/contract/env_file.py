"""Finds and reads the env file, and writes lines for it.

Lives here: its place and its syntax. Must not: know the meaning of its variables (settings.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from ingester.contract import checks
from ingester.contract.checks import PREFIX, SettingsError, complaint

DEFAULT_HOME: Final = "~/tmp/bluesky_firehose"
ENV_FILE_NAME: Final = "firehose.env"
_PLAIN: Final = re.compile(r"[\w@%+=:,./?-]*", re.ASCII)
_ADVICE: Final = "an env file has lines of the form FIREHOSE_NAME=value"


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of ``$FIREHOSE_ENV_FILE``, else of ``firehose.env`` in the home, if that exists.

    It may name a folder, such as that of a service's credentials: then each of its ``*.env`` is read, by name.

    Raises:
        SettingsError: the named file does not exist, or the file cannot be read.
    """
    named, home = environ.get(PREFIX + "ENV_FILE"), environ.get(PREFIX + "HOME", DEFAULT_HOME)
    if wrong := checks.folder(named or home):
        raise SettingsError(complaint("env_file" if named else "home", named or home, wrong))
    path = (Path(named) if named else Path(home) / ENV_FILE_NAME).expanduser()
    if named and path.is_dir():
        found = [read(file) for file in sorted(path.glob("*.env"))]
        return {name: value for values in found for name, value in values.items()}
    if named and not path.is_file():
        raise SettingsError(f"{PREFIX}ENV_FILE: no file at {path}; name an existing file or unset it")
    return read(path) if path.is_file() else {}


def line(name: str, value: object) -> str:
    """The line for the variable ``FIREHOSE_<name>``, which :func:`read` reads as ``value``.

    It is quoted if necessary: a path may contain `` #``, which would begin a comment.
    """
    text = str(value)
    quoted = text if _PLAIN.fullmatch(text) else "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return f"{PREFIX}{name}={quoted}\n"


def read(path: Path) -> dict[str, str]:
    """The variables of an env file, in the order of its lines.

    Raises:
        SettingsError: it cannot be read, or has a line that is neither ``NAME=value`` nor a comment.
    """
    try:
        with path.open(encoding="utf-8") as stream:
            for found in parse_stream(stream):
                if found.error or (found.key is not None and found.value is None):
                    raise SettingsError(f"{path}: line {found.original.line} is not a setting; {_ADVICE}")
        return {name: value or "" for name, value in dotenv_values(path, encoding="utf-8").items()}
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: not text in UTF-8; {_ADVICE}") from None
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}; make it readable for the user who runs this") from None
