"""A vault of which a part can be saved, and a chain store with a row that is not what it was."""

from functools import partial

import plyvel
import pytest

from keys.hashing import domain, hash_with
from ledger import store_layout as layout
from ledger.database_rows import scan_rows
from ledger.errors import CorruptStoreError, InvalidDataError, PurgedError
from ledger.staging import StagedBody
from ledger.store import ChainStore
from ledger.store_check import check_rows, check_store
from ledger.vault import Vault
from ledger.vault_files import open_database
from ledger.vault_salvage import check_vault, salvage
from node.clock import SystemClock
from node.mempool import Mempool
from tests.node.public_town import make_block
from tests.node.town_chain import make_application, make_town, pooled

BODIES = {hash_with(domain("body"), raw): raw for raw in (b"body %d" % one for one in range(40))}
PURGED, STAGED = list(BODIES)[:2]
KEPT = list(BODIES)[2:]


PACKED = {
    "packed": lambda path: plyvel.DB(str(path)),
    "plain": partial(open_database, create=False),
}
"""How the table was written: a wrong bit stops a packed one from unpacking."""


def make_vault(path, opener=PACKED["packed"]):
    """A vault in one table, with a purged and a staged body."""
    vault = Vault.open(path)
    vault.put_bodies({digest: BODIES[digest] for digest in [PURGED, *KEPT]})
    assert vault.stage_bodies([StagedBody(STAGED, BODIES[STAGED], b"signer", 1)]) == (None,)
    vault.purge([PURGED])
    vault.close()
    database = opener(path)
    database.compact_range(start=b"", stop=b"\xff" * 40)
    database.close()
    return next(iter(path.glob("*.ldb")))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.5, 0.8, 0.97, 0.999])
@pytest.mark.parametrize("packed", PACKED)
def test_whatever_byte_of_a_vaults_table_is_wrong_what_is_saved_is_true(tmp_path, share, packed):
    path = tmp_path / "vault"
    table = make_vault(path, PACKED[packed])
    check_vault(path)
    raw = bytearray(table.read_bytes())
    raw[int(len(raw) * share)] ^= 0x10
    table.write_bytes(raw)
    report = salvage(path)
    assert report.copy == tmp_path / "vault.damaged-1"
    assert (report.copy / table.name).exists()
    check_vault(path)
    vault = Vault.open(path)
    found = [vault.body(digest) for digest in KEPT]
    assert all(body in {None, BODIES[digest]} for digest, body in zip(KEPT, found, strict=True))
    vault.close()


def test_of_a_whole_vault_everything_is_saved_and_nothing_comes_back_or_expires(tmp_path):
    path = tmp_path / "vault"
    make_vault(path)
    report = salvage(path)
    assert (report.kept, report.dropped) == (len(KEPT) + 1, 0)
    vault = Vault.open(path)
    assert [vault.body(digest) for digest in KEPT] == [BODIES[digest] for digest in KEPT]
    with pytest.raises(PurgedError):
        vault.body(PURGED)
    assert vault.drop_expired(2) == (), "who knows whether it is in a block by now"
    assert vault.body(STAGED) == BODIES[STAGED]
    vault.close()


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """The data folder of a store with two blocks, and all of its rows."""
    folder = tmp_path_factory.mktemp("grown")
    now_ms = SystemClock().now_ms()
    town = make_town(now_ms - 60_000)
    town.adult("somebody")
    application, pool = make_application(folder, town), Mempool()
    for number, (_height, _time_ms, entries) in enumerate(town.blocks):
        for entry in entries:
            pool.add(pooled(application, entry.raw))
        make_block(application, town, pool, now_ms - 50_000 + number)
    application.store.close()
    database = plyvel.DB(str(folder / "chain"))
    rows = list(scan_rows(database))
    database.close()
    return folder, rows


def check(folder):
    with ChainStore.open(folder) as store:
        check_store(store)
    check_rows(folder)


CHECKED = (layout.BLOCK, layout.QUORUM, layout.OUTCOMES, layout.STATE, layout.PAGE, layout.LEAF)


@pytest.mark.parametrize("prefix", [*CHECKED, layout.ENTRY], ids=lambda one: one.decode())
def test_a_row_that_is_missing_or_another_one_is_found(grown, prefix):
    folder, rows = grown
    check(folder)
    key, value = next((key, value) for key, value in rows if key.startswith(prefix))
    changed = bytes([*value[:-1], value[-1] ^ 1])
    for damage in [lambda db: db.delete(key), lambda db: db.put(key, changed)]:
        edit(folder, damage)
        try:
            with pytest.raises((CorruptStoreError, InvalidDataError)):
                check(folder)
        finally:
            edit(folder, lambda db: db.put(key, value))
    check(folder)


def edit(folder, do):
    database = plyvel.DB(str(folder / "chain"))
    do(database)
    database.close()
