"""Runs dbt's commands in one process, in an environment of its own: dbt does not share the project's versions.

``python dbt_work.py FOLDER COMMAND…``, each command with its words joined by ``+``. Prints what failed.
"""

from __future__ import annotations

import os
import sys


def main(folder: str, commands: list[str]) -> int:
    """The number of commands that failed."""
    from dbt.cli.main import dbtRunner

    os.chdir(folder)
    runner = dbtRunner()
    failed = [each for each in commands if not runner.invoke(each.split("+")).success]
    print("failed:", failed)
    return len(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
