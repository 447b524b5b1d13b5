"""The vault: bodies come back or are gone for good."""

import os
import random
import resource
from concurrent.futures import ThreadPoolExecutor

import plyvel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.hashing import Digest, domain, hash_with
from ledger.database_rows import get_row, scan_prefix
from ledger.errors import (
    CorruptStoreError,
    DiskRefusedError,
    InvalidDataError,
    LimitExceededError,
    PurgedError,
    StoreInUseError,
)
from ledger.limits import BODY_BYTES_MAX, STAGED_SIGNER_BYTES_MAX
from ledger.staging import StagedBodies, StagedRecord
from ledger.vault import StagedBody, Vault

SIGNER = b"s" * 16
OTHER = b"o" * 16


def digest_of(body):
    return hash_with(domain("body"), body)


def wraps_digest_of(wraps):
    return hash_with(domain("wraps"), wraps)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "vault"


@pytest.fixture
def vault(folder):
    vault = Vault.open(folder)
    yield vault
    vault.close()


def stage(vault, body, signer=SIGNER, not_after_ms=1_000):
    stage_as(vault, digest_of(body), body, signer, not_after_ms)
    return digest_of(body)


def stage_as(vault, digest, body, signer=SIGNER, not_after_ms=1_000):
    (error,) = vault.stage_bodies([StagedBody(digest, body, signer, not_after_ms)])
    if error is not None:
        raise error


def put(vault, digest, body):
    for error in vault.put_bodies({digest: body}).values():
        raise error


def found_in(folder, content):
    """Whether any piece of 16 bytes of some bytes is in a file of the folder."""
    pieces = [content[at : at + 16] for at in range(0, len(content) - 15, 16)]
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return any(piece in raw for piece in pieces for raw in files)


def test_a_staged_body_comes_back_and_counts_against_its_signer(vault):
    digest = stage(vault, b"sealed")
    assert vault.body(digest) == b"sealed"
    assert vault.staged_bytes(SIGNER) == 6
    assert vault.staged_bytes(OTHER) == 0
    assert vault.body(digest_of(b"other")) is None


@pytest.mark.parametrize("not_after_ms", [1, 999, 1_000])
def test_staging_again_for_no_longer_changes_nothing_whoever_does_it(vault, not_after_ms):
    digest = stage(vault, b"sealed")
    stage(vault, b"sealed", OTHER, not_after_ms)
    assert (vault.staged_bytes(SIGNER), vault.staged_bytes(OTHER)) == (6, 0)
    assert vault.drop_expired(1_000) == ()
    assert vault.drop_expired(1_001) == (digest,)


@pytest.mark.parametrize("is_opened_again", [False, True])
@pytest.mark.parametrize("signer", [SIGNER, OTHER])
def test_a_body_that_a_longer_entry_names_too_stays_on_account_of_that_one(
    folder, signer, is_opened_again
):
    vault = Vault.open(folder)
    digest = stage(vault, b"sealed")
    stage(vault, b"sealed", signer, 9_000)
    if is_opened_again:
        vault.close()
        vault = Vault.open(folder)
    assert (vault.staged_bytes(SIGNER), vault.staged_bytes(OTHER)) == (
        (6, 0) if signer == SIGNER else (0, 6)
    )
    assert vault.drop_expired(9_000) == ()
    assert vault.body(digest) == b"sealed"
    assert vault.drop_expired(9_001) == (digest,)
    assert (vault.staged_bytes(SIGNER), vault.staged_bytes(OTHER)) == (0, 0)
    vault.close()
    vault = Vault.open(folder)
    assert vault.drop_expired(10**15) == ()
    vault.close()


def test_of_one_body_twice_in_a_batch_the_longer_time_counts(folder):
    vault = Vault.open(folder)
    digest = digest_of(b"sealed")
    times = [(SIGNER, 1_000), (OTHER, 9_000), (SIGNER, 5_000)]
    assert vault.stage_bodies([StagedBody(digest, b"sealed", *one) for one in times]) == (None,) * 3
    assert (vault.staged_bytes(SIGNER), vault.staged_bytes(OTHER)) == (0, 6)
    vault.close()
    vault = Vault.open(folder)
    assert vault.drop_expired(9_000) == ()
    assert vault.drop_expired(9_001) == (digest,)
    vault.close()


