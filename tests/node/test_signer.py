import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.signing import SoftwareKey, verify
from ledger.errors import DiskRefusedError
from node.errors import (
    ContradictionError,
    GuardDamagedError,
    GuardMismatchError,
    GuardMissingError,
)
from node.signer import GuardedSigner, GuardFile, Place, SignedKind, create_guard

KEY = SoftwareKey.generate()


class MemoryGuard:
    """Keeps the guard in memory and can fail before or after it is durable."""

    def __init__(self, raw=None):
        self.raw = raw
        self.fail_before = self.fail_after = False

    def read(self):
        return self.raw

    def replace(self, raw):
        if self.fail_before:
            raise DiskRefusedError("disk full")
        self.raw = raw
        if self.fail_after:
            raise DiskRefusedError("power cut")


def signer(store):
    return GuardedSigner(KEY, store, allow_missing=True)


places = st.builds(Place, st.integers(1, 3), st.integers(0, 2), st.sampled_from(list(SignedKind)))
requests = st.lists(st.tuples(places, st.sampled_from([b"one", b"two"])), max_size=20)


@given(requests, st.sets(st.integers(0, 19)))
def test_no_run_with_restarts_ever_signs_two_messages_for_one_place_or_steps_back(run, restarts):
    """Invariant: new signatures are of ascending places; a place has one message for ever."""
    store = MemoryGuard()
    guarded = signer(store)
    signed: dict[Place, tuple[bytes, bytes]] = {}
    for at, (place, message) in enumerate(run):
        if at in restarts:
            guarded = signer(store)
        before = max(signed, default=None)
        try:
            signature = guarded.sign(place, message)
        except ContradictionError:
            assert before is not None
            assert place <= before
        else:
            verify(KEY.public, message, signature)
            assert signed.setdefault(place, (message, signature)) == (message, signature)
            assert place in {max(signed), place}
            assert guarded.last == max(signed)


def test_the_same_bytes_get_the_stored_signature_even_after_a_later_place():
    store = MemoryGuard()
    first = signer(store).sign(Place(1, 0, SignedKind.PREVOTE), b"m")
    signer(store).sign(Place(1, 0, SignedKind.PRECOMMIT), b"n")
    assert signer(store).sign(Place(1, 0, SignedKind.PREVOTE), b"m") == first


def test_other_bytes_for_the_same_place_are_refused():
    guarded = signer(MemoryGuard())
    guarded.sign(Place(5, 1, SignedKind.PREVOTE), b"m")
    with pytest.raises(ContradictionError):
        guarded.sign(Place(5, 1, SignedKind.PREVOTE), b"n")


@pytest.mark.parametrize(
    "back",
    [
        Place(4, 9, SignedKind.PRECOMMIT),
        Place(5, 0, SignedKind.PRECOMMIT),
        Place(5, 1, SignedKind.PROPOSAL),
    ],
)
def test_a_step_back_is_refused(back):
    guarded = signer(MemoryGuard())
    guarded.sign(Place(5, 1, SignedKind.PREVOTE), b"m")
    with pytest.raises(ContradictionError):
        guarded.sign(back, b"n")


def test_a_key_without_guard_refuses_to_start_unless_told():
    with pytest.raises(GuardMissingError):
        GuardedSigner(KEY, MemoryGuard())
    assert signer(MemoryGuard()).last is None


def test_a_guard_that_cannot_be_written_lets_no_signature_out_and_keeps_the_old_truth():
    store = MemoryGuard()
    guarded = signer(store)
    store.fail_before = True
    with pytest.raises(DiskRefusedError, match="disk full"):
        guarded.sign(Place(1, 0, SignedKind.PREVOTE), b"m")
    store.fail_before = False
    assert guarded.last is None


def test_a_power_cut_after_the_guard_is_durable_still_allows_the_same_vote_only():
    store = MemoryGuard()
    guarded = signer(store)
    store.fail_after = True
    with pytest.raises(DiskRefusedError, match="power cut"):
        guarded.sign(Place(1, 0, SignedKind.PREVOTE), b"m")
    store.fail_after = False
    restarted = signer(store)
    with pytest.raises(ContradictionError):
        restarted.sign(Place(1, 0, SignedKind.PREVOTE), b"n")
    verify(KEY.public, b"m", restarted.sign(Place(1, 0, SignedKind.PREVOTE), b"m"))


def test_the_guard_of_another_key_is_refused():
    store = MemoryGuard()
    signer(store)
    with pytest.raises(GuardMismatchError, match="one of the two"):
        GuardedSigner(SoftwareKey.generate(), store)


def test_after_a_rotation_the_next_key_signs_later_places_only_and_the_guard_is_its_own():
    store, following = MemoryGuard(), SoftwareKey.generate()
    guarded = GuardedSigner(KEY, store, allow_missing=True, next_key=following)
    assert guarded.holds(KEY.public)
    assert guarded.holds(following.public)
    early, late = Place(4, 0, SignedKind.PRECOMMIT), Place(5, 0, SignedKind.PREVOTE)
    guarded.sign(early, b"m", KEY.public)
    with pytest.raises(ContradictionError):
        guarded.sign(early, b"m", following.public)  # the same bytes, but not the same key
    signature = guarded.sign(late, b"m", following.public)
    verify(following.public, b"m", signature)
    alone = GuardedSigner(following, store)
    assert alone.last == late
    assert alone.sign(late, b"m") == signature
    with pytest.raises(GuardMismatchError, match="one of the two"):
        GuardedSigner(KEY, store)


def test_a_new_key_in_the_place_of_a_lost_one_keeps_the_places_of_its_guard():
    store, fresh = MemoryGuard(), SoftwareKey.generate()
    signer(store).sign(Place(7, 1, SignedKind.PREVOTE), b"m")
    guarded = GuardedSigner(fresh, store, allow_missing=True)
    assert guarded.last == Place(7, 1, SignedKind.PREVOTE)
    for message in (b"m", b"n"):
        with pytest.raises(ContradictionError):
            guarded.sign(Place(7, 1, SignedKind.PREVOTE), message)
    verify(fresh.public, b"m", guarded.sign(Place(8, 0, SignedKind.PROPOSAL), b"m"))
    assert GuardedSigner(fresh, store).last == Place(8, 0, SignedKind.PROPOSAL)


@given(st.data())
def test_any_changed_byte_of_the_guard_is_noticed(data):
    store = MemoryGuard()
    signer(store).sign(Place(7, 0, SignedKind.PRECOMMIT), b"m")
    at = data.draw(st.integers(0, len(store.raw) - 1))
    flip = data.draw(st.integers(1, 255))
    damaged = bytes([*store.raw[:at], store.raw[at] ^ flip, *store.raw[at + 1 :]])
    with pytest.raises(GuardDamagedError):
        GuardedSigner(KEY, MemoryGuard(damaged))


def test_the_guard_file_survives_and_is_private(tmp_path):
    path = tmp_path / "guard"
    create_guard(path, KEY.public.key_id)
    place = Place(3, 0, SignedKind.PROPOSAL)
    signature = GuardedSigner(KEY, GuardFile(path)).sign(place, b"m")
    again = GuardedSigner(KEY, GuardFile(path))
    assert again.last == place
    assert again.sign(place, b"m") == signature
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["guard"]


def test_a_guard_is_never_made_over_another(tmp_path):
    create_guard(tmp_path / "guard", KEY.public.key_id)
    with pytest.raises(FileExistsError):
        create_guard(tmp_path / "guard", KEY.public.key_id)
