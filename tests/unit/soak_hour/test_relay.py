"""The soak's relay knows where a server's frames end, whatever their length."""

from __future__ import annotations

import pytest
from websockets.frames import Frame, Opcode

from tests.fault.soak_hour.relay import text_frame, whole_frames

SIZES = (0, 1, 125, 126, 65_535)


@pytest.mark.parametrize("size", [*SIZES, 65_536])
def test_frames_end_where_the_library_ends_them(size: int) -> None:
    first, second = (Frame(Opcode.TEXT, b"x" * size).serialize(mask=False) for _ in range(2))
    assert whole_frames(first + second) == len(first + second)
    for cut in (1, len(second) - 1):
        assert whole_frames(first + second[:cut]) == len(first)


@pytest.mark.parametrize("size", SIZES)
def test_rubbish_is_a_frame_as_the_library_makes_it(size: int) -> None:
    assert text_frame(b"x" * size) == Frame(Opcode.TEXT, b"x" * size).serialize(mask=False)
