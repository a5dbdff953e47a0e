"""Undoes Jetstream's compression: each binary message is one zstd frame made with a dictionary.

Lives here: reading the dictionary file and bounded decompression. Must not: sockets, queues.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import zstandard

from ingester.settings import SettingsError

_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_CHUNK: Final = 1 << 17


class TooLarge(ValueError):
    """A message grows beyond the limit when decompressed."""


#: What a decompressor raises for a message that it cannot read.
UNREADABLE: Final = (TooLarge, zstandard.ZstdError)


def decompressor(file: str, max_bytes: int) -> Callable[[bytes], bytes]:
    """A function that decompresses one message to at most ``max_bytes``, and leaves plain JSON as it is.

    It raises the errors in ``UNREADABLE`` for what is no frame of this dictionary, or too large.

    Raises:
        SettingsError: ``file`` cannot be read or is no dictionary.
    """
    try:
        dictionary = zstandard.ZstdCompressionDict(
            Path(file).expanduser().read_bytes(), dict_type=zstandard.DICT_TYPE_FULLDICT
        )
        context = zstandard.ZstdDecompressor(dict_data=dictionary, max_window_size=1 << 27)
        context.decompress(zstandard.ZstdCompressor(dict_data=dictionary).compress(b"{}"))
    except (OSError, zstandard.ZstdError) as error:
        raise SettingsError(f"FIREHOSE_ZSTD_DICTIONARY: no zstd dictionary at {file} ({error})") from None

    def decompress(message: bytes) -> bytes:
        if not message.startswith(_MAGIC):
            return message
        size = zstandard.frame_content_size(message)
        if size > max_bytes:
            raise TooLarge(f"{size} bytes when decompressed, {max_bytes} are allowed")
        return context.decompress(message) if size >= 0 else _in_chunks(context, message, max_bytes)

    return decompress


def _in_chunks(context: zstandard.ZstdDecompressor, message: bytes, max_bytes: int) -> bytes:
    """For a frame that does not say its size: never more than a chunk beyond the limit is made."""
    parts, size = [], 0
    for part in context.read_to_iter(message, write_size=_CHUNK):
        parts.append(part)
        size += len(part)
        if size > max_bytes:
            raise TooLarge(f"over {max_bytes} bytes when decompressed")
    return b"".join(parts)
