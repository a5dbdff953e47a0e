"""``firehose`` commands as forks of one process that has imported what they import: that takes each over a second.

Lives here: that process, for many commands that are of no interest one by one. A test of one command runs it as a
user does (``tests.support.command``). Must not: know what a command does.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

_SERVE = "from tests.support.forks import serve; serve()"
#: What is slow to import of what commands import when they run.
_SLOW = (
    *("clickhouse_connect", "firehose_cli.app", "pandas", "redis"),
    *("firehose.batch.drain", "firehose.lake.publish", "firehose.lake.verify"),
)


def run_all(
    commands: Mapping[str, Sequence[str]], folder: Path, environment: Mapping[str, str]
) -> dict[str, subprocess.CompletedProcess[str]]:
    """Run commands (their arguments by a name) in ``folder``, one after the other; what each said and its code.

    Raises:
        subprocess.TimeoutExpired: they took more than ten minutes.
    """
    request = {"commands": commands, "folder": str(folder), "environment": dict(environment)}
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", _SERVE],
        input=json.dumps(request),
        env={**environment, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return {
        name: subprocess.CompletedProcess(commands[name], code, out, err)
        for name, (code, out, err) in json.loads(done.stdout).items()
    }


def serve() -> None:
    """Run what standard input asks for, and print the answers as JSON."""
    request = json.load(sys.stdin)
    for module in _SLOW:
        importlib.import_module(module)
    gc.freeze()
    os.chdir(request["folder"])
    os.environ.pop("PYTHONPATH")
    answers = {}
    for name, arguments in request["commands"].items():
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            if not (child := os.fork()):
                _run(arguments, out.fileno(), err.fileno())
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            answers[name] = (code, *(stream.seek(0) or stream.read() for stream in (out, err)))
    json.dump(answers, sys.stdout)


def _run(arguments: Sequence[str], out: int, err: int) -> None:
    """One command, in its own process, which ends."""
    from firehose_cli.app import main

    code: object = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.argv = ["firehose", *arguments]
        main()
        code = 0
    except SystemExit as error:
        code = error.code or 0
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)
