"""The door for entries: what it lets in, what it answers, what it refuses and why."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keys.errors import CivregError
from keys.hashing import Digest
from ledger.canonical import encode
from ledger.limits import NOT_AFTER_AHEAD_MAX_MS, STAGED_SIGNER_BYTES_MAX
from ledger.vault import Vault
from node.errors import SignerLimitError
from node.mempool import PATIENCE_BLOCKS, Limits, Mempool
from node.submissions import Admitted, Submission, require_open
from node.waiting import Place
from registry.apply import VerifiedEntry
from registry.errors import (
    ExpiredError,
    NotAfterTooFarError,
    ReplayedError,
    StaleVersionError,
    WrongNetworkError,
)
from tests.node.public_town import open_door, town_at
from tests.registry.town import by, key, two_officers


@pytest.fixture
def vault(tmp_path):
    opened = Vault.open(tmp_path / "vault")
    yield opened
    opened.close()


@pytest.fixture
def door(tmp_path, vault):
    opened = open_door(tmp_path, vault)
    yield opened
    opened.application.close()


def given_of(door, entry, **changes):
    bodies = [
        door.town.bodies[record.seal.body_digest]
        for record in entry.records
        if record.seal is not None
    ]
    return replace(Submission(entry.raw, tuple(bodies)), **changes)


def admit(door, *entries):
    return door.admission.admit([given_of(door, entry) for entry in entries])


def person(door, **given):
    """An entry that creates an identity."""
    hands = two_officers()
    act = door.town.new_act()
    identity = door.town.created_id(hands, act)
    part = door.town.part("identity", identity, member={"birth_date": "1990-05-05"})
    return door.town.entry("identity/create", hands, [part], act=act, **given)


def code(result):
    assert isinstance(result, CivregError), result
    return result.code


def test_an_entry_comes_in_with_its_body_on_disk(door, vault):
    entry = person(door)
    (result,) = admit(door, entry)
    assert result == Admitted(entry.entry_digest, None, is_new=True)
    assert entry.entry_digest in door.pool
    digest = entry.records[0].seal.body_digest
    assert vault.body(digest) == door.town.bodies[digest]
    assert door.pool.get(entry.entry_digest).body_digests == (digest,)


def test_the_same_entry_again_gets_the_same_answer_while_it_waits(door):
    entry = person(door)
    first, second = admit(door, entry, entry)
    assert (first.is_new, second) == (True, Admitted(entry.entry_digest, None, is_new=False))
    assert admit(door, entry) == [second]
    assert len(door.pool) == 1


def test_after_the_commit_the_same_entry_is_a_replay_with_its_place(door):
    entry = person(door)
    admit(door, entry)
    door.commit()
    (result,) = admit(door, entry)
    assert result.place == Place(1, 0, None)
    with pytest.raises(ReplayedError) as refused:
        require_open(result)
    assert refused.value.details == {"height": 1, "index": 0}


def test_what_another_node_passes_on_late_is_known_without_a_look_into_its_block(door, monkeypatch):
    entry = person(door)
    admit(door, entry)
    passed_on = given_of(door, entry, trusted=True)
    waits = Admitted(entry.entry_digest, None, is_new=False)
    assert door.admission.admit([passed_on]) == [waits]
    door.commit()
    monkeypatch.setattr(type(door.application.store), "outcomes", _not_asked)
    assert door.admission.admit([passed_on]) == [waits]


def test_signatures_that_a_block_has_verified_meanwhile_are_not_verified_again(door, monkeypatch):
    (candidate,) = door.admission.prepare([given_of(door, person(door))])
    monkeypatch.setattr("node.admission.verify_entry", _not_asked)
    entries = door.application.entries
    entries.remember(VerifiedEntry(candidate.entry, ()))
    door.admission.verify([candidate])
    assert candidate.verified is entries.verified(candidate.entry)


def test_what_a_block_has_brought_between_the_steps_does_not_wait_again(door):
    entry = person(door)
    candidates = door.admission.prepare([given_of(door, entry)])
    door.admission.verify(candidates)
    admit(door, entry)
    door.commit()
    (result,) = door.admission.finish(candidates)
    assert result.place == Place(1, 0, None)
    assert len(door.pool) == 0


def _not_asked(*arguments):
    raise AssertionError(arguments)


def test_every_version_of_a_record_is_a_replay_for_ever_the_middle_ones_too(door):
    """The state knows the first and last entry of a record; the chain knows all of them."""
    town = door.town
    identity = town.adult("an")
    for _ in range(3):
        town.accept(town.contact(identity, by("subject", "an")))
    entries = [block[2][0] for block in town.blocks]
    for entry in entries:
        assert isinstance(admit(door, entry)[0], Admitted)
        door.commit()
    door.clock.now = max(one.head.not_after_ms for one in entries) + 1
    for height, entry in enumerate(entries, 1):
        with pytest.raises(ReplayedError) as refused:
            require_open(admit(door, entry)[0])
        assert refused.value.details["height"] == height


def test_entries_of_one_batch_may_build_on_one_another(door):
    """The second is signed with keys that the first brings; the rules see the first's effects."""
    town = door.town
    town.adult("an")
    create, enrol = [block[2][0] for block in town.blocks]
    results = admit(door, create, enrol)
    assert [result.is_new for result in results] == [True, True]
    door.commit()
    assert [door.application.store.locate(one.entry_digest) for one in (create, enrol)] == [
        (1, 0),
        (1, 1),
    ]


