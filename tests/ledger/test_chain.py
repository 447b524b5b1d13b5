"""The chain: each broken link has its own refusal, and a walk can stop and go on."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.hashing import Digest
from ledger.blocks import Block
from ledger.canonical import decode, encode
from ledger.chain import (
    BlockHeadersRootError,
    BlockHeightError,
    BlockLogError,
    BlockNetworkError,
    BlockParentError,
    BlockProposerError,
    BlockQuorumError,
    BlockTimeError,
    BlockValidatorsError,
    ChainTip,
    VerifiedBlock,
    advance,
    check_header,
    genesis_tip,
    log_after,
    sets_of_trust,
    walk,
)
from ledger.errors import InvalidDataError, InvalidQuorumError
from ledger.trust import CertifiedHeader, ValidatorChange, make_trust
from ledger.validators import ValidatorSet
from tests.networks import ChainBuilder, seed, small_entry, small_network

NETWORK = small_network()
CHARTER = NETWORK.genesis.charter
SMALLER = ValidatorSet(CHARTER.validators.validators[:3])


def made_chain(heights=6, changed_at=3):
    builder = ChainBuilder(NETWORK)
    chain = []
    for height in range(1, heights + 1):
        entries = [small_entry(CHARTER.network_id, (height, at)) for at in range(height % 3)]
        following = SMALLER if height == changed_at else None
        chain.append(builder.next_block(entries, next_validators=following))
    return chain


CHAIN = made_chain()


def next_set(verified):
    assert verified.header.height == 3
    return SMALLER


def test_a_walk_yields_every_block_and_takes_the_changed_set():
    walked = list(walk(CHAIN, genesis_tip(CHARTER), next_set))
    assert [verified.header.height for verified in walked] == [1, 2, 3, 4, 5, 6]
    assert [len(verified.before.validators) for verified in walked] == [4, 4, 4, 3, 3, 3]


def test_the_log_after_entries_is_that_of_appending_them_one_by_one():
    """A naive twin, over logs that differ and lists of entries that are equal."""
    entries = [entry for block, _certificate in CHAIN for entry in block.entries]
    tips = [verified.before for verified in walk(CHAIN, genesis_tip(CHARTER), next_set)]
    for tip in (*tips, *tips):
        log = tip.log
        for count, entry in enumerate(entries):
            assert log_after(tip, entries[:count]) == log
            log = log.append(entry.log_leaf_hash)


def test_the_next_set_is_asked_for_only_after_the_consumer_had_the_block():
    replayed: list[int] = []

    def asked(verified):
        assert replayed[-1] == verified.header.height
        return SMALLER

    for verified in walk(CHAIN, genesis_tip(CHARTER), asked):
        replayed += [verified.header.height]
    assert replayed == [1, 2, 3, 4, 5, 6]


def test_a_trust_bundle_knows_the_changed_sets_too():
    block, certificate = CHAIN[2]
    newest = CertifiedHeader(CHAIN[5][0].header, CHAIN[5][1])
    change = ValidatorChange(CertifiedHeader(block.header, certificate), SMALLER)
    trust = make_trust(CHARTER, [change], newest, 2**60)
    assert len(list(walk(CHAIN, genesis_tip(CHARTER), sets_of_trust(trust)))) == 6


def tip_at(height):
    tip = genesis_tip(CHARTER)
    for verified in walk(CHAIN[:height], tip, next_set):
        tip = verified.tip(SMALLER if verified.header.height >= 3 else CHARTER.validators)
    return tip


@pytest.mark.parametrize("height", range(7))
def test_a_walk_goes_on_from_a_saved_tip(height):
    saved = ChainTip.from_value(decode(encode(tip_at(height).to_value()), 1_000_000))
    assert saved == tip_at(height)
    rest = list(walk(CHAIN[height:], saved, next_set))
    assert [verified.header.height for verified in rest] == list(range(height + 1, 7))


@pytest.mark.parametrize(
    ("field", "value", "refusal"),
    [
        ("network_id", Digest(seed("other")), BlockNetworkError),
        ("height", 4, BlockHeightError),
        ("height", 6, BlockHeightError),
        ("parent", Digest(seed("other")), BlockParentError),
        ("time_ms", CHAIN[3][0].header.time_ms, BlockTimeError),
        ("time_ms", 0, BlockTimeError),
        ("headers_root", Digest(seed("other")), BlockHeadersRootError),
        ("validators", CHARTER.validators.digest, BlockValidatorsError),
        ("proposer", 1, BlockProposerError),
        ("round", 1, BlockProposerError),
        ("log_size", 99, BlockLogError),
        ("log_root", Digest(seed("other")), BlockLogError),
    ],
)
def test_a_block_with_one_wrong_link_has_its_own_refusal(field, value, refusal):
    """Even when more than two thirds have signed it."""
    block, certificate = CHAIN[4]
    assert advance(tip_at(4), block, certificate)
    header = replace(block.header, **{field: value})
    forged = Block(header, block.entries, block.evidence, b"")
    signed = NETWORK.quorum_certificate(header.digest, header.height, validators=SMALLER)
    with pytest.raises(refusal):
        advance(tip_at(4), forged, signed)


def test_a_later_round_has_another_proposer():
    header = replace(CHAIN[4][0].header, round=1, proposer=0)
    check_header(tip_at(4), header)
    check_header(tip_at(4), header, lambda _set, _height, _round: 0)
    with pytest.raises(BlockProposerError):
        check_header(tip_at(4), header, lambda _set, _height, _round: 1)


def test_a_certificate_of_another_block_or_set_is_refused():
    tip, block = tip_at(4), CHAIN[4][0]
    digest, height = block.header.digest, block.header.height
    with pytest.raises(BlockQuorumError):
        advance(tip, block, CHAIN[3][1])
    other = NETWORK.quorum_certificate(Digest(seed("other")), height, validators=SMALLER)
    with pytest.raises(BlockQuorumError):
        advance(tip, block, other)
    certificate = NETWORK.quorum_certificate(digest, height, validators=SMALLER)
    assert advance(tip, block, certificate)
    with pytest.raises(InvalidQuorumError):
        advance(tip, block, replace(certificate, signatures=certificate.signatures[:-1]))
    with pytest.raises(InvalidQuorumError):
        advance(tip, block, replace(certificate, round=1))


def test_another_next_set_than_the_header_names_is_refused():
    verified = advance(tip_at(2), *CHAIN[2])
    assert verified.tip(SMALLER).validators == SMALLER
    with pytest.raises(BlockValidatorsError):
        verified.tip(CHARTER.validators)
    with pytest.raises(BlockValidatorsError):
        list(walk(CHAIN, genesis_tip(CHARTER), lambda _verified: CHARTER.validators))


@given(st.permutations(range(6)))
def test_blocks_in_another_order_are_refused_at_the_first_that_does_not_follow(order):
    walked: list[VerifiedBlock] = []
    blocks = [CHAIN[at] for at in order]
    if list(order) == sorted(order):
        return
    with pytest.raises(InvalidDataError):
        walked.extend(walk(blocks, genesis_tip(CHARTER), next_set))
    for verified in walked:
        assert verified.block is CHAIN[verified.header.height - 1][0]


def test_a_saved_tip_whose_sizes_contradict_each_other_is_refused():
    wrong = replace(tip_at(4), height=3)
    with pytest.raises(BlockHeightError):
        ChainTip.from_value(decode(encode(wrong.to_value()), 1_000_000))
