"""A headless Chromium, driven by its own DevTools protocol: nothing has to be installed but the browser.

For tests of pages, pictures and benchmarks. Lives here: the browser. Must not: know the pages.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from websockets.sync.client import ClientConnection, connect

from devstack.embedded.leash import ending_with_us
from firehose.errors import FirehoseError, ServiceUnavailable

_START_S: Final = 60.0
#: The longest that a page waits for an answer of the browser, or for a page to be loaded.
_ANSWER_S: Final = 60.0
#: The browser on PATH; None: there is none.
EXECUTABLE: Final = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page:
    """A tab. ``answered`` are the addresses that have answered it, ``errors`` what its console complained of."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._number = 0
        self.answered: list[str] = []
        self.errors: list[str] = []
        self._events: list[str] = []
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.do(f"{domain}.enable")

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the protocol, and its answer."""
        self._number += 1
        self._connection.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        until = time.monotonic() + _ANSWER_S
        while True:
            answer = self._next(until)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise FirehoseError(f"the browser refuses {method}: {answer['error']}")
                return dict(answer["result"])

    def go(self, url: str) -> None:
        """Open an address, and wait until it is loaded."""
        self._events.clear()
        if "loaderId" not in self.do("Page.navigate", url=url):
            return  # only the section is another one
        until = time.monotonic() + _ANSWER_S
        while "Page.loadEventFired" not in self._events:
            self._next(until)

    def run(self, script: str) -> Any:
        """What an expression gives; a promise is waited for."""
        found = self.do("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise FirehoseError(f"a script failed in the browser: {found['exceptionDetails']}")
        return found["result"].get("value")

    def look(self, width: int, height: int, *, dark: bool = False) -> None:
        """Give the page a size in pixels, and the system's colours."""
        self.do(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.do("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, *, whole: bool = False) -> bytes:
        """A PNG of what is seen; ``whole``: of the page down to its end."""
        return base64.b64decode(self.do("Page.captureScreenshot", captureBeyondViewport=whole)["data"])

    def _next(self, until: float) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._connection.recv(timeout=max(0.0, until - time.monotonic())))
        self._events.append(name := message.get("method", ""))
        if name == "Network.responseReceived":
            self.answered.append(message["params"]["response"]["url"])
        elif name == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
            entry = message["params"]["entry"]
            self.errors.append(f"{entry['text']} {entry.get('url', '')}")
        elif name == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(message["params"]["exceptionDetails"]))
        return message


@contextmanager
def browser(cookies: dict[str, str], url: str) -> Iterator[Page]:
    """A page of a browser of its own, with these cookies for ``url``.

    Raises:
        ServiceUnavailable: there is none on PATH, or it does not start.
    """
    if EXECUTABLE is None:
        raise ServiceUnavailable("there is no chromium on PATH; on Debian: apt-get install chromium")
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as folder:
        options = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
        ]
        options += ["--no-first-run", "--remote-debugging-port=0", f"--user-data-dir={folder}"]
        command = ending_with_us([EXECUTABLE, *options, "about:blank"])
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            port = _port(Path(folder), process)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=_START_S) as answer:
                target = next(one for one in json.load(answer) if one["type"] == "page")
            with connect(target["webSocketDebuggerUrl"], max_size=None) as connection:
                page = Page(connection)
                for name, value in cookies.items():
                    page.do("Network.setCookie", name=name, value=value, url=url, httpOnly=True, sameSite="Lax")
                yield page
        finally:
            process.terminate()
            process.wait(30)


def _port(folder: Path, process: subprocess.Popen[bytes]) -> int:
    """Where it listens, once it does."""
    deadline = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            return int((folder / "DevToolsActivePort").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            time.sleep(0.01)
    raise ServiceUnavailable(f"{EXECUTABLE} does not start: it has ended, or does not listen")
