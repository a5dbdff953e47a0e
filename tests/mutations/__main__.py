"""``make mutants``: applies each edit of the catalogue in a copy of the project, and sees that its tests fail.

Lives here: the copy, and the runs. Must not: touch the project itself.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from tests.mutations.catalogue import ROOT, Mutant, catalogue

#: What pytest exits with where tests ran and one of them failed.
_FAILED = 1


def main() -> int:
    """Try the mutants whose names contain one of the arguments, or all. Returns how many live on."""
    parser = argparse.ArgumentParser(prog="make mutants", description=main.__doc__)
    parser.add_argument("name", nargs="*", help="a part of a name")
    wanted = parser.parse_args().name
    mutants = [one for one in catalogue() if not wanted or any(part in one.name for part in wanted)]
    with tempfile.TemporaryDirectory(prefix="firehose-mutants-") as folder:
        copy = Path(folder)
        _copy(copy)
        if code := _run(copy, {test for one in mutants for test in one.tests}).returncode:
            print(f"the tests fail without any edit (pytest: {code}): nothing can be learnt from them")
            return 1
        alive = [one for one in mutants if not _is_killed(copy, one)]
    print(f"{len(mutants) - len(alive)} of {len(mutants)} mutants are killed")
    return len(alive)


def _is_killed(copy: Path, mutant: Mutant) -> bool:
    path = copy / mutant.file
    original, began = path.read_text(), time.monotonic()
    path.write_text(mutant.applied(copy))
    try:
        done = _run(copy, mutant.tests)
    finally:
        path.write_text(original)
    killed = done.returncode == _FAILED
    by = next(
        (line for line in done.stdout.splitlines() if line.startswith("FAILED")), f"pytest: {done.returncode}"
    )
    print(
        f"{'killed' if killed else 'ALIVE '} {time.monotonic() - began:4.0f} s  {mutant.name}: {by[:150]}",
        flush=True,
    )
    return killed


def _run(copy: Path, tests: Iterable[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *sorted(tests)]
    # Before what is installed: that is the project itself.
    environ = {**os.environ, "PYTHONPATH": f"{copy}:{copy / 'include'}", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=copy, env=environ, capture_output=True, text=True, check=False)


def _copy(target: Path) -> None:
    """Copy what git knows, or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


if __name__ == "__main__":
    sys.exit(main())
