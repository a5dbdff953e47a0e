"""Websocket frames of a server, ready for the wire: unmasked, unfragmented, header and payload in one piece.

Lives here: RFC 6455 section 5.2, and zstd messages. Must not: connections.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import zstandard

from jetstream_simulator.errors import SimulatorError

_TEXT: Final = 0x81  # FIN and the opcode
_BINARY: Final = 0x82
_LEVEL: Final = 3  # the public servers' "default" level


def text_frame(payload: bytes) -> bytes:
    """A text message as one frame."""
    return _header(_TEXT, len(payload)) + payload


def binary_frame(payload: bytes) -> bytes:
    """A binary message as one frame."""
    return _header(_BINARY, len(payload)) + payload


def payload(frame: bytes) -> bytes:
    """The payload of a frame that this module made."""
    short = frame[1]
    return frame[2 if short < 126 else 4 if short == 126 else 10 :]


def _header(opcode: int, length: int) -> bytes:
    if length < 126:
        return bytes((opcode, length))
    if length < 65536:
        return bytes((opcode, 126)) + length.to_bytes(2, "big")
    return bytes((opcode, 127)) + length.to_bytes(8, "big")


def dictionary(path: Path) -> bytes:
    """A zstd dictionary's bytes.

    Raises:
        SimulatorError: the file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise SimulatorError(f"dictionary {path}: {error.strerror}; name a readable file") from error


def compressor(path: Path) -> zstandard.ZstdCompressor:
    """A compressor for single messages, with the dictionary in the file ``path``.

    Raises:
        SimulatorError: the file cannot be read.
    """
    data = zstandard.ZstdCompressionDict(dictionary(path))
    data.precompute_compress(level=_LEVEL)
    return zstandard.ZstdCompressor(level=_LEVEL, dict_data=data)
