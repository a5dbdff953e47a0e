"""Fetches pip's wheel from the Python registry and installs it with itself: for a Python without ensurepip.

Usage: get_pip.py VENV. The index is PIP_INDEX_URL, else pypi.org. Only the standard library is at hand here.
What runs is the file whose hash stands here, whatever an index or a proxy gives.
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
#: Of that version's wheel. For a new one: pip download --no-deps pip==VERSION, then sha256sum, on two networks.
SHA256 = "9655943313a94722b7774661c21049070f6bbb0a1516bf02f7c8d5d9201514cd"


def main(venv: Path) -> None:
    """Find the wheel on the index page, check its hash, run it."""
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/") + "/pip/"
    page = _get(index).decode()
    match = re.search(rf'href="([^"]*pip-{re.escape(VERSION)}-py3-none-any\.whl[^"]*)"', page)
    if not match:
        sys.exit(f"make: {index} has no pip {VERSION}; install python3-venv, then try again")
    url = urllib.parse.urljoin(index, match[1])
    wheel = _get(url)
    if hashlib.sha256(wheel).hexdigest() != SHA256:
        sys.exit(
            f"make: {index}: its pip {VERSION} is not the file whose hash is in scripts/get_pip.py; not installed"
        )
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
