"""`civreg node repair`: what cannot be read now is no damage; without room nothing is moved."""

import resource
import shutil
from types import SimpleNamespace

import pytest

from keys.hashing import Digest
from ledger.errors import DiskRefusedError
from node import repairing
from node.app import Options, open_node
from node.config import load_config
from node.errors import ConfigError, GuardDamagedError, GuardMismatchError
from node.repairing import Part, find_damage, repair_all
from node.storage import load_genesis, open_storage
from tests.node.homes import make_homes


@pytest.fixture
def home(tmp_path):
    """A node that was started once; its vault holds a table."""
    home = make_homes(tmp_path, count=1).folders[0]
    config = load_config(home)
    storage = open_storage(config, load_genesis(config))
    storage.vault.purge([Digest(bytes(32))])
    storage.close()
    return home


def damage_vault(home):
    (home / "data" / "vault" / "CURRENT").write_bytes(b"damaged\n")


def names(home):
    return sorted(one.name for one in (home / "data").iterdir())


@pytest.mark.parametrize("store", ["chain", "vault"])
def test_a_store_that_the_system_does_not_let_us_read_is_not_called_damaged(home, store):
    config = load_config(home)
    assert find_damage(config) == ()
    table = home / "data" / store / "CURRENT"
    table.rename(home / "kept")
    table.mkdir()  # no rights can be taken away from root: this is what every user is refused
    before = names(home)
    with pytest.raises(DiskRefusedError, match="CURRENT: Is a directory"):
        find_damage(config)
    assert names(home) == before
    table.rmdir()
    (home / "kept").rename(table)
    assert find_damage(config) == ()


def test_a_guard_that_the_system_does_not_let_us_read_is_not_called_damaged(home):
    guard = home / "data" / "guard"
    guard.unlink()
    guard.mkdir()
    with pytest.raises(DiskRefusedError, match="guard: Is a directory"):
        find_damage(load_config(home))


@pytest.mark.parametrize("store", ["chain", "vault"])
def test_a_store_that_lost_its_current_file_is_damaged_and_repaired(home, store):
    config = load_config(home)
    (home / "data" / store / "CURRENT").unlink()
    damages = find_damage(config)
    assert [one.part.value for one in damages] == [store]
    (done,) = repair_all(config, damages)
    assert done.copy.name == f"{store}.damaged-1"
    assert find_damage(config) == ()


def test_without_room_for_its_copies_a_repair_moves_nothing(home, monkeypatch):
    config = load_config(home)
    damage_vault(home)
    (home / "data" / "chain" / "CURRENT").unlink()
    damages = find_damage(config)
    assert [one.part for one in damages] == [Part.CHAIN, Part.VAULT]
    before = names(home)
    size = sum(one.stat().st_size for one in (home / "data" / "vault").iterdir())
    room = repairing.ROOM_BYTES_MIN + 2 * size
    tight = SimpleNamespace(disk_usage=lambda _path: SimpleNamespace(free=room - 1))
    monkeypatch.setattr(repairing, "shutil", tight)
    with pytest.raises(DiskRefusedError, match="nothing was moved") as refused:
        list(repair_all(config, damages))
    assert refused.value.details["needed_bytes"] == room
    assert names(home) == before
    enough = SimpleNamespace(disk_usage=lambda _path: SimpleNamespace(free=room))
    monkeypatch.setattr(repairing, "shutil", enough)
    assert [done.part for done in repair_all(config, damages)] == [Part.CHAIN, Part.VAULT]


def test_a_repair_that_fails_leaves_no_half_made_copy(home):
    config = load_config(home)
    damage_vault(home)
    large = home / "data" / "vault" / "000099.ldb"
    large.write_bytes(bytes(100_000))
    damages = find_damage(config)
    before = names(home)
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, kept[1]))
    try:
        with pytest.raises(DiskRefusedError):
            list(repair_all(config, damages))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
    assert names(home) == before
    assert large.exists()


def test_a_vault_that_cannot_change_places_is_back_in_its_own(home, monkeypatch):
    config = load_config(home)
    damage_vault(home)
    damages = find_damage(config)
    before = names(home)
    rename = type(home).rename

    def refuse(path, target):
        if path.name == "vault.new":
            raise OSError(28, "No space left on device", str(path))
        return rename(path, target)

    monkeypatch.setattr(type(home), "rename", refuse)
    with pytest.raises(DiskRefusedError, match=r"vault\.new: No space left on device"):
        list(repair_all(config, damages))
    assert names(home) == before


def test_a_repaired_vault_does_not_promise_the_bodies_that_were_lost(home):
    config = load_config(home)
    storage = open_storage(config, load_genesis(config))
    storage.vault.mark.move(7)
    storage.close()
    damage_vault(home)
    assert [one.part for one in repair_all(config, find_damage(config))] == [Part.VAULT]
    storage = open_storage(config, load_genesis(config))
    assert storage.vault.mark.height == 0
    storage.close()


def test_a_cut_guard_is_damage(home):
    guard = home / "data" / "guard"
    guard.write_bytes(guard.read_bytes()[:-1])
    (found,) = find_damage(load_config(home))
    assert isinstance(found.error, GuardDamagedError)


def test_the_guard_is_not_replaced_where_the_key_may_be_the_wrong_file(tmp_path):
    mine, other = make_homes(tmp_path, count=2).folders
    shutil.copy(other / "keys" / "consensus.pem", mine / "keys" / "consensus.pem")
    config = load_config(mine)
    for _look in range(2):
        with pytest.raises(ConfigError, match="put the right key file back"):
            find_damage(config)
        with pytest.raises(GuardMismatchError):
            open_node(mine, Options())
        if not (mine / "data" / "chain").exists():
            open_storage(config, load_genesis(config)).close()


def test_a_guard_of_another_key_is_replaced_where_the_network_knows_the_key(tmp_path):
    mine, other = make_homes(tmp_path, count=2).folders
    shutil.copy(other / "data" / "guard", mine / "data" / "guard")
    config = load_config(mine)
    (found,) = find_damage(config)
    assert isinstance(found.error, GuardMismatchError)
    assert [one.part for one in repair_all(config, (found,))] == [Part.GUARD]
    assert find_damage(config) == ()
