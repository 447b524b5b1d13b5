"""The checks after the kills can fail: each is shown what it is there to find."""

import pytest

from consensus.messages import VoteType, vote_message
from ledger.canonical import encode
from node.signer import Place, SignedKind
from tests.crash.history import Said, Stored, check_stored, records
from tests.crash.steps import STEPS
from tests.crash.traps import Trap

NETWORK = b"n" * 32
PLACE = Place(7, 1, SignedKind.PREVOTE)


def signed(block_id, validator=0):
    """The record of a signature, as a node writes it, for one place."""
    message = vote_message(NETWORK, VoteType.PREVOTE, 7, 1, block_id)
    return validator, encode((PLACE.height, PLACE.round, int(PLACE.kind), message))


def said(*signatures):
    found = Said(NETWORK)
    for validator, content in signatures:
        found.read(validator, len(content).to_bytes(4) + b"S" + content)
    return found


def test_two_messages_of_one_key_for_one_place_are_found():
    contradicting = said(signed(b"a" * 32), signed(None))
    assert contradicting.contradictions() == [(0, PLACE)]
    with pytest.raises(AssertionError):
        contradicting.check()


def test_the_same_message_again_and_another_keys_are_no_contradiction():
    said(signed(b"a" * 32), signed(b"a" * 32), signed(None, validator=1)).check()


def test_a_message_that_no_guard_has_seen_is_found():
    heard = said(signed(None))
    heard.add(0, Place(8, 0, SignedKind.PREVOTE), b"never signed")
    with pytest.raises(AssertionError):
        heard.check()


@pytest.mark.parametrize(
    ("entries", "acknowledged"),
    [((b"a", b"b"), (b"c",)), ((b"a", b"a"), ()), ((b"a", b"b", b"a"), (b"b",))],
    ids=["lost", "twice", "twice, not acknowledged"],
)
def test_a_lost_or_doubled_entry_is_found(entries, acknowledged):
    with pytest.raises(AssertionError):
        check_stored([Stored((b"block",), entries, b"root")], acknowledged)


def test_two_chains_are_found():
    ours, theirs = Stored((b"x",), (), b"root"), Stored((b"y",), (), b"root")
    with pytest.raises(AssertionError):
        check_stored([ours, theirs], ())


def test_a_record_that_was_cut_short_by_a_kill_is_none():
    whole = (3).to_bytes(4) + b"Sabc"
    for cut in range(len(whole)):
        assert records(whole + whole[:cut]) == [(b"S", b"abc")]


def test_every_step_has_a_name_of_its_own_and_a_trap_counts_to_its_point(tmp_path):
    assert len({step.name for step in STEPS}) == len(STEPS)
    trap = Trap(tmp_path, "wal.sync", 3)
    assert [trap.is_due(name) for name in ("wal.sync", "guard.sync", "wal.sync", "wal.sync")] == [
        False,
        False,
        False,
        True,
    ]