def test_a_signer_without_room_does_not_take_a_body_over(vault):
    for number in range(STAGED_SIGNER_BYTES_MAX // BODY_BYTES_MAX):
        stage(vault, number.to_bytes(4) + bytes(BODY_BYTES_MAX - 4), OTHER)
    digest = stage(vault, b"sealed")
    with pytest.raises(LimitExceededError):
        stage(vault, b"sealed", OTHER, 9_000)
    assert vault.drop_expired(1_000) == ()
    assert digest in vault.drop_expired(1_001)


def test_a_kept_body_is_not_staged_again(vault):
    digest = stage(vault, b"sealed")
    vault.keep_bodies([digest])
    stage(vault, b"sealed", OTHER, 9_000)
    assert (vault.staged_bytes(OTHER), vault.drop_expired(10**15)) == (0, ())


def test_the_size_of_a_body_is_told_staged_kept_or_not_here(vault):
    staged, kept, purged = stage(vault, b"one"), stage(vault, b"three"), digest_of(b"gone")
    vault.keep_bodies([kept])
    vault.purge([purged])
    sizes = [vault.body_size(one) for one in (staged, kept, digest_of(b"other"))]
    assert sizes == [3, 5, None]
    with pytest.raises(PurgedError):
        vault.body_size(purged)


def test_a_body_that_is_kept_counts_no_more_and_stays(vault):
    digest = stage(vault, b"sealed")
    stage(vault, b"another")
    assert vault.keep_bodies([digest, digest]) == ()
    assert vault.staged_bytes(SIGNER) == 7
    assert vault.drop_expired(10**15) == (digest_of(b"another"),)
    assert vault.body(digest) == b"sealed"
    assert vault.body(digest_of(b"another")) is None
    assert vault.staged_bytes(SIGNER) == 0


def test_keeping_names_the_bodies_that_are_not_here(vault):
    digest = stage(vault, b"sealed")
    purged, missing = digest_of(b"purged"), digest_of(b"missing")
    vault.purge([purged])
    assert vault.keep_bodies([missing, digest, purged, missing]) == (missing,)
    put(vault, missing, b"missing")
    assert vault.keep_bodies([missing]) == ()
    assert vault.drop_expired(10**15) == ()


def test_a_staged_body_that_is_put_is_kept(vault):
    digest = stage(vault, b"sealed")
    put(vault, digest, b"sealed")
    assert vault.staged_bytes(SIGNER) == 0
    assert vault.drop_expired(10**15) == ()


def test_bodies_vanish_when_their_time_has_passed_and_not_before(vault):
    early, late = (
        stage(vault, b"early", not_after_ms=999),
        stage(vault, b"late", not_after_ms=1_000),
    )
    assert vault.drop_expired(999) == ()
    assert vault.drop_expired(1_000) == (early,)
    assert vault.body(early) is None
    assert vault.body(late) == b"late"
    assert stage(vault, b"early") == early


def test_all_is_there_after_closing_and_opening(folder):
    vault = Vault.open(folder)
    staged, kept, purged = (stage(vault, body) for body in (b"staged", b"kept", b"purged"))
    vault.keep_bodies([kept])
    vault.purge([purged])
    vault.close()
    vault.close()
    vault = Vault.open(folder)
    assert vault.body(staged) == b"staged"
    assert vault.body(kept) == b"kept"
    assert vault.is_purged(purged)
    assert vault.staged_bytes(SIGNER) == 6
    vault.close()


def test_other_bytes_than_the_digest_says_are_not_taken_in(vault):
    with pytest.raises(InvalidDataError):
        stage_as(vault, digest_of(b"a"), b"b")
    with pytest.raises(InvalidDataError):
        put(vault, digest_of(b"a"), b"b")
    with pytest.raises(InvalidDataError):
        vault.put_wraps(digest_of(b"a"), b"a")


def test_a_body_may_have_its_maximum_and_no_more(vault):
    stage(vault, bytes(BODY_BYTES_MAX))
    for take in (stage, lambda v, body: put(v, digest_of(body), body)):
        with pytest.raises(LimitExceededError):
            take(vault, bytes(BODY_BYTES_MAX + 1))
    with pytest.raises(LimitExceededError):
        vault.put_wraps(wraps_digest_of(b""), bytes(BODY_BYTES_MAX + 1))


def test_a_signer_may_stage_its_quota_and_no_more(vault):
    assert STAGED_SIGNER_BYTES_MAX % BODY_BYTES_MAX == 0
    for number in range(STAGED_SIGNER_BYTES_MAX // BODY_BYTES_MAX):
        stage(vault, number.to_bytes(4) + bytes(BODY_BYTES_MAX - 4))
    assert vault.staged_bytes(SIGNER) == STAGED_SIGNER_BYTES_MAX
    with pytest.raises(LimitExceededError) as caught:
        stage(vault, b"x")
    assert caught.value.details["limit"] == "STAGED_SIGNER_BYTES_MAX"
    stage(vault, b"x", OTHER)
    vault.keep_bodies([digest_of(bytes(BODY_BYTES_MAX))])
    stage(vault, b"y")


def test_wraps_come_back(vault):
    vault.put_wraps(wraps_digest_of(b"wraps"), b"wraps")
    assert vault.wraps(wraps_digest_of(b"wraps")) == b"wraps"
    assert vault.wraps(wraps_digest_of(b"others")) is None


def test_what_was_purged_is_neither_given_out_nor_taken_in_again(vault):
    body, wraps = stage(vault, b"sealed"), wraps_digest_of(b"wraps")
    never_here = digest_of(b"never here")
    vault.put_wraps(wraps, b"wraps")
    vault.purge([body, wraps, never_here])
    vault.purge([body])
    assert all(vault.is_purged(digest) for digest in (body, wraps, never_here))
    assert vault.staged_bytes(SIGNER) == 0
    for use in (
        lambda: vault.body(body),
        lambda: vault.wraps(wraps),
        lambda: stage(vault, b"sealed"),
        lambda: put(vault, never_here, b"never here"),
        lambda: vault.put_wraps(wraps, b"wraps"),
    ):
        with pytest.raises(PurgedError):
            use()
    assert not vault.is_purged(digest_of(b"another"))


@pytest.mark.parametrize("seed", range(6))
def test_after_a_purge_no_byte_is_to_be_found_in_the_folder(folder, seed):
    """Over random histories with restarts, while other bodies come, are kept and expire."""
    dice = random.Random(seed)
    vault = Vault.open(folder)
    living, purged = {}, []
    for step in range(60):
        action = dice.randrange(10)
        if action < 6:
            body = dice.randbytes(dice.choice([40, 3_000, 40_000]))
            living[stage(vault, body, not_after_ms=step + 10)] = body
            stage(vault, dice.choice([*living.values()]), OTHER, step + dice.randrange(30))
        elif action == 6:
            vault.keep_bodies(dice.sample(sorted(living), k=min(3, len(living))))
        elif action == 7:
            for digest in vault.drop_expired(step):
                del living[digest]
        elif action == 8 and living:
            gone = dice.sample(sorted(living), k=min(2, len(living)))
            vault.purge(gone)
            purged += [living.pop(digest) for digest in gone]
        else:
            vault.close()
            vault = Vault.open(folder)
    assert all(vault.body(digest) == body for digest, body in living.items())
    gone = sorted(living)[:2]
    vault.purge(gone)
    purged += [living.pop(digest) for digest in gone]
    assert purged
    assert not any(found_in(folder, body) for body in purged)
    vault.close()
    assert not any(found_in(folder, body) for body in purged)
    assert any(found_in(folder, body) for body in living.values()), "the search is blind"


@pytest.mark.parametrize("dropped", [True, False])
def test_a_purge_takes_copies_along_that_a_custodian_had_prepared(folder, dropped):
    vault = Vault.open(folder)
    body, other = os.urandom(3_000), os.urandom(3_000)
    digest = stage(vault, body)
    for name, one in ((b"p", body), (b"o", other)):
        vault.put_prepared(Digest(name * 32), b"head" + one + b"tail")
    if dropped:
        vault.drop_prepared([Digest(b"p" * 32)])
    assert found_in(folder, body)
    vault.purge([digest])
    assert not found_in(folder, body)
    assert [name for name, _content in vault.all_prepared()] == [b"o" * 32]
    vault.close()
    assert not found_in(folder, body)


def test_bodies_that_are_kept_leave_no_trace_in_the_order_of_times():
    """Entries may be valid for a month: what is kept by then must not add up in memory."""
    staged = StagedBodies()
    for number in range(10_000):
        digest = digest_of(number.to_bytes(4))
        staged.add(digest, StagedRecord(SIGNER, 1_000 + number, 1))
        staged.remove([digest])
    assert len(staged._by_time) <= 1_024 + 1
    assert staged.used(SIGNER) == 0


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=60), st.integers(0, 31))
def test_what_is_expired_is_what_a_look_at_all_of_it_finds(times, now_ms):
    staged, naive = StagedBodies(), {}
    for number, (time_ms, is_kept) in enumerate(times):
        digest = digest_of(number.to_bytes(4))
        staged.add(digest, StagedRecord(SIGNER, time_ms, 1))
        naive[digest] = time_ms
        if is_kept:
            staged.remove([digest])
            del naive[digest]
    for _ in range(2):  # asking changes nothing: the disk may refuse to forget
        assert set(staged.expired(now_ms)) == {one for one in naive if naive[one] < now_ms}


def test_a_purge_that_a_crash_cut_short_is_finished_at_opening(folder):
    """The crash: deleted and marked, but the files not rewritten yet."""
    body = random.Random(1).randbytes(5_000)
    vault = Vault.open(folder)
    digest = stage(vault, body)
    vault.close()
    database = plyvel.DB(str(folder))
    with database.write_batch(sync=True) as batch:
        batch.delete(b"b" + digest)
        batch.put(b"p" + digest, b"")
        batch.put(b"u", digest_of(b"another") + digest)
    database.close()
    assert found_in(folder, body)
    vault = Vault.open(folder)
    assert not found_in(folder, body)
    vault.close()
    database = plyvel.DB(str(folder))
    assert get_row(database, b"u") is None
    database.close()


@pytest.mark.usefixtures("vault")
def test_one_opener_at_a_time(folder):
    with pytest.raises(StoreInUseError):
        Vault.open(folder)


def test_damage_is_the_fault_of_our_disk(folder):
    vault = Vault.open(folder)
    digest = stage(vault, b"sealed")
    vault.close()
    database = plyvel.DB(str(folder))
    with database.write_batch() as batch:
        batch.put(b"b" + digest, b"other bytes")
    database.close()
    vault = Vault.open(folder)
    with pytest.raises(CorruptStoreError):
        vault.body(digest)
    vault.close()
    database = plyvel.DB(str(folder))
    ((key, _record),) = scan_prefix(database, b"x")
    database.put(key, b"\x00")
    database.close()
    for _ in range(2):
        with pytest.raises(CorruptStoreError):
            Vault.open(folder)


def test_a_folder_that_cannot_be_opened_is_the_fault_of_our_disk(tmp_path):
    with pytest.raises(CorruptStoreError):
        Vault.open(tmp_path / "absent" / "vault")
    (tmp_path / "vault").mkdir()
    (tmp_path / "vault" / "CURRENT").write_bytes(b"damaged\n")
    with pytest.raises(CorruptStoreError):
        Vault.open(tmp_path / "vault")


@pytest.mark.parametrize("damage", [lambda raw: raw[:99], lambda raw: b"\x00" * len(raw)])
def test_a_damaged_file_is_the_fault_of_our_disk(folder, damage):
    vault = Vault.open(folder)
    digest = stage(vault, random.Random(2).randbytes(50_000))
    vault.purge([digest_of(b"another")])  # writes what is in memory to a table
    vault.close()
    for table in folder.glob("*.ldb"):
        table.write_bytes(damage(table.read_bytes()))
    with pytest.raises(CorruptStoreError):
        read_all(folder, digest)


def read_all(folder, digest):
    vault = Vault.open(folder)
    try:
        vault.body(digest)
    finally:
        vault.close()


def test_what_the_disk_does_not_take_is_not_taken_for_written(folder):
    """The kernel lets no file of this process grow over 100 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    vault = Vault.open(folder)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(DiskRefusedError):
            stage(vault, bytes(1_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    vault.close()
    vault = Vault.open(folder)
    assert vault.body(digest_of(bytes(1_000))) is None
    assert vault.staged_bytes(SIGNER) == 0
    vault.close()


def staged_body(body, signer=SIGNER):
    return StagedBody(digest_of(body), body, signer, 1_000)


def test_of_many_bodies_one_that_is_refused_stops_no_other(vault):
    purged = digest_of(b"purged")
    vault.purge([purged])
    errors = vault.stage_bodies(
        [
            staged_body(b"first"),
            StagedBody(digest_of(b"a"), b"b", SIGNER, 1_000),
            staged_body(b"purged"),
            staged_body(b"first", OTHER),
            staged_body(bytes(BODY_BYTES_MAX + 1)),
            staged_body(b"last", OTHER),
        ]
    )
    assert [type(error) for error in errors] == [
        type(None),
        InvalidDataError,
        PurgedError,
        type(None),
        LimitExceededError,
        type(None),
    ]
    assert vault.body(digest_of(b"first")) == b"first"
    assert vault.body(digest_of(b"last")) == b"last"
    assert (vault.staged_bytes(SIGNER), vault.staged_bytes(OTHER)) == (5, 4)


def test_a_quota_holds_within_many_bodies_too(vault):
    one = BODY_BYTES_MAX
    count = STAGED_SIGNER_BYTES_MAX // one
    bodies = [staged_body(number.to_bytes(4) + bytes(one - 4)) for number in range(count + 1)]
    *taken, refused = vault.stage_bodies(bodies)
    assert set(taken) == {None}
    assert isinstance(refused, LimitExceededError)
    assert vault.staged_bytes(SIGNER) == STAGED_SIGNER_BYTES_MAX


def test_threads_that_stage_keep_and_drop_lose_no_body_and_count_right(vault):
    bodies = [number.to_bytes(4) * 100 for number in range(120)]

    def work(first):
        for body in bodies[first::4]:
            digest = stage(vault, body, not_after_ms=0)
            vault.keep_bodies([digest])
            stage(vault, body + b"dropped", not_after_ms=5)
            vault.drop_expired(10)
            put(vault, digest, body)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    vault.drop_expired(10)
    assert vault.staged_bytes(SIGNER) == 0
    assert all(vault.body(digest_of(body + b"dropped")) is None for body in bodies)
    assert all(vault.body(digest_of(body)) == body for body in bodies)
