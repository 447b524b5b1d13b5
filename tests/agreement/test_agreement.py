"""The second verifier and the ledger say the same of every document, good or damaged."""

from dataclasses import replace

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

import verifier
from cli.verdicts import Word, judge_certificate, judge_receipt
from keys.hashing import Digest
from keys.signing import Algorithm, SoftwareKey
from ledger import chain as ledger_chain
from ledger import merkle
from ledger.blocks import parse_block
from ledger.errors import InvalidDataError
from ledger.quorum import parse_quorum_certificate, print_quorum_certificate
from ledger.receipt_form import hide_parts
from ledger.receipts import build_receipt, print_receipt
from ledger.trust import CertifiedHeader, parse_trust
from registry.certificates import print_certificate
from registry.sealed import OpenedBody, OpenedField, show_openings
from tests.agreement.documents import (
    DAY_MS,
    NOW_MS,
    VALID_UNTIL_MS,
    anchored,
    bundles_of,
    certified_entry,
    damaged,
    exchanged,
    genesis_bundle,
    high_s,
    only_objects,
    p256_network,
    reencoded,
    sealed_entry,
    small_world,
)
from tests.networks import ChainBuilder, seed, small_entry, small_network

RECEIPTS = (
    "whole",
    "partly hidden",
    "all hidden",
    "alone in its block",
    "of the new set",
    "anchored",
)


@pytest.fixture(scope="module")
def world():
    return small_world()


@pytest.fixture(scope="module")
def bundles(world):
    return bundles_of(world)


def ask_both(raw, pair, now_ms=NOW_MS):
    """Return the word about a receipt; the two must agree on it and on the first failed check."""
    ours = judge_receipt(raw, pair[0], now_ms)
    theirs = verifier.examine_receipt(raw, pair[1], now_ms)
    first = next((name for name, failure in ours.checks if failure), None)
    second = next((check.name for check in theirs.checks if check.failure), None)
    assert (ours.word.value, first) == (theirs.word.value, second)
    return ours.word


@pytest.mark.parametrize("name", RECEIPTS)
def test_a_good_receipt_is_genuine_to_both(world, bundles, name):
    bundle = "young" if name != "anchored" else "old"
    assert ask_both(world.raw(name), bundles[bundle]) is Word.GENUINE


@pytest.mark.parametrize("name", RECEIPTS)
@pytest.mark.parametrize("bundle", ["old", "young", "genesis", "other network"])
def test_both_ask_the_bundle_what_it_knows(world, bundles, name, bundle):
    word = ask_both(world.raw(name), bundles[bundle])
    if bundle == "other network":
        assert word is Word.CANNOT_CHECK
    if bundle == "old" and name != "anchored":
        assert word is Word.CANNOT_CHECK  # Over 180 days before the newest header.
    if bundle == "genesis" and name in {"of the new set", "anchored"}:
        assert word is Word.CANNOT_CHECK


def test_both_believe_nothing_after_the_end_of_the_bundle(world, bundles):
    raw = world.raw("whole")
    assert ask_both(raw, bundles["young"], VALID_UNTIL_MS) is Word.GENUINE
    assert ask_both(raw, bundles["young"], VALID_UNTIL_MS + 1) is Word.CANNOT_CHECK


@pytest.mark.parametrize("name", ["whole", "partly hidden", "anchored"])
def test_no_single_changed_value_leaves_a_receipt_genuine(world, bundles, name):
    pair = bundles["old" if name == "anchored" else "young"]
    words = {place: ask_both(raw, pair) for place, raw in damaged(world.raw(name))}
    assert len(words) > 200
    assert [place for place, word in words.items() if word is Word.GENUINE] == []
    assert {Word.FORGED, Word.UNREADABLE, Word.CANNOT_CHECK} <= set(words.values())


@pytest.mark.parametrize("first", RECEIPTS)
def test_parts_of_two_good_receipts_make_no_good_one(world, bundles, first):
    pair = bundles["old" if first == "anchored" else "young"]
    for second in RECEIPTS:
        for place, raw in exchanged(world.raw(first), world.raw(second)):
            word = ask_both(raw, pair)
            # Hiding parts, or taking an anchor where none is needed, is every holder's right.
            if place not in {"element 2", "element 10"}:
                assert word is not Word.GENUINE, (first, second, place)


