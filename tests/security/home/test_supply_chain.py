"""What is downloaded is what the repository names: by hash, whatever an index says."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "scripts" / "get_pip.py"
LOCKS = sorted([*ROOT.glob("requirements*.txt"), *ROOT.glob("*/*requirements.txt")])


def test_an_index_that_vouches_for_another_wheel_is_not_believed(tmp_path: Path) -> None:
    wheel = b"not pip"
    version = re.search(r'VERSION = "([\d.]+)"', SCRIPT.read_text())
    assert version
    name = f"pip-{version[1]}-py3-none-any.whl"
    page = f'<a href="/{name}#sha256={hashlib.sha256(wheel).hexdigest()}">{name}</a>'.encode()

    class Index(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(wheel if self.path.endswith(".whl") else page)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        index = f"http://127.0.0.1:{server.server_port}/simple"
        done = subprocess.run(
            [sys.executable, SCRIPT, tmp_path / "venv"],
            env={"PIP_INDEX_URL": index},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        server.shutdown()
    assert done.returncode == 1
    assert f"is not the file whose hash is in {SCRIPT.relative_to(ROOT)}; not installed" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_locked_package_has_a_hash(lock: Path) -> None:
    entries = re.split(r"^(?=[a-z0-9])", lock.read_text(), flags=re.MULTILINE)[1:]
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9-]+(\[[\w,-]+\])?==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry
