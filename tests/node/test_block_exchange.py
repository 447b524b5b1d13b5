"""Proposed blocks pushed in short form, put together from known entries, or pulled whole."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.hashing import Digest, sha256
from ledger.blocks import build_block
from ledger.canonical import encode
from ledger.errors import InvalidBlockError, InvalidDataError
from ledger.merkle import EMPTY_ROOT
from node.block_exchange import (
    BLOCK_PATH,
    HELD_MAX,
    PUSHED_MAX,
    WANTED_MAX,
    BlockExchange,
    parse_short,
    short_form,
)
from node.entry_cache import EntryCache
from registry.apply import VerifiedEntry
from tests.networks import ChainBuilder, small_entry, small_network, with_header
from tests.node.invented_ports import InventedNetwork, InventedTimers
from tests.node.invented_world import AGENCIES

NETWORK = small_network()
ENTRIES = [small_entry(NETWORK.genesis.network_id, number) for number in range(5)]
BLOCK, _CERTIFICATE = ChainBuilder(NETWORK).next_block(ENTRIES)
BLOCK_ID = BLOCK.header.digest
PROPOSER = AGENCIES[1]


def make(known=(), *, may_push=True):
    network, timers, cache = InventedNetwork(AGENCIES), InventedTimers(), EntryCache()
    for entry in known:
        cache.parse(entry.raw)
    exchange = BlockExchange(network, timers, cache, lambda _peer, _header: may_push)
    return exchange, network, timers


def test_a_push_reaches_who_has_the_entries_without_another_question():
    sender, sent, _timers = make()
    sender.push(BLOCK)
    ((path, raw),) = sent.bulk
    assert path == BLOCK_PATH
    receiver, network, _timers = make(known=ENTRIES)
    receiver.take_short(PROPOSER, raw)
    assert receiver.get(BLOCK_ID) == BLOCK
    assert network.asked == []


def test_who_lacks_an_entry_pulls_the_block_from_the_proposer():
    receiver, network, _timers = make(known=ENTRIES[1:])
    network.served[PROPOSER, f"/peer/v1/block-bytes/{BLOCK_ID.hex()}"] = BLOCK.raw
    came = []
    receiver.want(BLOCK_ID, PROPOSER, lambda: came.append(1))
    receiver.take_short(PROPOSER, short_form(BLOCK))
    network.answer_all()
    assert came == [1]
    assert receiver.get(BLOCK_ID) == BLOCK
    assert [peer for peer, _path in network.asked] == [PROPOSER]


def test_who_may_not_push_is_ignored():
    receiver, network, _timers = make(known=ENTRIES, may_push=False)
    receiver.take_short(PROPOSER, short_form(BLOCK))
    assert receiver.get(BLOCK_ID) is None
    assert network.asked == []


def test_bytes_that_are_not_the_block_are_blamed_on_who_gave_them():
    other = build_block(BLOCK.header, ENTRIES[:2], ())
    lies = [other.raw, with_header(BLOCK, time_ms=5).raw[:-1], b"", b"\x90"]
    receiver, network, _timers = make()
    path = f"/peer/v1/block-bytes/{BLOCK_ID.hex()}"
    mixed = encode((BLOCK.header.raw, tuple(entry.raw for entry in ENTRIES[:2]), ()))
    for peer, raw in zip(AGENCIES, [*lies[:2], mixed, BLOCK.raw], strict=True):
        network.served[peer, path] = raw
    receiver.want(BLOCK_ID, AGENCIES[0], lambda: None)
    network.answer_all()
    assert receiver.get(BLOCK_ID) == BLOCK
    assert AGENCIES[0] in {peer for peer, _reason in network.blamed}
    assert AGENCIES[3] not in {peer for peer, _reason in network.blamed}


def test_leaves_that_the_header_does_not_fix_are_refused():
    leaves = tuple(entry.log_leaf for entry in ENTRIES[:2])
    with pytest.raises(InvalidBlockError):
        parse_short(encode((BLOCK.header.raw, leaves, ())))


@given(st.data())
def test_any_changed_byte_of_a_short_form_is_refused_or_is_another_block(data):
    raw = short_form(BLOCK)
    at = data.draw(st.integers(0, len(raw) - 1))
    flip = data.draw(st.integers(1, 255))
    damaged = bytes([*raw[:at], raw[at] ^ flip, *raw[at + 1 :]])
    receiver, _network, _timers = make(known=ENTRIES)
    with contextlib.suppress(InvalidDataError):
        receiver.take_short(PROPOSER, damaged)
    assert receiver.get(BLOCK_ID) is None


def variants(count):
    return [with_header(BLOCK, time_ms=BLOCK.header.time_ms + number) for number in range(count)]


def test_of_what_a_proposer_pushed_only_the_newest_are_held_and_all_is_forgotten_by_height():
    exchange, _network, _timers = make()
    blocks = variants(9)
    for block in blocks:
        exchange.hold(block)
    held = [block for block in blocks if exchange.get(block.header.digest) is not None]
    assert held == blocks[-PUSHED_MAX:]
    exchange.forget_through(BLOCK.header.height)
    assert not any(exchange.get(block.header.digest) for block in blocks)


def test_a_flood_of_proposals_never_pushes_out_a_block_that_consensus_asked_for():
    """Without this a liar's pushes make a node decide a block that it no longer holds, and stop."""
    receiver, _network, _timers = make(known=ENTRIES)
    receiver.want(BLOCK_ID, PROPOSER, lambda: None)
    receiver.take_short(PROPOSER, short_form(BLOCK))
    for block in variants(HELD_MAX + 9)[1:]:
        receiver.take_short(PROPOSER, short_form(block))
    assert receiver.get(BLOCK_ID) == BLOCK
    assert len(receiver._held) == 1 + PUSHED_MAX