@pytest.mark.parametrize("name", RECEIPTS)
def test_another_encoding_of_a_receipt_is_unreadable(world, bundles, name):
    for _, raw in reencoded(world.raw(name)):
        assert ask_both(raw, bundles["young"]) is Word.UNREADABLE


def test_the_other_form_of_an_ecdsa_signature_is_refused(world, bundles):
    receipt = world.receipts["whole"]
    other = high_s(receipt.certified.quorum_certificate)
    raw = print_receipt(replace(receipt, certified=CertifiedHeader(receipt.header, other)))
    judgement = judge_receipt(raw, bundles["young"][0], NOW_MS)
    assert ask_both(raw, bundles["young"]) is Word.FORGED
    assert judgement.exit_code == 11


def test_one_signature_too_few_is_refused(world, bundles):
    receipt = world.receipts["whole"]
    certificate = receipt.certified.quorum_certificate
    fewer = replace(certificate, signatures=certificate.signatures[:-1])
    raw = print_receipt(replace(receipt, certified=CertifiedHeader(receipt.header, fewer)))
    assert ask_both(raw, bundles["young"]) is Word.FORGED
    assert judge_receipt(raw, bundles["young"][0], NOW_MS).exit_code == 14


def test_an_anchor_of_another_height_is_refused(world, bundles):
    good, lower = world.receipts["anchored"], anchored(world.receipts["whole"], world.blocks, 5)
    assert good.anchor is not None
    assert lower.anchor is not None
    wrong = replace(good.anchor, path=lower.anchor.path)
    raw = print_receipt(replace(good, anchor=wrong))
    assert ask_both(raw, bundles["old"]) is Word.FORGED


@given(st.data())
def test_random_damage_is_judged_alike(world, bundles, data):
    """Invariant: no mutation is accepted by one and refused by the other, and none is accepted."""
    name = data.draw(st.sampled_from(RECEIPTS))
    raw = bytearray(world.raw(name))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        match data.draw(st.sampled_from(("set", "cut out", "insert", "copy"))):
            case "set":
                raw[at] = data.draw(st.integers(0, 255))
            case "cut out":
                del raw[at : at + data.draw(st.integers(1, 40))]
            case "insert":
                raw[at:at] = data.draw(st.binary(min_size=1, max_size=40))
            case _:
                end = at + data.draw(st.integers(1, 40))
                start = data.draw(st.integers(0, len(raw) - 1))
                raw[start : start + end - at] = raw[at:end]
        if not raw:
            break
    word = ask_both(bytes(raw), bundles["old" if name == "anchored" else "young"])
    assert word is not Word.GENUINE or bytes(raw) == world.raw(name)


@given(st.binary(max_size=300))
def test_random_bytes_are_unreadable_to_both(bundles, raw):
    assert ask_both(raw, bundles["young"]) is Word.UNREADABLE


@pytest.mark.parametrize("bundle", ["old", "young", "genesis"])
def test_both_read_the_same_in_a_trust_bundle(bundles, bundle):
    ours, theirs = bundles[bundle]
    assert theirs.network_id == ours.network_id
    for height in (1, 2, 3, 4, 100):
        assert theirs.set_at(height).digest == ours.validators_at(height).digest


def accepts(read, raw) -> bool:
    try:
        read(raw)
    except (InvalidDataError, verifier.RefusedError):
        return False
    return True


@pytest.mark.slow
def test_both_accept_and_refuse_the_same_damaged_trust_bundles(world):
    raw = world.young_trust.to_bytes()
    differ = [
        place
        for place, other in damaged(raw)
        if accepts(parse_trust, other) != accepts(verifier.read_trust, other)
    ]
    assert differ == []


def test_every_block_of_a_chain_is_good_to_both(world, bundles):
    parent, tip = None, ledger_chain.genesis_tip(world.network.genesis.charter)
    for block, certificate in world.blocks:
        raw, certificate_raw = block.raw, print_quorum_certificate(certificate)
        verdict = verifier.check_block(raw, certificate_raw, bundles["old"][1], parent)
        assert verdict.word is verifier.Word.GENUINE, verdict
        following = world.trust.validators_at(block.header.height + 1)
        checked = ledger_chain.advance(
            tip, parse_block(raw), parse_quorum_certificate(certificate_raw)
        )
        tip = checked.tip(following)
        parent = verifier.blocks.read_block(raw).header


