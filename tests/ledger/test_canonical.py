"""Canonical MessagePack: one value, one encoding; everything else is refused."""

import enum
import random
import re
import tracemalloc
from typing import Any

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keys.errors import CivregError
from ledger.canonical import decode, decode_opaque, encode, encode_opaque, length_of
from ledger.errors import LimitExceededError, NotCanonicalError
from ledger.limits import NESTING_MAX
from tests.ledger.values import any_texts, integers, values

DEVIATIONS = {
    "floats": "the format has no floats; whole numbers are encoded as integers",
    "ext": "the format has no extension types",
    "timestamp": "the format has no timestamps, which are an extension type",
    "text": "the character is not in the table of ledger.text: only the opaque form takes it",
}


def same(left, right):
    """Equal, and of equal types all the way: True is not 1."""
    return type(left) is type(right) and repr(left) == repr(right)


def nested(depth, inner=0):
    for _ in range(depth):
        inner = (inner,)
    return inner


# --- published vectors ---


def unhex(text):
    return bytes.fromhex(text.replace("-", ""))


def suite_value(test):
    """The value of a published test, and which of the named deviations it is, if any."""
    kind = next(key for key in test if key != "msgpack")
    content = test[kind]
    if kind in {"ext", "timestamp"}:
        return None, kind
    if kind == "number" and isinstance(content, float) and content != int(content):
        return content, "floats"
    if kind == "number":
        return int(content), None
    if kind == "bignum":
        return int(content), None
    return (unhex(content) if kind == "binary" else content), None


def published_cases(vector_files):
    files = [content for _, content in vector_files("msgpack")]
    return [test for content in files for tests in content.values() for test in tests]


def test_each_published_value_of_our_data_model_has_one_of_its_listed_encodings(
    vector_files, usual_vectors
):
    """... and the strict decoder takes that one and refuses all the others."""
    tests = published_cases(vector_files)
    refused = 0
    for test in tests:
        value, deviation = suite_value(test)
        listed = [unhex(text) for text in test["msgpack"]]
        if deviation is not None:
            assert deviation in DEVIATIONS
            for raw in listed:
                with pytest.raises(NotCanonicalError):
                    decode_opaque(raw, 1000)
            continue
        one = encode_opaque(value)
        assert one in listed
        assert encode_opaque(decode_opaque(one, 1000)) == one
        for raw in listed:
            if raw != one:
                refused += 1
                with pytest.raises(NotCanonicalError):
                    decode_opaque(raw, 1000)
    if usual_vectors:
        assert len(tests) == 85
        assert sum(len(test["msgpack"]) for test in tests) == 233
        assert refused == 148 - sum(
            len(test["msgpack"]) - 1 for test in tests if suite_value(test)[1] is not None
        )


def test_published_texts_outside_the_table_are_the_named_deviation_of_the_strict_form(
    vector_files, usual_vectors
):
    outside = []
    for test in published_cases(vector_files):
        value, deviation = suite_value(test)
        if deviation is None:
            try:
                assert decode(encode(value), 1000) == decode_opaque(encode_opaque(value), 1000)
            except NotCanonicalError:
                outside.append(value)
    if usual_vectors:
        assert outside == ["Кириллица", "ひらがな", "한글", "汉字", "漢字", "❤", "🍺"]


def test_numbers_with_two_equally_short_forms_take_the_unsigned_one_and_no_float():
    for number in (256, 65_536, 2_147_483_647, 2_147_483_648, 2**63 - 1):
        assert encode(number)[0] in {0xCD, 0xCE, 0xCF}
    assert encode(-4_294_967_296)[0] == 0xD3


# --- round trips ---


@given(values())
def test_decoding_an_encoding_gives_the_value_and_encoding_it_again_the_same_bytes(value):
    raw = encode(value)
    decoded = decode(raw, len(raw))
    assert decoded == value
    assert encode(decoded) == raw
    assert length_of(value) == len(raw)


