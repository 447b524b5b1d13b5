"""Receipts: everything is bound to everything, and each mismatch has a code of its own."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.hashing import Digest
from ledger import merkle, receipts
from ledger.blocks import build_block
from ledger.canonical import decode, encode
from ledger.entries import Part
from ledger.errors import InvalidDataError, UntrustedError
from ledger.outcomes import Outcome, outcomes_root
from ledger.quorum import (
    ForeignSignerError,
    QuorumSignatureError,
    QuorumWeightError,
)
from ledger.receipts import (
    Anchor,
    build_receipt,
    check_receipt,
    examine_receipt,
    hide_parts,
    parse_receipt,
    print_receipt,
)
from ledger.trust import (
    OLD_HEADER_MS,
    CertifiedHeader,
    OldHeaderError,
    StaleTrustError,
    UnknownValidatorsError,
    WrongValidatorsError,
    make_trust,
    trust_genesis,
)
from ledger.validators import ValidatorSet
from tests.networks import GENESIS_MS, ChainBuilder, seed, small_entry, small_network

NETWORK = small_network()
OTHER_NETWORK = small_network(weights=(2, 1, 1, 1))
NETWORK_ID = NETWORK.genesis.network_id
NOW_MS = GENESIS_MS + 10_000
LATER_MS = GENESIS_MS + 2 * OLD_HEADER_MS


def made_receipts(network=NETWORK, named="", network_id=None):
    """Three blocks of three entries: `[height - 1][index]`, with the builder."""
    builder = ChainBuilder(network)
    made = []
    for height in range(1, 4):
        entries = [
            small_entry(network_id or network.genesis.network_id, (named, height, at))
            for at in range(3)
        ]
        block, certificate = builder.next_block(entries)
        outcomes = [outcome.to_bytes() for outcome in builder.outcomes[-1]]
        made.append([build_receipt(block, outcomes, at, certificate) for at in range(3)])
    return made, builder


RECEIPTS, BUILDER = made_receipts()
GOOD = RECEIPTS[1][1]
OTHER_CHAIN = made_receipts(named="other")[0][1][1]
TRUST = make_trust(NETWORK.genesis.charter, (), RECEIPTS[2][0].certified, LATER_MS)


def certified(receipt, **changes):
    """The receipt under a changed header that more than two thirds have signed."""
    header = replace(receipt.header, **changes)
    certificate = NETWORK.quorum_certificate(header.digest, header.height)
    return replace(receipt, certified=CertifiedHeader(header, certificate))


def with_certificate(receipt, **changes):
    changed = replace(receipt.certified.quorum_certificate, **changes)
    return replace(receipt, certified=CertifiedHeader(receipt.header, changed))


def with_part(receipt, at, part):
    return replace(receipt, shown=(*receipt.shown[:at], part, *receipt.shown[at + 1 :]))


def alone_in_block(entry):
    """The receipt of an entry that is alone in its block, whatever it says."""
    outcome = Outcome(entry_digest=entry.entry_digest)
    header = replace(GOOD.header, outcomes_root=outcomes_root([outcome]))
    block = build_block(header, [entry], ())
    certificate = NETWORK.quorum_certificate(block.header.digest, block.header.height)
    return build_receipt(block, [outcome.to_bytes()], 0, certificate)


def reordered(order):
    """A receipt whose parts stand in another order, and whose outcome is of that."""
    shown = tuple(GOOD.shown[at] for at in order)
    digest = replace(GOOD, shown=shown).entry_digest
    return replace(GOOD, shown=shown, outcome=replace(GOOD.outcome, entry_digest=digest))


SIGNATURES = GOOD.certified.quorum_certificate.signatures
FORGED = {
    "another network": (
        replace(GOOD, certified=made_receipts(OTHER_NETWORK)[0][1][1].certified),
        "network",
        receipts.WrongNetworkError,
    ),
    "an entry of another network": (
        alone_in_block(small_entry(OTHER_NETWORK.genesis.network_id, "x")),
        "network",
        receipts.WrongNetworkError,
    ),
    "a record where the head stands": (reordered((1, 0, 2)), "entry", receipts.WrongPartError),
    "a context in the middle": (reordered((0, 2, 1)), "entry", receipts.WrongPartError),
    "the outcome of another entry": (
        replace(GOOD, outcome=RECEIPTS[1][0].outcome, outcome_path=RECEIPTS[1][0].outcome_path),
        "entry",
        receipts.WrongEntryError,
    ),
    "a part of another entry": (
        with_part(GOOD, 1, RECEIPTS[1][0].shown[1]),
        "entry",
        receipts.WrongEntryError,
    ),
    "another blind": (
        with_part(GOOD, 1, Part(bytes(16), GOOD.shown[1].raw)),
        "entry",
        receipts.WrongEntryError,
    ),
    "another hidden part": (
        with_part(GOOD, 1, Digest(seed("hidden"))),
        "entry",
        receipts.WrongEntryError,
    ),
    "an index behind the end": (replace(GOOD, index=3), "inclusion", receipts.WrongIndexError),
    "another index": (replace(GOOD, index=0), "inclusion", receipts.NotIncludedError),
    "other signatures": (
        replace(GOOD, signatures_digest=Digest(seed("signatures"))),
        "inclusion",
        receipts.NotIncludedError,
    ),
    "the path of another entry": (
        replace(GOOD, entry_path=RECEIPTS[1][0].entry_path),
        "inclusion",
        receipts.NotIncludedError,
    ),
    "a path that is too short": (
        replace(GOOD, entry_path=GOOD.entry_path[:-1]),
        "inclusion",
        receipts.NotIncludedError,
    ),
    "a path that is too long": (
        replace(GOOD, entry_path=(*GOOD.entry_path, Digest(seed("more")))),
        "inclusion",
        receipts.NotIncludedError,
    ),
    "the header of another block": (
        replace(GOOD, certified=RECEIPTS[0][0].certified),
        "inclusion",
        receipts.NotIncludedError,
    ),
    "another registration number": (
        replace(GOOD, outcome=replace(GOOD.outcome, registration_number="7/2026")),
        "outcome",
        receipts.WrongOutcomeError,
    ),
    "the outcome path of another entry": (
        replace(GOOD, outcome_path=RECEIPTS[1][0].outcome_path),
        "outcome",
        receipts.WrongOutcomeError,
    ),
    "a certificate of another height": (
        with_certificate(GOOD, height=3),
        "quorum",
        receipts.WrongHeightError,
    ),
    "a certificate of another header": (
        replace(
            GOOD,
            certified=CertifiedHeader(GOOD.header, OTHER_CHAIN.certified.quorum_certificate),
        ),
        "quorum",
        receipts.WrongHeaderError,
    ),
    "a header changed after it was signed": (
        replace(
            GOOD,
            certified=CertifiedHeader(
                replace(GOOD.header, time_ms=GOOD.header.time_ms + 1),
                GOOD.certified.quorum_certificate,
            ),
        ),
        "quorum",
        receipts.WrongHeaderError,
    ),
    "two signatures of four": (
        with_certificate(GOOD, signatures=SIGNATURES[:2]),
        "quorum",
        QuorumWeightError,
    ),
    "signatures of another round": (
        with_certificate(GOOD, round=1),
        "quorum",
        QuorumSignatureError,
    ),
    "a bad signature": (
        with_certificate(GOOD, signatures=(*SIGNATURES[:2], (2, bytes(64)))),
        "quorum",
        QuorumSignatureError,
    ),
    "a signer outside the set": (
        with_certificate(GOOD, signatures=(*SIGNATURES[:2], (4, SIGNATURES[2][1]))),
        "quorum",
        ForeignSignerError,
    ),
    "another set at a known height": (
        certified(GOOD, validators=Digest(seed("set"))),
        "quorum",
        WrongValidatorsError,
    ),
    "a newer set that the bundle does not know": (
        certified(RECEIPTS[2][0], height=9, validators=Digest(seed("set"))),
        "quorum",
        UnknownValidatorsError,
    ),
}  # fmt: skip


def test_every_good_receipt_passes_and_reads_back():
    for block in RECEIPTS:
        for receipt in block:
            assert parse_receipt(print_receipt(receipt)) == receipt
            checked = check_receipt(receipt, TRUST, NOW_MS)
            assert checked.entry_digest == receipt.entry_digest
            assert checked.signers == 3
            check_receipt(receipt, trust_genesis(NETWORK.genesis, LATER_MS), NOW_MS)


@pytest.mark.parametrize(("forged", "name", "refusal"), FORGED.values(), ids=FORGED)
def test_a_forged_receipt_is_refused_with(
    forged: receipts.Receipt, name: str, refusal: type[InvalidDataError]
) -> None:
    read = parse_receipt(print_receipt(forged))
    examination = examine_receipt(read, TRUST, NOW_MS)
    assert type(examination.error_of(name)) is refusal
    first = next(check for check in examination.checks if check.error is not None)
    assert first.name == name
    with pytest.raises(refusal):
        check_receipt(read, TRUST, NOW_MS)


def test_each_kind_of_mismatch_has_a_code_of_its_own():
    codes = {refusal.code for _forged, _name, refusal in FORGED.values()}
    refusals = {refusal for _forged, _name, refusal in FORGED.values()}
    assert len(codes) == len(refusals) == 13


@pytest.mark.parametrize("shown", [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
def test_any_choice_of_parts_can_be_shown(shown):
    """Invariant: what is shown does not change what is proved."""
    receipt = parse_receipt(print_receipt(hide_parts(GOOD, shown)))
    assert len(receipt.parts) == len(shown)
    assert check_receipt(receipt, TRUST, NOW_MS).entry_digest == GOOD.entry_digest


@given(st.data())
def test_a_changed_byte_is_refused(data):
    """Invariant: no byte of a receipt can change unnoticed."""
    raw = bytearray(print_receipt(GOOD))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(InvalidDataError):
        check_receipt(parse_receipt(bytes(raw)), TRUST, NOW_MS)


@given(st.binary(max_size=200))
def test_random_bytes_are_no_receipt(raw):
    with pytest.raises(InvalidDataError):
        parse_receipt(raw)


@pytest.mark.parametrize("at", range(11))
@pytest.mark.parametrize("wrong", [None, -1, b"", b"x" * 33, "text", (), ((),), ({},)])
def test_a_field_of_another_shape_is_refused(at, wrong):
    value = decode(print_receipt(GOOD), 100_000)
    assert isinstance(value, tuple)
    if at == 10 and wrong is None:
        return
    with pytest.raises(InvalidDataError):
        check_receipt(parse_receipt(encode((*value[:at], wrong, *value[at + 1 :]))), TRUST, NOW_MS)


# --- age, anchors, the end of the bundle's time ---


def old_chain():
    """A receipt of the first block under a bundle that has seen 180 days more."""
    _made, builder = made_receipts(named="old")
    builder.skip_ms = OLD_HEADER_MS
    block, certificate = builder.next_block()
    newest = CertifiedHeader(block.header, certificate)
    old = made_receipts(named="old")[0][0][0]
    headers = [merkle.leaf_hash(one.header.digest) for one in builder.blocks[:-1]]
    anchor = Anchor(path=merkle.inclusion_path(headers, 0), certified=newest)
    return old, anchor, make_trust(NETWORK.genesis.charter, (), newest, LATER_MS)


OLD, ANCHOR, NEW_TRUST = old_chain()


def test_an_old_header_needs_an_anchor():
    assert OLD.anchor is None
    check_receipt(OLD, TRUST, NOW_MS)
    with pytest.raises(OldHeaderError):
        check_receipt(OLD, NEW_TRUST, NOW_MS)
    anchored = replace(OLD, anchor=ANCHOR)
    check_receipt(parse_receipt(print_receipt(anchored)), NEW_TRUST, NOW_MS)


def test_a_header_of_exactly_180_days_is_young_enough():
    header = NEW_TRUST.newest.header
    edge = replace(header, time_ms=header.time_ms - OLD_HEADER_MS)
    NEW_TRUST.check_young(edge)
    with pytest.raises(OldHeaderError):
        NEW_TRUST.check_young(replace(edge, time_ms=edge.time_ms - 1))


def other_anchor_header(**changes):
    header = replace(ANCHOR.certified.header, **changes)
    certificate = NETWORK.quorum_certificate(header.digest, header.height)
    return replace(ANCHOR, certified=CertifiedHeader(header, certificate))


@pytest.mark.parametrize(
    ("anchor", "refusal"),
    [
        (replace(ANCHOR, path=ANCHOR.path[:-1]), receipts.WrongAnchorError),
        (replace(ANCHOR, path=(Digest(seed("x")), *ANCHOR.path[1:])), receipts.WrongAnchorError),
        (other_anchor_header(headers_root=Digest(seed("x"))), receipts.WrongAnchorError),
        (other_anchor_header(height=1), receipts.WrongAnchorError),
        (other_anchor_header(network_id=Digest(seed("x"))), receipts.WrongNetworkError),
        (other_anchor_header(time_ms=GENESIS_MS), OldHeaderError),
        (
            replace(ANCHOR, certified=CertifiedHeader(OLD.header, ANCHOR.certified[1])),
            receipts.WrongHeightError,
        ),
    ],
)
def test_a_wrong_anchor_is_refused(anchor, refusal):
    with pytest.raises(refusal):
        check_receipt(replace(OLD, anchor=anchor), NEW_TRUST, NOW_MS)


def test_nothing_is_believed_after_the_end_of_the_bundle():
    check_receipt(GOOD, TRUST, LATER_MS)
    with pytest.raises(StaleTrustError):
        check_receipt(GOOD, TRUST, LATER_MS + 1)


def test_a_receipt_beyond_the_newest_header_is_believed_while_the_set_is_the_same():
    genesis_only = trust_genesis(NETWORK.genesis, LATER_MS)
    check_receipt(GOOD, genesis_only, NOW_MS)
    smaller = ValidatorSet(NETWORK.genesis.validator_set.validators[1:])
    changed = certified(GOOD, validators=smaller.digest)
    with pytest.raises(UntrustedError):
        check_receipt(changed, genesis_only, NOW_MS)


def test_a_receipt_with_four_validators_is_small():
    assert len(print_receipt(hide_parts(GOOD, (1,)))) < 1_500
