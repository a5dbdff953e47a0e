"""Fetches pip's wheel from the Python registry and installs it with itself: for a Python without ensurepip.

Usage: get_pip.py VENV. The index is PIP_INDEX_URL, else pypi.org. Only the standard library is at hand here.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path

VERSION = "25.3"


def main(venv: Path) -> None:
    """Find the wheel on the index page, check its hash, run it."""
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/") + "/pip/"
    page = _get(index).decode()
    match = re.search(rf'href="([^"]*pip-{re.escape(VERSION)}-py3-none-any\.whl[^"]*)"', page)
    if not match:
        sys.exit(f"make: {index} has no pip {VERSION}; install python3-venv, then try again")
    url = urllib.parse.urljoin(index, match[1])
    wheel = _get(url)
    expected = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).fragment)).get("sha256")
    if expected and hashlib.sha256(wheel).hexdigest() != expected:
        sys.exit(f"make: {url}: the file does not have the hash that the index gives")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"pip-{VERSION}-py3-none-any.whl"
        path.write_bytes(wheel)
        pip = [str(venv / "bin" / "python"), f"{path}/pip", "install", "--quiet", str(path)]
        subprocess.run(pip, check=True)


def _get(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - the index's own addresses
            content: bytes = answer.read()
            return content
    except OSError as error:
        sys.exit(f"make: {url}: {error}; install python3-venv, or set PIP_INDEX_URL to an index that answers")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