@given(values(any_texts))
def test_opaque_values_survive_with_any_text(value):
    raw = encode_opaque(value)
    decoded = decode_opaque(raw, len(raw))
    assert decoded == value
    assert encode_opaque(decoded) == raw


@given(st.dictionaries(any_texts, integers, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_a_map_does_not_matter_and_its_keys_ascend_as_utf8(items, dice):
    shuffled = list(items.items())
    dice.shuffle(shuffled)
    raw = encode_opaque({"outer": dict(shuffled), "a": [dict(shuffled)]})
    assert raw == encode_opaque({"a": [items], "outer": items})
    decoded: Any = decode_opaque(raw, len(raw))
    keys = [key.encode() for key in decoded["outer"]]
    assert keys == sorted(keys)


def test_truth_and_one_are_two_values():
    assert same(decode(encode((True, 1, False, 0)), 99), (True, 1, False, 0))


def test_lists_and_tuples_encode_alike():
    assert encode([1, ["a", (2,)]]) == encode((1, ("a", [2])))


def test_subclasses_of_scalars_encode_as_their_base():
    class Number(enum.IntEnum):
        ONE = 1

    class Word(enum.StrEnum):
        BIRTH = "birth"

    class Raw(bytes):
        __slots__ = ()

    assert encode([Number.ONE, Word.BIRTH, Raw(b"x")]) == encode([1, "birth", b"x"])
    with pytest.raises(NotCanonicalError):
        encode([type("Odd", (str,), {})("\u0301")])


# --- refusals of the encoder ---


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        [0, 1.5],
        float("nan"),
        2**64,
        -(2**63) - 1,
        bytearray(b"x"),
        {1, 2},
        object(),
        msgpack.ExtType(1, b""),
        msgpack.Timestamp(1),
        {1: 2},
        {b"a": 1},
        {"a": 1, 2: 1},
        {None: 1},
        "tab\t",
        "line\n",
        "e\u0301",
        "\u202e",
        "\u200b",
        "\u0661",
        {"\u0661": 1},
        ["\ud800"],
    ],
    ids=lambda value: re.sub(r"\W+", "_", repr(value))[:30],
)
def test_what_the_format_does_not_have_is_not_encoded(value):
    with pytest.raises(NotCanonicalError):
        encode(value)


def test_a_lone_surrogate_is_refused_in_opaque_text_too():
    with pytest.raises(NotCanonicalError):
        encode_opaque("\ud800")


def test_a_value_that_contains_itself_is_refused():
    value: list[Any] = []
    value.append(value)
    with pytest.raises(NotCanonicalError, match="nested"):
        encode(value)


@pytest.mark.parametrize("inner", [0, "text", (), {}])
def test_nesting_is_allowed_up_to_sixteen(inner):
    levels = NESTING_MAX - (1 if inner in ((), {}) else 0)
    raw = encode(nested(levels, inner))
    assert encode(decode(raw, 100)) == raw
    with pytest.raises(NotCanonicalError):
        encode(nested(levels + 1, inner))
    with pytest.raises(NotCanonicalError):
        decode(b"\x91" * (levels + 1) + encode(inner), 100)


# --- refusals of the decoder ---


