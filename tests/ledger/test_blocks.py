"""Blocks and outcomes: a block that parses agrees with itself."""

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.hashing import Digest
from ledger import merkle
from ledger.blocks import build_block, parse_block, parse_header
from ledger.canonical import decode, encode
from ledger.errors import InvalidBlockError, InvalidDataError, LimitExceededError
from ledger.limits import BLOCK_ENTRIES_MAX, BLOCK_EVIDENCE_MAX, MESSAGE_BYTES_MAX
from ledger.outcomes import Outcome, outcomes_root, parse_outcome
from tests.ledger.full_blocks import block_of
from tests.ledger.values import table_texts
from tests.networks import ChainBuilder, seed, small_entry, small_network

NETWORK = small_network()
ENTRIES = [small_entry(NETWORK.genesis.network_id, number) for number in range(5)]
BLOCK, _certificate = ChainBuilder(NETWORK).next_block(ENTRIES)
HEADER = BLOCK.header
HEADER_FIELDS = [one.name for one in fields(HEADER) if one.init]

digests = st.binary(min_size=32, max_size=32).map(Digest)
notes = st.lists(table_texts.filter(bool), max_size=3).map(tuple)
outcomes = st.builds(
    Outcome,
    entry_digest=digests,
    registration_number=st.none() | table_texts,
    changes=st.dictionaries(digests, st.none() | digests, max_size=4)
    .map(lambda changes: tuple(sorted(changes.items(), key=lambda change: change[0]))),
    flags=notes,
    warnings=notes,
)  # fmt: skip


@given(st.data())
def test_a_header_that_was_printed_reads_back(data):
    changed = {
        name: data.draw(digests if isinstance(getattr(HEADER, name), bytes) else st.integers(1, 60))
        for name in HEADER_FIELDS
    }
    header = replace(HEADER, **changed)
    assert parse_header(header.raw) == header
    assert parse_header(header.raw).raw == header.raw


@pytest.mark.parametrize("name", HEADER_FIELDS)
def test_every_field_of_a_header_is_in_its_digest(name):
    value = getattr(HEADER, name)
    changed: dict[str, Any] = {name: value + 1 if isinstance(value, int) else Digest(seed(name))}
    other = replace(HEADER, **changed)
    assert other.digest != HEADER.digest


@pytest.mark.parametrize("at", range(17))
@pytest.mark.parametrize("wrong", [None, -1, True, b"", b"x" * 31, "text", (), 2**63])
def test_a_header_with_a_field_of_another_shape_is_refused(at, wrong):
    decoded = decode(HEADER.raw, 1_024)
    assert isinstance(decoded, tuple)
    value = list(decoded)
    value[at] = wrong
    with pytest.raises(InvalidDataError):
        parse_header(encode(value))


def test_a_block_that_was_printed_reads_back():
    assert parse_block(BLOCK.raw) == BLOCK
    empty, _certificate = ChainBuilder(NETWORK).next_block()
    assert parse_block(empty.raw) == empty
    with_evidence = build_block(HEADER, ENTRIES[:1], [b"evidence"])
    assert parse_block(with_evidence.raw).evidence == (b"evidence",)


def rebuilt(header=HEADER.raw, entries=None, evidence=()):
    encoded = [entry.raw for entry in ENTRIES] if entries is None else entries
    return encode((header, encoded, evidence))


@pytest.mark.parametrize(
    "raw",
    [
        rebuilt(entries=[entry.raw for entry in ENTRIES[:-1]]),
        rebuilt(entries=[entry.raw for entry in reversed(ENTRIES)]),
        rebuilt(entries=[]),
        rebuilt(entries=[b"no entry"] * 5),
        rebuilt(evidence=[b"evidence"]),
        rebuilt(replace(HEADER, entries_count=4).raw),
        rebuilt(replace(HEADER, entries_root=merkle.EMPTY_ROOT).raw),
        rebuilt(replace(HEADER, evidence_root=Digest(seed("other"))).raw),
    ],
)
def test_a_block_that_contradicts_itself_is_refused(raw):
    assert parse_block(rebuilt()) == BLOCK
    with pytest.raises(InvalidBlockError):
        parse_block(raw)


@given(st.data())
def test_a_changed_byte_of_a_block_is_refused(data):
    """Invariant: nothing of a block can change under an unchanged header digest."""
    raw = bytearray(BLOCK.raw)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        other = parse_block(bytes(raw))
    except InvalidDataError:
        return
    assert other.header.digest != HEADER.digest


@given(st.binary(max_size=200))
def test_random_bytes_are_no_block_header_or_outcome(raw):
    for parse in (parse_block, parse_header, parse_outcome):
        with pytest.raises(InvalidDataError):
            parse(raw)


def test_a_block_has_at_most_1024_entries_and_16_pieces_of_evidence():
    full = build_block(HEADER, ENTRIES[:1] * BLOCK_ENTRIES_MAX, [b"e"] * BLOCK_EVIDENCE_MAX)
    assert len(parse_block(full.raw).entries) == BLOCK_ENTRIES_MAX
    with pytest.raises(LimitExceededError):
        build_block(HEADER, ENTRIES[:1] * (BLOCK_ENTRIES_MAX + 1), [])
    with pytest.raises(LimitExceededError):
        build_block(HEADER, [], [b"e"] * (BLOCK_EVIDENCE_MAX + 1))
    with pytest.raises(LimitExceededError):
        parse_block(rebuilt(entries=[ENTRIES[0].raw] * (BLOCK_ENTRIES_MAX + 1)))
    with pytest.raises(LimitExceededError):
        parse_block(rebuilt(evidence=[b"e"] * (BLOCK_EVIDENCE_MAX + 1)))
    with pytest.raises(InvalidDataError):
        parse_block(rebuilt(evidence=[bytes(MESSAGE_BYTES_MAX + 1)]))


def test_a_block_has_at_most_5_mebibytes():
    most = 5 * 1024 * 1024
    full = parse_block(block_of(most))
    assert build_block(full.header, full.entries, full.evidence) == full
    one_more = (*full.evidence[:-1], full.evidence[-1] + b"\x00")
    told = {"limit": "block bytes", "value": most + 1, "maximum": most}
    for refused in (
        lambda: parse_block(block_of(most + 1)),
        lambda: build_block(full.header, full.entries, one_more),
    ):
        with pytest.raises(LimitExceededError) as caught:
            refused()
        assert caught.value.details == told


@given(outcomes)
def test_an_outcome_that_was_printed_reads_back(outcome):
    assert parse_outcome(outcome.to_bytes()) == outcome


@given(st.lists(outcomes, max_size=5), st.data())
def test_the_root_of_outcomes_depends_on_each_and_on_their_order(listed, data):
    root = outcomes_root(listed)
    assert root == merkle.root([merkle.leaf_hash(one.to_bytes()) for one in listed])
    if listed:
        at = data.draw(st.integers(0, len(listed) - 1))
        flags = (*listed[at].flags, "another")
        assert (
            outcomes_root([*listed[:at], replace(listed[at], flags=flags), *listed[at + 1 :]])
            != root
        )


def test_state_changes_out_of_order_or_twice_are_refused():
    low, high = Digest(bytes(32)), Digest(b"\xff" * 32)
    for changes in [((high, None), (low, None)), ((low, None), (low, low))]:
        outcome = Outcome(entry_digest=low, changes=changes)
        with pytest.raises(InvalidDataError):
            parse_outcome(outcome.to_bytes())