def test_every_damaged_block_is_refused_by_both(world, bundles):
    (first, _), (block, certificate) = world.blocks[:2]
    tip = ledger_chain.genesis_tip(world.network.genesis.charter)
    tip = ledger_chain.advance(tip, first, world.blocks[0][1]).tip(tip.validators)
    parent = verifier.blocks.read_block(first.raw).header
    certificate_raw = print_quorum_certificate(certificate)
    following = world.trust.validators_at(3)

    def follow(raw: bytes) -> None:
        ledger_chain.advance(tip, parse_block(raw), certificate).tip(following)

    assert accepts(follow, block.raw)
    for place, raw in damaged(block.raw):
        verdict = verifier.check_block(raw, certificate_raw, bundles["old"][1], parent)
        assert verdict.word is not verifier.Word.GENUINE, place
        assert not accepts(follow, raw), place


def test_the_two_agree_on_a_network_whose_validators_sign_with_ed25519():
    network = small_network()
    chain = ChainBuilder(network)
    block, certificate = chain.next_block([small_entry(network.genesis.network_id, 1)])
    theirs = verifier.read_trust(genesis_bundle(network).to_bytes())
    raw = print_quorum_certificate(certificate)
    assert verifier.check_block(block.raw, raw, theirs).word is verifier.Word.GENUINE
    other = bytes(raw[:-1]) + bytes([raw[-1] ^ 1])
    assert verifier.check_block(block.raw, other, theirs).word is verifier.Word.FORGED


def test_a_key_that_the_second_verifier_has_no_code_for_cannot_be_checked():
    public = SoftwareKey.from_private_bytes(Algorithm.MLDSA65, seed("lattice")).public
    theirs = verifier.signatures.PublicKey(4, public.public)
    with pytest.raises(verifier.CannotCheckError):
        verifier.signatures.check_signature(theirs, b"", bytes(3_309), "x")


# --- certificates --------------------------------------------------------------------------------


FIELDS = tuple(
    OpenedField(path, seed("salt", path)[:16], value)
    for path, value in (("born_at", "Hà Nội"), ("name", "Nguyễn Văn Ân"), ("sex", "m"))
)


@pytest.fixture(scope="module")
def certificate_world():
    """A network with one entry whose record part seals three fields; its certificate and bundle."""
    return make_certificate(records=1)


def make_certificate(records: int):
    network = p256_network()
    opened = OpenedBody(fields=FIELDS, leaves=tuple(one.leaf for one in FIELDS))
    commitment = Digest(merkle.root([one.leaf for one in FIELDS]))
    chain = ChainBuilder(network)
    block, quorum_certificate = chain.next_block(
        [sealed_entry(network, commitment, records=records)]
    )
    outcomes = [one.to_bytes() for one in chain.outcomes[0]]
    receipt = build_receipt(block, outcomes, 0, quorum_certificate)
    openings = show_openings(opened, {"name", "sex"})
    trust = genesis_bundle(network)
    return print_certificate(receipt, openings), trust, verifier.read_trust(trust.to_bytes())


def ask_both_about_certificate(raw, trust, theirs, now_ms=NOW_MS):
    first = judge_certificate(raw, trust, now_ms)
    second = verifier.check_certificate(raw, theirs, now_ms)
    assert first.word.value == second.word.value
    assert dict(first.fields) == second.fields
    return first


def test_a_good_certificate_shows_its_fields_and_hides_the_others(certificate_world):
    judgement = ask_both_about_certificate(*certificate_world)
    assert judgement.word is Word.GENUINE
    assert judgement.fields == {"name": "Nguyễn Văn Ân", "sex": "m"}


def test_openings_of_a_receipt_with_two_sealed_records_belong_to_neither():
    assert ask_both_about_certificate(*make_certificate(records=2)).word is Word.FORGED