def test_even_what_consensus_asks_for_is_bounded():
    exchange, _network, _timers = make()
    blocks = variants(WANTED_MAX + 9)
    for block in blocks:
        exchange.want(block.header.digest, PROPOSER, lambda: None)
        exchange.hold(block)
    assert len(exchange._held) == WANTED_MAX
    assert exchange.get(blocks[-1].header.digest) is not None


def test_blocks_that_a_proposer_pushes_without_entries_are_pulled_two_at_a_time():
    receiver, network, _timers = make()
    for block in variants(50):
        receiver.take_short(PROPOSER, short_form(block))
    assert len(receiver._fetcher) == PUSHED_MAX
    assert {peer for peer, _path in network.asked} == {PROPOSER}


def test_the_cache_forgets_the_oldest_and_never_a_verification_without_its_entry():
    cache = EntryCache(entries_max=2)
    for entry in ENTRIES:
        assert cache.parse(entry.raw) == entry
    assert len(cache) == 2
    assert cache.by_leaf(ENTRIES[0].log_leaf) is None
    assert cache.by_leaf(ENTRIES[4].log_leaf) == ENTRIES[4]
    assert cache.parse(ENTRIES[4].raw) is cache.parse(ENTRIES[4].raw)


def test_the_cache_expects_so_many_verified_entries_and_forgets_them_with_their_block(monkeypatch):
    monkeypatch.setattr("node.entry_cache.AHEAD_MAX", 2)
    cache = EntryCache()
    for entry in ENTRIES[:3]:
        cache.expect(VerifiedEntry(entry, ()))
    assert cache.verified(ENTRIES[0]) is None
    assert cache.verified(ENTRIES[1]) == VerifiedEntry(ENTRIES[1], ())
    assert cache.verified(ENTRIES[3]) is None
    cache.forget(ENTRIES[1].log_leaf)
    assert cache.verified(ENTRIES[1]) is None
    assert cache.verified(ENTRIES[2]) is not None


def test_an_unknown_digest_is_nothing():
    exchange, _network, _timers = make()
    assert exchange.get(Digest(sha256(b"nothing"))) is None
    assert BLOCK.header.entries_root != EMPTY_ROOT
