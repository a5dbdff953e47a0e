"""The official entrypoint's steps, then the embedded endpoint on a port of its own behind a forwarder.

The steps are those of clickhouse/clickhouse-server's entrypoint.sh: folders of the merged configuration are made
and, as root, given to the server's user. A lake that is mounted read-only ends it there, as it ends the real one.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from clickhouse_http import EndpointConfig
from clickhouse_http.config import to_json

CONFIGURATION = Path("/etc/clickhouse-server")
DATA = Path("/var/lib/clickhouse")
USER = 101
ENGINE_PORT = 8124


def configured(name: str, default: str) -> str:
    """An entry of the merged config.d."""
    found = default
    for path in sorted((CONFIGURATION / "config.d").glob("*.xml")):
        found = ET.parse(path).getroot().findtext(name) or found  # noqa: S314 - the project's own file
    return found


def prepare(folder: Path) -> None:
    """Make it, and give it to the server's user, unless somebody else is asked to run the server."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.getuid() == 0 and folder.stat().st_uid != USER:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, USER, USER)


def config() -> EndpointConfig:
    """The endpoint of this container."""
    return EndpointConfig(
        url=f"http://127.0.0.1:{ENGINE_PORT}",
        folder=DATA / "engine",
        lake=Path(configured("user_files_path", "/lake/")),
        rights=CONFIGURATION / "users.d" / "firehose.xml",
        loader_password=os.environ["LOADER_PASSWORD"],
        analyst_password=os.environ["ANALYST_PASSWORD"],
        allowed_hosts=("clickhouse",),
    )


async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection."""
    try:
        engine = await asyncio.open_connection("127.0.0.1", ENGINE_PORT)
    except OSError:
        writer.close()
        return
    await asyncio.gather(copy(reader, engine[1]), copy(engine[0], writer))


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction, until it ends."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.close()


async def main() -> int:
    """Serve until the engine ends; it ends with this process."""
    for folder in (DATA, Path("/var/log/clickhouse-server"), Path(configured("user_files_path", str(DATA)))):
        prepare(folder)
    os.umask(0o077)
    engine = subprocess.Popen([sys.executable, "-P", "-m", "clickhouse_http", "-"], stdin=subprocess.PIPE)
    assert engine.stdin
    engine.stdin.write(to_json(config()))
    engine.stdin.close()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, engine.terminate)
    server = await asyncio.start_server(forward, "0.0.0.0", 8123)  # noqa: S104 - that is what a container's port is
    code = await loop.run_in_executor(None, engine.wait)
    server.close()
    return code


sys.exit(asyncio.run(main()))
