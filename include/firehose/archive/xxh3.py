"""XXH3 (64 bits) of what is longer than 240 bytes: the checksum of a segment's metadata.

Lives here: the hash's long form, after its public specification. Must not: anything of segments.
"""

from __future__ import annotations

import struct
from typing import Final

_MASK: Final = (1 << 64) - 1
_P32_1, _P32_2, _P32_3 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
_P64_1, _P64_2, _P64_3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
_P64_4, _P64_5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
_AVALANCHE: Final = 0x165667919E3779F9
_SECRET: Final = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
    "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)
_STRIPE: Final = 64
_STRIPES: Final = 16  # of a block, each with the secret 8 bytes further on
_BLOCK: Final = _STRIPE * _STRIPES
SHORTEST: Final = 241


def digest(data: bytes) -> int:
    """The hash of ``data``, which must have at least ``SHORTEST`` bytes: shorter input is hashed otherwise."""
    if len(data) < SHORTEST:
        raise ValueError(f"{len(data)} bytes; the long form of XXH3 begins at {SHORTEST}")
    acc = [_P32_3, _P64_1, _P64_2, _P64_3, _P64_4, _P32_2, _P64_5, _P32_1]
    blocks, rest = divmod(len(data) - 1, _BLOCK)
    for block in range(blocks):
        _accumulate_all(acc, data, block * _BLOCK, _STRIPES)
        _scramble(acc)
    _accumulate_all(acc, data, blocks * _BLOCK, rest // _STRIPE)
    _accumulate(acc, data, len(data) - _STRIPE, _word_at(121))
    return _merged(acc, len(data))


def _word_at(offset: int) -> tuple[int, ...]:
    return struct.unpack_from("<8Q", _SECRET, offset)


_KEYS: Final = tuple(_word_at(8 * stripe) for stripe in range(_STRIPES))


def _accumulate_all(acc: list[int], data: bytes, offset: int, stripes: int) -> None:
    for stripe in range(stripes):
        _accumulate(acc, data, offset + stripe * _STRIPE, _KEYS[stripe])


def _accumulate(acc: list[int], data: bytes, offset: int, key: tuple[int, ...]) -> None:
    for lane, value in enumerate(struct.unpack_from("<8Q", data, offset)):
        mixed = value ^ key[lane]
        acc[lane ^ 1] = acc[lane ^ 1] + value & _MASK
        acc[lane] = acc[lane] + (mixed & 0xFFFFFFFF) * (mixed >> 32) & _MASK


def _scramble(acc: list[int]) -> None:
    for lane, key in enumerate(_word_at(128)):
        acc[lane] = (acc[lane] ^ acc[lane] >> 47 ^ key) * _P32_1 & _MASK


def _merged(acc: list[int], length: int) -> int:
    key = _word_at(11)
    total = length * _P64_1
    for lane in range(0, 8, 2):
        product = (acc[lane] ^ key[lane]) * (acc[lane + 1] ^ key[lane + 1])
        total += (product & _MASK) ^ (product >> 64)
    total &= _MASK
    total = (total ^ total >> 37) * _AVALANCHE & _MASK
    return total ^ total >> 32