def test_no_changed_opening_leaves_a_certificate_genuine(certificate_world):
    raw, trust, theirs = certificate_world
    version, word, receipt, openings, intended = msgpack.unpackb(raw)
    words = set()
    for place, other in damaged(openings):
        changed = msgpack.packb([version, word, receipt, other, intended])
        judgement = ask_both_about_certificate(changed, trust, theirs)
        assert judgement.word is not Word.GENUINE, place
        words.add(judgement.word)
    assert words == {Word.FORGED, Word.UNREADABLE}


STATED = {"event_date": "2026-02-28", "registration_no": "1/2026"}
INTENDED = tuple(
    OpenedField(path, seed("salt", path)[:16], value)
    for path, value in (("purpose", "enrolment"), ("recipient", "Trường Tiểu học Tân Lập"))
)


def opened_body(fields):
    return OpenedBody(fields=fields, leaves=tuple(one.leaf for one in fields))


def make_certified(stated=(), shown_intended=None, show=None, **changes):
    """A certificate of a certify entry, as its holder shows it, with the bundle for both."""
    network = p256_network()
    changes.setdefault("commitment", merkle.root(opened_body(FIELDS).leaves))
    chain = ChainBuilder(network)
    entry = certified_entry(network, dict(stated), **changes)
    block, quorum_certificate = chain.next_block([entry])
    outcomes = [one.to_bytes() for one in chain.outcomes[0]]
    receipt = build_receipt(block, outcomes, 0, quorum_certificate)
    receipt = only_objects(receipt) if show is None else hide_parts(receipt, show)
    openings = show_openings(opened_body(FIELDS), {"name"})
    trust = genesis_bundle(network)
    raw = print_certificate(receipt, openings, shown_intended)
    return raw, trust, verifier.read_trust(trust.to_bytes())


def intended_root():
    return merkle.root(opened_body(INTENDED).leaves)


def test_a_certificate_shows_what_is_opened_stated_and_intended():
    openings = show_openings(opened_body(INTENDED), {"recipient"})
    judgement = ask_both_about_certificate(
        *make_certified(STATED, openings, intended=intended_root())
    )
    assert judgement.word is Word.GENUINE
    assert judgement.fields == {
        **STATED,
        "name": "Nguyễn Văn Ân",
        "intended.recipient": "Trường Tiểu học Tân Lập",
    }


def test_the_holder_may_leave_out_what_is_stated():
    judgement = ask_both_about_certificate(*make_certified(STATED, show={1, 2}))
    assert judgement.fields == {"event_date": "2026-02-28", "name": "Nguyễn Văn Ân"}
    nothing = ask_both_about_certificate(*make_certified(STATED, show={2, 3}))
    assert nothing.word is Word.FORGED, "what is stated counts beside its certificate only"


@pytest.mark.parametrize(
    "wrong",
    [
        {"stated": {"name": "another"}},
        {"shown_intended": show_openings(opened_body(INTENDED), {"recipient"})},
        {
            "shown_intended": show_openings(opened_body(INTENDED), {"recipient"}),
            "intended": seed("other"),
        },
        {"commitment": seed("other")},
        {"commitment": "no digest"},
    ],
)
def test_a_certificate_whose_fields_contradict_it_is_forged(wrong):
    assert ask_both_about_certificate(*make_certified(**wrong)).word is Word.FORGED


def test_no_changed_certificate_of_a_certify_entry_is_genuine():
    openings = show_openings(opened_body(INTENDED), {"recipient"})
    raw, trust, theirs = make_certified(STATED, openings, intended=intended_root())
    genuine = ask_both_about_certificate(raw, trust, theirs)
    still = set()
    for place, other in damaged(raw):
        judgement = ask_both_about_certificate(other, trust, theirs)
        if judgement.word is Word.GENUINE:
            still.add(place)
            assert judgement.fields.items() < genuine.fields.items(), place
    assert still == {"/4: nil"}, "leaving out recipient and purpose is the holder's right"


def test_an_old_receipt_stays_genuine_under_a_bundle_that_is_just_180_days_newer(world, bundles):
    newest = world.young_trust.newest.header.time_ms
    header = world.receipts["whole"].header
    assert newest - header.time_ms < 180 * DAY_MS
    assert ask_both(world.raw("whole"), bundles["young"]) is Word.GENUINE
