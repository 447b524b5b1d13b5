"""Whose fault it is when LevelDB refuses, and when a folder is no empty one."""

import resource

import plyvel
import pytest

from ledger.database_files import has_database, of_database, open_files
from ledger.errors import CorruptStoreError, DiskRefusedError, StoreInUseError
from ledger.vault import Vault
from ledger.wal import WriteAheadLog, repair

REFUSALS = [
    "No space left on device",
    "Permission denied",
    "Too many open files",
    "Too many open files in system",
    "Read-only file system",
    "Is a directory",
    "Input/output error",
    "Disk quota exceeded",
]


@pytest.mark.parametrize("reason", REFUSALS)
def test_what_the_system_refuses_is_no_damage_and_names_file_and_reason(reason):
    said = plyvel.IOError(f"IO error: /blocks/vault/000014.ldb: {reason}".encode())
    error = of_database(said, "the vault")
    assert type(error) is DiskRefusedError
    assert not isinstance(error, CorruptStoreError)
    assert error.details == {"file": "/blocks/vault/000014.ldb", "reason": reason}
    assert str(error).endswith(f"/blocks/vault/000014.ldb: {reason}")
    assert "b'" not in str(error)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (plyvel.CorruptionError(b"Corruption: block checksum mismatch"), CorruptStoreError),
        (plyvel.Error(b"NotFound: /v/000005.ldb: No such file or directory"), CorruptStoreError),
        (plyvel.IOError(b"IO error: /v/000005.ldb: Invalid argument"), CorruptStoreError),
        (plyvel.IOError(b"IO error: lock /v/LOCK: already held by process"), StoreInUseError),
        (plyvel.IOError(b"IO error: /lock/v/LOG: No space left on device"), DiskRefusedError),
    ],
)
def test_damage_another_process_and_the_system_are_told_apart(said, wanted):
    error = of_database(said, "the vault")
    assert type(error) is wanted
    assert "b'" not in str(error)


def test_a_disk_that_takes_no_more_is_no_damage_to_a_store_that_opens(tmp_path):
    """LevelDB writes what its log holds into a table when it opens; the system refuses that."""
    path = tmp_path / "vault"
    database = open_files(path, "it", create=True, **SIZES)
    database.put(b"key", b"content" * 10_000)
    database.close()
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, kept[1]))
    try:
        with pytest.raises(DiskRefusedError, match="File too large"):
            Vault.open(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
    database = open_files(path, "it", create=False, **SIZES)
    assert database.get(b"key", verify_checksums=True) == b"content" * 10_000
    database.close()


SIZES = {"write_buffer_bytes": 1 << 20, "cache_bytes": 1 << 20, "bloom_bits": 10}


def test_only_what_holds_nothing_is_an_empty_folder(tmp_path):
    path = tmp_path / "store"
    assert not has_database(path, "it")
    path.mkdir()
    assert not has_database(path, "it")
    for name in ("LOCK", "LOG", "LOG.old", "MANIFEST-000001", "000001.dbtmp"):
        (path / name).write_bytes(b"")
    assert not has_database(path, "it"), "a creation was cut short"
    for name in ("000003.log", "000005.ldb", "MANIFEST-000002", "anything else"):
        (path / name).write_bytes(b"")
        with pytest.raises(CorruptStoreError, match="CURRENT"):
            has_database(path, "it")
        with pytest.raises(CorruptStoreError, match="CURRENT"):
            open_files(path, "it", create=True, **SIZES)
        (path / name).unlink()
    (path / "CURRENT").write_bytes(b"MANIFEST-000002\n")
    assert has_database(path, "it")


def test_a_database_is_not_made_by_looking_for_it(tmp_path):
    with pytest.raises(CorruptStoreError):
        open_files(tmp_path / "none", "it", create=False, **SIZES)
    assert list(tmp_path.iterdir()) == []


def test_a_log_that_a_full_disk_does_not_let_be_repaired_is_as_before(tmp_path):
    path = tmp_path / "wal"
    log = WriteAheadLog.open(path)
    for _frame in range(4):
        log.append(b"x" * 4_096)
        log.sync()
    log.close()
    raw = bytearray(path.read_bytes())
    raw[100] ^= 1
    path.write_bytes(raw)
    before = {one.name for one in tmp_path.iterdir()}
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_192, kept[1]))
    try:
        with pytest.raises(DiskRefusedError, match="File too large"):
            repair(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
    assert {one.name for one in tmp_path.iterdir()} == before, "no half of a copy stays"
    assert path.read_bytes() == raw
