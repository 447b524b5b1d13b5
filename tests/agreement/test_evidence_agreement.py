"""The second verifier and the ledger say the same of every file of evidence, good or damaged."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import verifier
from cli.evidence import judge_evidence
from cli.verdicts import Word
from consensus.accusations import Accusation, Equivocation, parse_accusation
from consensus.evidence import Evidence, evidence_of
from consensus.messages import VoteType
from consensus.wire import print_message
from keys.hashing import Digest
from ledger.blocks import build_block
from ledger.conflicts import ConflictKind, HeaderConflict, find_conflict
from ledger.errors import InvalidDataError
from ledger.quorum import print_quorum_certificate
from ledger.trust import make_trust
from tests.agreement.accusations import conflicts, equivocations, signed_header, votes
from tests.agreement.documents import (
    NOW_MS,
    VALID_UNTIL_MS,
    bundles_of,
    certified,
    damaged,
    exchanged,
    reencoded,
    small_world,
)
from tests.networks import seed

MESSAGES = ("prevotes", "precommits of the new set", "by the header before", "proposals")
HEADERS = ("equivocation", "amnesia", "made up")
BUNDLES = ("old", "young", "genesis", "other network")


@pytest.fixture(scope="module")
def world():
    return small_world()


@pytest.fixture(scope="module")
def files(world):
    made = {**equivocations(world), **conflicts(world)}
    assert set(made) == {*MESSAGES, "equivocation", "amnesia", "made up"}
    return made


@pytest.fixture(scope="module")
def bundles(world):
    return bundles_of(world)


def ask_both(raw, pair, now_ms=NOW_MS):
    """The word about a file; both must agree on it and on the first failed check."""
    _accusation, ours = judge_evidence(raw, pair[0], now_ms)
    theirs = verifier.examine_evidence(raw, pair[1], now_ms)
    first = next((name for name, failure in ours.checks if failure), None)
    second = next((check.name for check in theirs.checks if check.failure), None)
    assert (ours.word.value, first) == (theirs.word.value, second)
    return ours.word


@pytest.mark.parametrize("name", [*MESSAGES, *HEADERS])
def test_good_evidence_is_genuine_to_both_and_reads_back(files, bundles, name):
    raw = files[name].to_bytes()
    assert parse_accusation(raw) == files[name]
    assert ask_both(raw, bundles["young"]) is Word.GENUINE


@pytest.mark.parametrize("name", [*MESSAGES, *HEADERS])
@pytest.mark.parametrize("bundle", BUNDLES)
def test_both_ask_the_bundle_what_it_knows(files, bundles, name, bundle):
    word = ask_both(files[name].to_bytes(), bundles[bundle])
    if bundle in {"other network", "old"}:  # Over 180 days before the newest header.
        assert word is Word.CANNOT_CHECK
    if bundle == "genesis" and name in {"precommits of the new set", "made up"}:
        assert word is Word.CANNOT_CHECK
    if bundle == "genesis" and name == "by the header before":
        assert word is Word.GENUINE  # The header before is by a set that is known.


def test_both_believe_nothing_after_the_end_of_the_bundle(files, bundles):
    raw = files["prevotes"].to_bytes()
    assert ask_both(raw, bundles["young"], VALID_UNTIL_MS) is Word.GENUINE
    assert ask_both(raw, bundles["young"], VALID_UNTIL_MS + 1) is Word.CANNOT_CHECK


@pytest.mark.parametrize("name", [*MESSAGES, *HEADERS])
def test_no_single_changed_value_leaves_evidence_genuine(files, bundles, name):
    words = {
        place: ask_both(raw, bundles["young"]) for place, raw in damaged(files[name].to_bytes())
    }
    assert len(words) > 60
    genuine = [place for place, word in words.items() if word is Word.GENUINE]
    if name == "made up":  # Those who signed were validators at the heights beside, too.
        assert genuine == ["/6: one more", "/6: one less"]
    else:
        assert genuine == []
    assert {Word.FORGED, Word.UNREADABLE} <= set(words.values())


@pytest.mark.parametrize("name", [*MESSAGES, *HEADERS])
def test_another_encoding_of_good_evidence_is_unreadable_to_both(files, bundles, name):
    for what, raw in reencoded(files[name].to_bytes()):
        assert ask_both(raw, bundles["young"]) is Word.UNREADABLE, what


@given(st.data())
def test_both_say_the_same_of_damaged_bytes(files, bundles, data):
    raw = bytearray(files[data.draw(st.sampled_from(sorted(files)))].to_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    end = data.draw(st.integers(0, 2 * len(raw)))
    ask_both(bytes(raw[:end]), bundles["young"])


def test_parts_of_two_good_files_make_no_accusation_of_somebody_else(files, bundles):
    known = {contradiction(one) for one in files.values()}
    for first in files.values():
        for second in files.values():
            if type(first) is not type(second):
                continue
            for place, raw in exchanged(first.to_bytes(), second.to_bytes()):
                if ask_both(raw, bundles["young"]) is Word.GENUINE:
                    # Only the proof of the set may be another one that proves the same.
                    assert contradiction(parse_accusation(raw)) in known, place


def contradiction(accusation: Accusation):
    if isinstance(accusation, Equivocation):
        return accusation.evidence
    return accusation.known, accusation.other


def test_conflicts_say_what_they_prove_and_against_whom(files, world):
    guilt = {name: files[name].check(world.young_trust) for name in HEADERS}
    assert [guilt[name].kind for name in HEADERS] == [
        ConflictKind.EQUIVOCATION,
        ConflictKind.AMNESIA,
        ConflictKind.MADE_UP_SET,
    ]
    # The certificate of block 1 is by 0, 1 and 2; the others by those whom the file was made of.
    assert [guilt[name].accused for name in HEADERS] == [(1, 2), (0, 1), (0, 1)]
    assert [guilt[name].weight for name in HEADERS] == [2, 2, 2]


def test_headers_that_too_few_have_signed_twice_accuse_nobody(world, bundles):
    """Among honest nodes two quorums share more than a third; a made-up set may share less."""
    good = conflicts(world)["made up"]
    assert good.made_up is not None
    alone = type(good.made_up)((good.made_up[0], good.made_up[2]))
    header = replace(good.other.header, validators=alone.digest)
    lied = signed_header(world.network, header, alone, (0, 1))
    raw = replace(good, other=lied, made_up=alone).to_bytes()
    assert ask_both(raw, bundles["young"]) is Word.FORGED
    with pytest.raises(InvalidDataError) as refusal:
        replace(good, other=lied, made_up=alone).check(world.young_trust)
    assert refusal.value.code == "ledger.no_conflict"


def test_two_bundles_of_two_histories_make_evidence(world):
    charter = world.network.genesis.charter
    known = certified(world.blocks[0])
    other = conflicts(world)["equivocation"].other
    ours = make_trust(charter, [], known, VALID_UNTIL_MS)
    theirs = make_trust(charter, [], other, VALID_UNTIL_MS)
    found = find_conflict(ours, theirs)
    assert found == HeaderConflict(known, other, 1, None)
    assert find_conflict(theirs, ours) == HeaderConflict(other, known, 1, None)
    assert find_conflict(ours, ours) is None
    assert find_conflict(ours, world.young_trust) is None


# --- evidence in blocks --------------------------------------------------------------------------


def judged(world, trust, *pieces: bytes):
    """What the second verifier says of block 1 with these pieces, certified by all."""
    block = build_block(world.blocks[0][0].header, world.blocks[0][0].entries, pieces)
    first = world.network.genesis.validator_set
    proof = signed_header(world.network, block.header, first, (0, 1, 2)).quorum_certificate
    return verifier.check_block(block.raw, print_quorum_certificate(proof), trust[1])


def failures_of(verdict) -> list[str]:
    return [check.failure.reason for check in verdict.checks if check.failure is not None]


def test_the_second_verifier_checks_evidence_in_blocks(world, bundles):
    network, first = world.network, world.network.genesis.validator_set
    pieces = [evidence_of(*votes(network, first, index, 1, VoteType.PRECOMMIT)) for index in (1, 3)]
    good = [print_message(piece) for piece in pieces]
    young = bundles["young"]
    assert failures_of(judged(world, young, *good)) == []
    assert failures_of(judged(world, young, *reversed(good))) == ["evidence_order"]
    assert failures_of(judged(world, young, good[0], good[0])) == ["evidence_order"]
    assert failures_of(judged(world, young, b"rubbish")) == ["evidence_form"]
    late = print_message(evidence_of(*votes(network, first, 1, 2, VoteType.PRECOMMIT)))
    assert failures_of(judged(world, young, late)) == ["evidence_height"]
    unsigned = Evidence(replace(pieces[0].first, signature=bytes(64)), pieces[0].second)
    assert failures_of(judged(world, young, print_message(unsigned))) == ["evidence_signature"]
    vote = pieces[0].second
    other = replace(pieces[0].first, block_id=Digest(seed("two")))
    assert failures_of(judged(world, young, print_message(vote))) == ["evidence_form"]
    assert other.block_id != pieces[0].first.block_id
