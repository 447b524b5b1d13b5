"""What an entry writes into the state can be read again: by a restarted node, by a snapshot."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.hashing import Digest
from ledger.canonical import Value, encode
from ledger.ids import RecordId
from ledger.limits import COMPETENCES_MAX, OFFICER_ROLES_BYTES_MAX, OFFICER_ROLES_MAX
from ledger.parts import ObjectPart
from ledger.state_keys import (
    STATE_KEY_BYTES_MAX,
    STATE_VALUE_BYTES_MAX,
    key_bytes,
    read_stored_value,
)
from registry.apply import rehearse
from registry.authority_rows import OfficeRow, OfficerRow
from registry.civil_calendar import add_days
from registry.errors import CorruptStateError, TooMuchWorkError
from registry.rows import ClaimRow, FamilyRow, FlatRow
from registry.state import State
from registry.state_key_names import claim_key, family_key, office_key, officer_key
from tests.registry.test_acceptance_entries import appointment
from tests.registry.town import Town, by, key, office, officer_id

SEED = Digest(bytes(32))
EACH = 16
"""Roles that one entry gives at most."""


@dataclass(frozen=True, slots=True)
class BlobRow(FlatRow):
    """A row of any length."""

    blob: bytes


def overhead():
    return len(encode((bytes(1 << 16),))) - (1 << 16)


def sealed(state):
    state.seal_writes(SEED)
    return state.changes()


def test_a_row_may_be_as_long_as_it_can_be_read_and_no_longer():
    room = STATE_VALUE_BYTES_MAX - overhead()
    fork = State(lambda _key: None).fork()
    fork.write(("x",), BlobRow(bytes(room)))
    (stored,) = sealed(fork).values()
    assert stored is not None
    assert read_stored_value(stored)[1] == (bytes(room),)
    assert State(lambda _key: stored).read(("x",), BlobRow) == BlobRow(bytes(room))
    fork.write(("x",), BlobRow(bytes(room + 1)))
    with pytest.raises(TooMuchWorkError) as refused:
        sealed(fork)
    assert refused.value.details["value"] == STATE_VALUE_BYTES_MAX + 1


def test_a_key_may_be_as_long_as_it_can_be_read_and_no_longer():
    spare = len(encode(claim_key("n", 0, "a" * 300))) - 300
    for length, is_taken in ((STATE_KEY_BYTES_MAX - spare, True), (STATE_KEY_BYTES_MAX, False)):
        fork = State(lambda _key: None).fork()
        fork.write(claim_key("n", 0, "a" * length), ClaimRow(bytes(16)))  # type: ignore[arg-type]
        if is_taken:
            assert [len(name) for name in sealed(fork)] == [STATE_KEY_BYTES_MAX]
        else:
            with pytest.raises(TooMuchWorkError):
                sealed(fork)


@given(st.binary(max_size=64))
def test_rubbish_on_our_own_disk_is_called_so_and_never_an_invalid_block(raw):
    stored = {("x",): raw, ("y",): b"\x92\xc4\x10" + bytes(16) + raw}
    state = State({key_bytes(name): one for name, one in stored.items()}.get)
    for name in stored:
        with suppress(CorruptStateError):
            assert state.read(name, BlobRow) is not None


LENGTHS = st.integers(-3, 3) | st.integers(-300, 300)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("key"), LENGTHS),
            st.tuples(st.just("row"), LENGTHS),
            st.just(("gone", 0)),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_a_guess_refuses_the_rows_and_keys_that_a_block_refuses(writes):
    """Invariant: what is measured without being sealed is refused as what is sealed."""
    real, guess = State(lambda _key: None).fork(), State(lambda _key: None).fork()
    spare = len(encode(("x", 0, bytes(300)))) - 300
    for state in (real, guess):
        for at, (kind, more) in enumerate(writes):
            length = STATE_KEY_BYTES_MAX + more - spare if kind == "key" else 8
            name = ("x", at, bytes(length))
            room = STATE_VALUE_BYTES_MAX - overhead() if kind == "row" else 8
            if kind == "gone":
                state.delete(name)
            else:
                state.write(name, BlobRow(bytes(room + (more if kind == "row" else 0))))

    def said(run):
        try:
            run()
        except TooMuchWorkError as error:
            return dict(error.details)
        return None

    refused = said(lambda: real.seal_writes(SEED))
    assert said(guess.leave_unsealed) == refused
    assert (refused is not None) == any(more > 0 for _kind, more in writes)


def test_a_door_refuses_the_entry_that_no_block_takes(town):
    """A mother of ten thousand marriages: her row is full, and the next child has no place."""
    anna, other = town.adult("anna"), RecordId(bytes(16))
    wed = (other, other, "2026-01-01", None)
    each = len(encode(wed))
    spare = len(encode(FamilyRow((), (), (wed,) * 9_999).to_value())) - 9_999 * each
    full = (STATE_VALUE_BYTES_MAX - spare) // each
    for marriages, code in ((full, "registry.too_much_work"), (full - 2, None)):
        town.state.write(family_key(anna), FamilyRow((), (), (wed,) * marriages))
        town.state.seal_writes(SEED)
        entry = town.birth(mother=anna)
        if code is None:
            rehearse(town.state.fork(), town.verified(entry), town.block())
            town.accept(entry)
        else:
            assert town.refuse(entry) == code
            with pytest.raises(TooMuchWorkError) as refused:
                rehearse(town.state.fork(), town.verified(entry), town.block())
            assert refused.value.details["limit"] == "bytes of a state row"


def test_a_row_that_is_too_long_to_read_is_our_disks_fault():
    stored = b"\x92\xc4\x10" + bytes(16) + encode((bytes(STATE_VALUE_BYTES_MAX),))
    with pytest.raises(CorruptStateError):
        State(lambda _key: stored).read(("x",), BlobRow)


@pytest.fixture
def town():
    return Town()


def grant(town, number, count=1, types=("birth",), whom=("justice", "register")):
    """The land agency gives a person roles, here another agency's officer, who agrees."""
    public = key("land", f"role {number}").public
    roles = [
        ObjectPart(
            "role",
            {
                "identity": officer_id(*whom),
                "role": "statistics",
                "types": types,
                "office": office("land"),
                "algorithm": int(public.algorithm),
                "public": public.public,
                "from_date": add_days(town.day, 1),
            },
        )
        for _ in range(count)
    ]
    return appointment(town, roles, "land")