def test_what_builds_on_a_waiting_entry_is_admitted_in_a_later_batch(door):
    town = door.town
    identity = town.adult("an")
    for block in town.blocks:
        assert isinstance(admit(door, block[2][0])[0], Admitted)
    contact = town.contact(identity, by("subject", "an"))
    assert isinstance(admit(door, contact)[0], Admitted)
    door.commit()
    assert len(door.pool) == 0


def test_a_stale_version_is_refused_with_its_code_and_not_for_ever(door):
    town = door.town
    identity = town.adult("an")
    admit(door, *[block[2][0] for block in town.blocks])
    first = town.contact(identity, by("subject", "an"))
    town.accept(first)
    second = town.contact(identity, by("subject", "an"))
    assert code(admit(door, second)[0]) == StaleVersionError.code
    admit(door, first)
    assert isinstance(admit(door, second)[0], Admitted)


def test_a_dropped_entry_takes_its_effects_with_it(door):
    town = door.town
    identity = town.adult("an")
    entries = [block[2][0] for block in town.blocks]
    admit(door, *entries)
    door.admission.drop_expired(max(one.head.not_after_ms for one in entries))
    assert len(door.pool) == 0
    contact = town.contact(identity, by("subject", "an"))
    assert code(admit(door, contact)[0]) == "registry.key_unknown"


def test_an_act_without_an_end_in_sight_is_refused_before_its_bodies_are_kept(door, vault):
    now_ms = max(door.clock.now, door.application.tip_time_ms)
    for ahead_ms, is_kept in ((NOT_AFTER_AHEAD_MAX_MS, True), (NOT_AFTER_AHEAD_MAX_MS + 1, False)):
        entry = person(door, not_after_ms=now_ms + ahead_ms)
        assert code(admit(door, entry)[0]) == NotAfterTooFarError.code, "of the rules, or before"
        assert (vault.body_size(entry.records[0].seal.body_digest) is not None) is is_kept


def test_another_network_and_a_time_that_is_over_are_refused_and_remembered(door):
    foreign = person(door, network_id=Digest(bytes(32)))
    late = person(door, not_after_ms=door.clock.now - 1)
    for entry, error in ((foreign, WrongNetworkError), (late, ExpiredError)):
        assert code(admit(door, entry)[0]) == error.code
        (again,) = admit(door, entry)
        assert code(again) == error.code
    assert len(door.admission._refusals) == 2


def test_a_wrong_signature_is_refused_without_touching_the_disk(door, vault):
    entry = person(door)
    slots = [bytes([one[0] ^ 1]) + one[1:] for one in entry.slots]
    forged = replace(entry, slots=tuple(slots))
    raw = encode((tuple(tuple(part) for part in forged.parts), forged.slots))
    bodies = given_of(door, entry).bodies
    assert code(door.admission.admit([Submission(raw, bodies)])[0]) == "registry.bad_signature"
    assert vault.staged_bytes(entry.head.first_key_id) == 0
    assert isinstance(admit(door, entry)[0], Admitted)


