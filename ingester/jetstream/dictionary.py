"""Decompresses Jetstream's messages: each binary message is one zstd frame made with a dictionary.

Lives here: reading a dictionary, from a file or a v2 host, and bounded decompression. Must not: queues, retries.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from socket import SHUT_RDWR, socket
from threading import Timer
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import zstandard

from ingester.contract.settings import SettingsError

_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_CHUNK: Final = 1 << 17
#: The HTTP call that serves a v2 host's dictionary.
METHOD: Final = "network.bsky.jetstream.getZstdDictionary"
#: The value of the setting that requests compression without naming a file.
FETCH: Final = "fetch"
#: How long fetching may take (seconds), and how large a dictionary may be: v2's has 65,536 bytes.
FETCH_S: Final = 10.0
MOST_BYTES: Final = 1 << 20


class DictionaryUnavailable(Exception):
    """A v2 host does not serve its zstd dictionary; its stream can be read uncompressed."""


class TooLarge(ValueError):
    """A message grows beyond the limit when decompressed."""


#: What a decompressor raises for a message that it cannot read.
UNREADABLE: Final = (TooLarge, zstandard.ZstdError)


class Dictionary(NamedTuple):
    """A dictionary's id, for the request to a v2 host, and the function that decompresses with it.

    ``decompress`` decompresses one message, up to the size allowed, and returns plain JSON unchanged. It raises
    the errors in ``UNREADABLE`` if the message is too large, or not a frame of this dictionary.
    """

    id: int
    decompress: Callable[[bytes], bytes]


def from_file(file: str, max_bytes: int) -> Dictionary:
    """The dictionary in ``file``, for messages of at most ``max_bytes``.

    Raises:
        SettingsError: ``file`` cannot be read or is not a dictionary.
    """
    try:
        return _dictionary(Path(file).expanduser().read_bytes(), max_bytes)
    except (OSError, zstandard.ZstdError) as error:
        raise SettingsError(f"FIREHOSE_ZSTD_DICTIONARY: no zstd dictionary at {file} ({error})") from None


def fetch(url: str, max_bytes: int) -> Dictionary:
    """The dictionary that the v2 host of the websocket ``url`` serves now. Blocks for at most :data:`FETCH_S`.

    Raises:
        DictionaryUnavailable: the host does not answer in time, or not with a dictionary of a usual size.
    """
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "wss" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=FETCH_S / 2)
    watchdog = None
    try:
        connection.connect()
        # A server that sends a byte now and then would outlast every timeout of the socket. The socket is kept,
        # because the connection forgets it once the server says that it will close.
        watchdog = Timer(FETCH_S, _cut, [connection.sock])
        watchdog.daemon = True
        watchdog.start()
        connection.request("GET", parts.path.rstrip("/").rpartition("/")[0] + "/" + METHOD)
        response = connection.getresponse()
        content = response.read(MOST_BYTES + 1)
        if response.status != 200 or len(content) > MOST_BYTES:
            raise DictionaryUnavailable(f"HTTP {response.status}, {len(content)} bytes")
        return _dictionary(content, max_bytes)
    except (OSError, HTTPException, zstandard.ZstdError) as error:
        raise DictionaryUnavailable(f"{type(error).__name__}: {error}") from None
    finally:
        if watchdog is not None:
            watchdog.cancel()
        connection.close()


def _cut(connected: socket) -> None:
    with suppress(OSError):  # closed in the meantime
        connected.shutdown(SHUT_RDWR)


def _dictionary(content: bytes, max_bytes: int) -> Dictionary:
    dictionary = zstandard.ZstdCompressionDict(content, dict_type=zstandard.DICT_TYPE_FULLDICT)
    context = zstandard.ZstdDecompressor(dict_data=dictionary, max_window_size=1 << 27)
    context.decompress(zstandard.ZstdCompressor(dict_data=dictionary).compress(b"{}"))

    def decompress(message: bytes) -> bytes:
        if not message.startswith(_MAGIC):
            return message
        size = zstandard.frame_content_size(message)
        if size > max_bytes:
            raise TooLarge(f"{size} bytes when decompressed, {max_bytes} are allowed")
        if size > 0:
            # By default zstd ignores bytes after the frame, and an event there would be lost.
            return context.decompress(message, allow_extra_data=False)
        return _unsized(context, message, max_bytes)

    return Dictionary(dictionary.dict_id(), decompress)


def _unsized(context: zstandard.ZstdDecompressor, message: bytes, max_bytes: int) -> bytes:
    """Decompress a frame that does not state its size: first measure it in chunks, then decompress it."""
    size = 0
    for part in context.read_to_iter(message, write_size=_CHUNK):
        size += len(part)
        if size > max_bytes:
            raise TooLarge(f"over {max_bytes} bytes when decompressed")
    frame = context.decompressobj()
    plain = frame.decompress(message)
    if not frame.eof or frame.unused_data:
        raise zstandard.ZstdError("not exactly one whole frame")
    return plain
