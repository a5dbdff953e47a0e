"""Frames: what the websockets library itself writes and reads."""

from __future__ import annotations

from pathlib import Path

import pytest
import zstandard
from websockets.frames import BINARY, TEXT, Frame

from jetstream_simulator import frames
from jetstream_simulator.errors import SimulatorError


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536, 1_100_000])
def test_frames_are_what_websockets_writes(length: int) -> None:
    payload = b"x" * length
    assert frames.text_frame(payload) == Frame(TEXT, payload).serialize(mask=False)
    assert frames.binary_frame(payload) == Frame(BINARY, payload).serialize(mask=False)
    assert frames.payload(frames.text_frame(payload)) == payload


def test_messages_need_the_dictionary(tmp_path: Path) -> None:
    samples: list[bytes | bytearray | memoryview[int]] = [
        b'{"did":"did:plc:%d","kind":"commit"}' % i for i in range(2000)
    ]
    dictionary = zstandard.train_dictionary(4096, samples)
    path = tmp_path / "dictionary"
    path.write_bytes(dictionary.as_bytes())
    message = frames.compressor(path).compress(bytes(samples[0]))
    assert zstandard.ZstdDecompressor(dict_data=dictionary).decompress(message) == samples[0]
    with pytest.raises(zstandard.ZstdError):
        zstandard.ZstdDecompressor().decompress(message)


def test_a_missing_dictionary_is_named(tmp_path: Path) -> None:
    with pytest.raises(SimulatorError, match="nowhere"):
        frames.compressor(tmp_path / "nowhere")