def test_the_length_is_looked_at_first():
    raw = encode(b"x" * 100)
    assert decode(raw, len(raw)) == b"x" * 100
    for read in (decode, decode_opaque):
        with pytest.raises(LimitExceededError) as caught:
            read(raw, len(raw) - 1, limit="ENTRY_BYTES_MAX")
        assert caught.value.details == {
            "limit": "ENTRY_BYTES_MAX",
            "value": len(raw),
            "maximum": len(raw) - 1,
        }


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "c1",
        "0000",
        "9101 00",
        "d9 01 61",
        "da 0001 61",
        "dc 0001 00",
        "dd 00000001 00",
        "de 0001 a161 00",
        "82 a161 00 a161 00",
        "82 a162 00 a161 00",
        "81 00 00",
        "81 c4 0161 00",
        "81 c0 00",
        "81 9100 00",
        "cc 7f",
        "d0 01",
        "d1 ff80",
        "ca 00000000",
        "cb 3ff0000000000000",
        "d4 01 00",
        "d6 ff 00000000",
        "c7 00 05",
        "a1 ff",
        "a3 eda080",
        "a2 c080",
        "91",
        "c4 05 00",
        "dd ffffffff",
        "df ffffffff",
        "c6 ffffffff 00",
    ],
)
@pytest.mark.parametrize("padded", [False, True])
def test_other_bytes_are_refused(raw, padded):
    """Padded: beyond the size from which on the shape is measured first."""
    bad = bytes.fromhex(raw)
    if padded:
        bad = b"\x92" + encode(b"x" * 3_000) + bad
    with pytest.raises(NotCanonicalError):
        decode_opaque(bad, 10_000)


def test_canonical_bytes_with_text_outside_the_table_are_opaque_only():
    raw = encode_opaque("漢字")
    assert decode_opaque(raw, 99) == "漢字"
    with pytest.raises(NotCanonicalError, match=r"U\+6F22"):
        decode(raw, 99)


def long_values():
    """Beyond the size from which on the shape is measured first; every kind of head in them."""
    return (
        (b"x" * 3_000, "y" * 40, "z" * 300),
        {"a": b"x" * 300, "b": tuple(range(1_000)), "c": "y" * 70_000, "d": b"z" * 70_000},
        {f"{number:05}": number for number in range(70_000)},
        (None, True, False, -1, -33, -200, -40_000, -(2**40), 200, 40_000, 2**40) * 400,
        ((), {}, "", b"", *(nested(NESTING_MAX - 1) for _ in range(200))),
        tuple(b"x" for _ in range(70_000)),
    )


@pytest.mark.parametrize("index", range(len(long_values())))
def test_long_values_survive(index):
    value = long_values()[index]
    raw = encode(value)
    assert len(raw) > 2_048
    assert decode(raw, len(raw)) == value
    for end in (len(raw) - 1, len(raw) // 2, 2_500):
        with pytest.raises(NotCanonicalError):
            decode(raw[:end], len(raw))
    with pytest.raises(NotCanonicalError):
        decode(raw + b"\x00", len(raw) + 1)


def test_false_lengths_reserve_no_memory():
    """A thousand nested arrays that claim five million elements each would take 40 GB."""
    hostile = b"\xdd\x00\x4c\x4b\x40" * 1_000
    raw = hostile + bytes(5_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(NotCanonicalError):
            decode(raw, len(raw))
        with pytest.raises(NotCanonicalError):
            decode(hostile[:2_000], 2_000)
        assert tracemalloc.get_traced_memory()[1] < 32 * 1024 * 1024
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=60))
@example(b"\x81\xc4\x00\x00")
def test_of_random_bytes_only_canonical_ones_are_taken(raw):
    try:
        value = decode_opaque(raw, 100)
    except CivregError:
        return
    assert encode_opaque(value) == raw


def test_of_changed_bytes_only_canonical_ones_are_taken():
    dice = random.Random(7)
    bases = [
        encode((1, b"\x07" * 20, ("birth/register", {"a": 1, "b": (None, -5)}), 2**40, "Đặng")),
        encode((b"p" * 2_100, 1, ("a", {"k": -70_000}), tuple(range(60)), True)),
    ]
    taken = 0
    for _ in range(4_000):
        changed = bytearray(dice.choice(bases))
        for _ in range(dice.randrange(1, 4)):
            at = dice.randrange(max(0, len(changed) - 120), len(changed))
            changed[at] = dice.randrange(256)
        if dice.randrange(4) == 0:
            del changed[dice.randrange(len(changed)) :]
        raw = bytes(changed)
        try:
            value = decode(raw, 5_000)
        except CivregError:
            continue
        taken += 1
        assert encode(value) == raw
    assert taken > 10
