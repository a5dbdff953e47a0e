"""The compact protocol: what is decoded is encoded to the same bytes, and what is not Thrift's is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firehose.lake.thrift import Field, Items, Kind, Malformed, Struct, decode, encode

NUMBERS = st.integers(-(2**63), 2**63 - 1)
PLAIN = {
    Kind.BYTE: st.integers(0, 255),
    **dict.fromkeys((Kind.I16, Kind.I32, Kind.I64), NUMBERS),
    Kind.DOUBLE: st.binary(min_size=8, max_size=8),
    Kind.BINARY: st.binary(max_size=200),
}


def fields(children: st.SearchStrategy[Struct]) -> st.SearchStrategy[Struct]:
    plain = [st.tuples(st.just(kind), values) for kind, values in PLAIN.items()]
    flags = [st.just((kind, int(kind))) for kind in (Kind.TRUE, Kind.FALSE)]
    items = {**PLAIN, Kind.TRUE: st.sampled_from([1, 2]), Kind.STRUCT: children}
    lists = [
        st.tuples(
            st.sampled_from([Kind.LIST, Kind.SET]), st.builds(Items, st.just(kind), st.lists(of, max_size=20))
        )
        for kind, of in items.items()
    ]
    field = st.one_of(*plain, *flags, *lists, st.tuples(st.just(Kind.STRUCT), children))
    return st.dictionaries(st.integers(-5, 400), field.map(lambda of: Field(*of)), max_size=6)


STRUCTS = st.recursive(st.just(Struct()), fields, max_leaves=8)


@settings(max_examples=60)
@given(STRUCTS)
def test_every_field_comes_out_as_it_went_in(struct: Struct) -> None:
    assert decode(encode(struct)) == struct
    assert encode(decode(encode(struct))) == encode(struct)


@settings(max_examples=100)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_struct_or_malformed(data: bytes) -> None:
    try:
        struct = decode(data)
    except Malformed:
        return
    assert decode(encode(struct)) == struct


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "in the middle"),
        (b"\x00\x00", "1 bytes follow"),
        (b"\x18\x05abc\x00", "in the middle"),  # a string that is longer than what is left
        (b"\x19\xf5\xff\xff\xff\x0f\x00", "in the middle"),
        (b"\x1b\x00", "a map"),
        (b"\x1d\x00", "no type 13"),
        (b"\x16" + b"\xff" * 10 + b"\x00", "more than 64 bits"),
        (b"\x16\x02\x06\x02\x02\x00", "field 1 comes twice"),
        (b"\x1c" * 40 + b"\x00" * 41, "without end"),
        (b"\x19\x19" * 40, "without end"),
    ],
)
def test_what_is_not_thrifts_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        decode(data)