def test_bodies_that_the_entry_does_not_name_or_that_are_missing_are_refused(door):
    entry = person(door)
    strange = given_of(door, entry, bodies=(b"another body",))
    assert code(door.admission.admit([strange])[0]) == "node.body_mismatch"
    missing = given_of(door, entry, bodies=())
    assert code(door.admission.admit([missing])[0]) == "node.not_found"
    assert isinstance(admit(door, entry)[0], Admitted)


def test_a_body_that_the_vault_has_need_not_come_again(door, vault):
    entry = person(door)
    for digest, body in door.town.bodies.items():
        vault.put_bodies({digest: body})
    (result,) = door.admission.admit([given_of(door, entry, bodies=())])
    assert result.is_new
    assert door.pool.get(entry.entry_digest).bodies_bytes > 0


def test_a_body_over_its_limit_is_refused_and_the_entry_is_not_to_blame(door):
    entry = person(door)
    large = given_of(door, entry, bodies=(bytes(256 * 1024 + 1),))
    assert code(door.admission.admit([large])[0]) == "ledger.limit_exceeded"
    assert isinstance(admit(door, entry)[0], Admitted)


def test_bodies_count_against_the_first_signer(door, vault):
    entry = person(door)
    signer = entry.head.first_key_id
    admit(door, entry)
    staged = vault.staged_bytes(signer)
    assert 0 < staged < STAGED_SIGNER_BYTES_MAX


def test_a_full_pool_refuses_before_anybody_works(tmp_path, vault):
    door = open_door(tmp_path / "small", vault)
    door.admission._pool = Mempool(Limits(signer_entries_max=1))
    try:
        results = admit(door, person(door), person(door))
        assert results[0].is_new
        assert code(results[1]) == SignerLimitError.code
    finally:
        door.application.close()


def test_who_waits_is_told_of_commit_drop_and_expiry(door):
    entry, late = person(door), person(door, not_after_ms=door.clock.now + 500)
    admit(door, entry, late)
    answers = {}
    for one in (entry, late):
        digest = one.entry_digest
        door.admission.waiting.add(digest, lambda answer, at=digest: answers.update({at: answer}))
    door.clock.now += 1_000
    door.commit()
    assert answers[entry.entry_digest] == Place(1, 0, None)
    assert code(answers[late.entry_digest]) == ExpiredError.code
    assert len(door.admission.waiting) == 0


def test_an_entry_that_no_longer_applies_is_given_up_and_its_waiters_are_told(door):
    town = door.town
    identity = town.adult("an")
    admit(door, *[block[2][0] for block in town.blocks])
    door.commit()
    town.accept(town.contact(identity, by("subject", "an")))  # and is never submitted
    other = town.contact(identity, by("subject", "an"))
    door.admission.admit([given_of(door, other, trusted=True)])
    told: list[object] = []
    door.admission.waiting.add(other.entry_digest, told.append)
    for _ in range(PATIENCE_BLOCKS):
        door.commit()
    assert [code(answer) for answer in told] == ["registry.refused"]
    assert other.entry_digest not in door.pool


def test_a_signer_without_a_key_in_the_state_stages_nothing(door, vault):
    stranger = key("stranger").public.key_id
    identity = door.town.create_identity()
    part = door.town.part("identity", identity)
    entry = door.town.entry(
        "identity/create",
        [by("officer(register)", "stranger"), by("second_officer(approve)", "stranger", "two")],
        [part],
    )
    assert code(admit(door, entry)[0]) == "registry.key_unknown"
    assert vault.staged_bytes(stranger) == 0
    assert vault.body(entry.records[0].seal.body_digest) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.binary(max_size=400))
def test_random_bytes_are_refused_with_a_code(door, raw):
    (result,) = door.admission.admit([Submission(raw, ())])
    assert code(result).startswith("ledger.")
    assert len(door.pool) == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.data())
def test_mutated_entries_are_refused_with_a_code(door, data):
    """Invariant: bytes that differ from a valid entry's never get in and never raise."""
    town = town_at()
    raw = bytearray(person(replace_town(door, town)).raw)
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    (result,) = door.admission.admit([Submission(bytes(raw), tuple(town.bodies.values()))])
    assert code(result).partition(".")[0] in {"ledger", "registry", "keys", "node"}
    assert code(result) != "node.internal"
    assert len(door.pool) == 0


def replace_town(door, town):
    return replace(door, town=town)