def roles_of(town, whom=("justice", "register")):
    row = town.state.read(officer_key(officer_id(*whom)), OfficerRow)
    return len(row.roles)


def test_an_agency_gives_one_person_so_many_roles_and_fills_no_row_that_others_need(town):
    before = roles_of(town)
    for number in range(OFFICER_ROLES_MAX // EACH):
        town.accept(grant(town, number, EACH))
    assert town.refuse(grant(town, 99)) == "registry.too_much_work"
    assert roles_of(town) == before + OFFICER_ROLES_MAX
    town.accept(grant(town, 100, whom=("justice", "approve")))


def test_the_roles_that_one_agency_gives_are_bounded_in_bytes_too(town):
    long = tuple(f"{number:03}".ljust(60, "x") for number in range(100))
    each = len(encode(long))
    assert OFFICER_ROLES_BYTES_MAX // each < EACH < OFFICER_ROLES_MAX
    town.accept(grant(town, 1, OFFICER_ROLES_BYTES_MAX // each - 1, long))
    assert town.refuse(grant(town, 2, 2, long)) == "registry.too_much_work"


def test_an_office_has_so_many_competences_and_no_more(town):
    def competence():
        fields: dict[str, Value] = {
            "office": office("land"),
            "type": "birth",
            "operations": ("register",),
            "from_date": add_days(town.day, 1),
            "legal_basis": "QD 1",
        }
        hands = [by("agency", "land", "govern", at) for at in (0, 1)]
        given: dict[str, Any] = {"objects": [ObjectPart("competence", fields)], "agency": "land"}
        return town.entry("competence/grant", hands, office=None, **given)

    has = town.state.read(office_key(office("land")), OfficeRow).competences
    for _ in range(COMPETENCES_MAX - has):
        town.accept(competence())
    assert town.refuse(competence()) == "registry.too_much_work"
