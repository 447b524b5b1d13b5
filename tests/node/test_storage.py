"""What a start finds on disk: what lost files is refused, and a refused start makes nothing."""

import asyncio
import json
import shutil

import pytest

from keys.hashing import domain, hash_with
from ledger.errors import CorruptStoreError, CorruptWalError
from ledger.wal import WriteAheadLog
from node.app import Options, open_node
from node.config import load_config
from node.errors import GuardMissingError
from node.signer import last_signed_height
from node.storage import load_genesis, open_storage
from tests.node.homes import make_homes
from tests.node.processes import Process

BODY = b"a sealed body"
DIGEST = hash_with(domain("body"), BODY)
HEIGHT = 3


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """The home of a node that has made some blocks, stopped."""
    home = make_homes(tmp_path_factory.mktemp("grown"), count=1).folders[0]
    asyncio.run(grow(home))
    return home


async def grow(home):
    alone = await Process(home).start()
    await alone.reach(HEIGHT)
    assert await alone.stop() == 0


@pytest.fixture
def home(grown, tmp_path):
    """A copy of it."""
    shutil.copytree(grown, tmp_path / "home")
    return tmp_path / "home"


def opened(home):
    config = load_config(home)
    return open_storage(config, load_genesis(config))


def contents(home):
    """Everything below the data folder but LevelDB's notes and locks."""
    data = home / "data"
    found = {path.relative_to(data): path for path in data.rglob("*") if path.is_file()}
    passing = {"LOCK", "LOG", "LOG.old"}
    return {
        str(name): path.read_bytes() for name, path in found.items() if name.name not in passing
    }


def fill_vault(home):
    """Put a body into the vault, and let LevelDB write it to a table."""
    storage = opened(home)
    storage.vault.put_bodies({DIGEST: BODY})
    storage.vault.mark.move(HEIGHT)
    storage.vault.purge([hash_with(domain("body"), b"another")])
    storage.close()


@pytest.mark.parametrize("store", ["vault", "chain"])
def test_a_store_without_its_current_file_is_refused_and_not_touched(home, store):
    fill_vault(home)
    kept = (home / "data" / store / "CURRENT").read_bytes()
    (home / "data" / store / "CURRENT").unlink()
    before = contents(home)
    assert [name for name in before if name.startswith(f"{store}/")]
    for _start in range(2):
        with pytest.raises(CorruptStoreError, match="lost its file CURRENT"):
            opened(home)
    after = contents(home)
    assert {name for name in before if name.startswith(f"{store}/")} <= set(after)
    (home / "data" / store / "CURRENT").write_bytes(kept)
    storage = opened(home)
    assert storage.vault.body(DIGEST) == BODY, "nothing was lost"
    storage.close()


def test_a_missing_chain_below_its_log_is_refused_and_no_empty_one_is_made(home):
    (home / "data" / "chain").rename(home / "elsewhere")
    before = contents(home)
    for _start in range(2):
        with pytest.raises(CorruptWalError) as refused:
            opened(home)
        assert refused.value.details["chain_height"] == 0
    assert not (home / "data" / "chain").exists()
    assert contents(home) == before
    (home / "elsewhere").rename(home / "data" / "chain")
    storage = opened(home)
    assert storage.store.height >= HEIGHT
    storage.close()


def test_a_log_that_is_ahead_is_refused_before_a_vault_is_made(home):
    shutil.rmtree(home / "data" / "vault")
    log = WriteAheadLog.open(home / "data" / "wal")
    log.append(b"Xnone of ours")
    log.sync()
    log.close()
    with pytest.raises(CorruptWalError):
        opened(home)
    assert not (home / "data" / "vault").exists()


def test_a_first_start_that_was_cut_short_before_a_database_was_one_is_begun_again(tmp_path):
    home = make_homes(tmp_path, count=1).folders[0]
    for store in ("chain", "vault"):
        (home / "data" / store).mkdir()
        for name in ("LOCK", "LOG", "MANIFEST-000001", "000001.dbtmp"):
            (home / "data" / store / name).write_bytes(b"")
    storage = opened(home)
    assert storage.store.height == 0
    assert storage.is_vault_new
    storage.close()


def test_a_new_vault_promises_no_bodies_and_remembers_how_old_the_chain_was(home):
    fill_vault(home)
    shutil.rmtree(home / "data" / "vault")
    storage = opened(home)
    assert storage.is_vault_new
    assert (storage.vault.mark.height, storage.vault.mark.made_at) == (0, storage.store.height)
    storage.close()
    storage = opened(home)
    assert not storage.is_vault_new
    assert storage.vault.mark.made_at == storage.store.height, "after the next start, too"
    storage.close()


def test_a_vault_that_is_made_on_an_old_chain_is_told_in_the_log(home):
    shutil.rmtree(home / "data" / "vault")
    told = [
        [one["level"] for one in asyncio.run(first_lines(home)) if one["event"] == "vault_made"]
        for _start in range(2)
    ]
    assert told == [["warning"], []]


def test_a_validator_whose_log_was_deleted_says_so_once_and_votes_above_its_guard(home):
    guard_height = last_signed_height(home / "data" / "guard")
    assert guard_height >= HEIGHT, "a network of one has signed every block"
    (home / "data" / "wal").unlink()
    told = [asyncio.run(first_lines(home)) for _start in range(2)]
    lost = [[one for one in lines if one["event"] == "log_missing"] for lines in told]
    assert [[one["level"] for one in lines] for lines in lost] == [["error"], []]
    assert lost[0][0]["guard_height"] == guard_height
    (begun,) = [one for one in told[0] if one["event"] == "begins"]
    assert int(begun["from_height"]) > guard_height


def test_a_first_start_has_no_log_and_misses_none(tmp_path):
    home = make_homes(tmp_path, count=1).folders[0]
    assert "log_missing" not in [one["event"] for one in asyncio.run(first_lines(home))]


async def first_lines(home):
    """What a node says up to its beginning."""
    process = await Process(home).start()
    lines: list[dict[str, str]] = []
    while not lines or lines[-1]["event"] != "begins":
        lines.append(json.loads(await process.line()))
    assert await process.stop() == 0
    return lines


def test_a_start_without_guard_makes_no_chain(tmp_path):
    home = make_homes(tmp_path, count=1).folders[0]
    (home / "data" / "guard").unlink()
    with pytest.raises(GuardMissingError):
        open_node(home, Options())
    assert list((home / "data").iterdir()) == []


@pytest.mark.parametrize("is_here", [True, False])
def test_a_validator_without_its_consensus_key_says_at_its_start_that_it_cannot_vote(home, is_here):
    if not is_here:
        (home / "keys" / "consensus.pem").unlink()
    told = [one["event"] for one in asyncio.run(first_lines(home)) if one["level"] == "error"]
    assert told == ([] if is_here else ["consensus_key_missing"])
