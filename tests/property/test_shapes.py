"""The DAG-CBOR of JSON and its shape: as another encoder makes it, and as SQL builds it out of the shape."""

from __future__ import annotations

import re
from typing import Any

import libipld
import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from firehose.records.cbor import NUMBER, TEXT, encoded_text, head
from firehose.records.cbor_json import BEFORE_LINK, shaped

VALUES = re.compile(r'"(?:[^"\\]|\\.)*":|("(?:[^"\\]|\\.)*"|-?[0-9]+|true|false|null|\[\]|\{\})')
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    ['"', "\\", '":', "x" * 300]
)
KEYS = TEXTS.filter(lambda key: key not in ("$link", "$bytes"))
PARTS = st.recursive(
    TEXTS | st.integers(0, 2**32 - 1) | st.booleans() | st.none(),
    lambda part: st.lists(part, max_size=4) | st.dictionaries(KEYS | st.just("$type"), part, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(PARTS)
def test_the_encoding_is_that_of_another_encoder_and_of_the_shape(value: Any) -> None:
    text = msgspec.json.encode(value).decode()
    found = shaped(text)
    assert found is not None
    assert found.cbor == libipld.encode_dag_cbor(value)
    assert by_shape(text, found.shape) == found.cbor


def by_shape(text: str, shape: str) -> bytes:
    """What SQL does."""
    values, pieces = [value for value in VALUES.findall(text) if value], shape.split(" ")
    assert len(values) == len(pieces)
    encoded = []
    for piece, value in zip(pieces, values, strict=True):
        after = b""
        if piece[2] == "s":
            after = encoded_text(msgspec.json.decode(value))
        elif piece[2] == "i":
            after = head(NUMBER, int(value))
        encoded.append((piece[:2], bytes.fromhex(piece[3:]) + after))
    return b"".join(part for _, part in sorted(encoded))


def test_what_is_not_described_has_no_shape() -> None:
    link = "bafkreieajxclqzwk2mczx7hxmoboqpuiveqlbm35gsda5xlaqfmlryu4ri"
    assert shaped(f'{{"$link":"{link}"}}') == ("00l" + BEFORE_LINK.hex(), libipld_link(link))
    for wrong in (link[:-1], link[:-1] + "j", link.upper(), "z" + link[1:], "", "b" + "a" * 58):
        assert shaped(msgspec.json.encode({"$link": wrong}).decode()) is None
    deep = "[" * 40 + "]" * 40
    for text in ("-1", "4294967296", "1.5", '{"$bytes":"AA"}', deep, msgspec.json.encode("x" * 65_536).decode()):
        assert shaped(text) is None
    assert head(TEXT, 65_536) == bytes.fromhex("7a00010000")


def libipld_link(link: str) -> bytes:
    return BEFORE_LINK + bytes(libipld.decode_multibase(link)[1])
