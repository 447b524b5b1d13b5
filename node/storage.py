"""Opens everything of a node that is on disk: keys, chain, vault, log, guard. And makes it once.

    keys/<purpose>.pem    consensus (validators), peer, custodian, seal, checkpoint, tag
    keys/<purpose>.next.pem    consensus, peer: the key that follows in a rotation
    data/chain data/vault data/wal data/guard data/guard-supposed
    run/ports.json        while the node runs

The stores hold locks of their own, so two processes never share a home.
"""

import json
import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from keys.errors import CivregError
from keys.keyring import load_key_file, read_public_key
from keys.signing import KeyId, Purpose, SoftwareKey
from ledger import state_tree
from ledger.database_files import has_database
from ledger.disk_refusals import system_refusals
from ledger.genesis import Genesis, parse_genesis
from ledger.store import ChainStore, StoreMissingError
from ledger.vault import Vault
from ledger.vault_files import NAME as VAULT_NAME
from ledger.wal import WriteAheadLog, check_log
from node.config import Config
from node.errors import ConfigError, GuardMissingError, WrongHomeError
from node.journal import read_own
from node.logs import Log
from node.signer import GuardedSigner, GuardFile, check_guard
from registry.genesis_state import initial_state

PASSPHRASE_BYTES_MAX: Final = 4_096
ROTATED: Final = (Purpose.CONSENSUS, Purpose.PEER)
"""Keys of which a node may hold the next one, too."""
GUARD_FILE: Final = "guard"
SUPPOSED_FILE: Final = "guard-supposed"
"""Lies beside a guard that was made at a start because the operator said so, not with its key."""
WAL_FILE: Final = "wal"
VAULT_FOLDER: Final = "vault"
DRAFTS_FOLDER: Final = "drafts"
"""The drafts that wait for signatures, where the node has a public side."""
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Storage:
    """What a running node has open.

    Attributes:
        store: The chain.
        vault: Sealed bodies and wraps.
        wal: The log of consensus.
        is_vault_new: Whether the vault was made at this start.
        is_log_new: Whether there was no log at this start.
    """

    store: ChainStore
    vault: Vault
    wal: WriteAheadLog
    is_vault_new: bool = False
    is_log_new: bool = False

    def close(self) -> None:
        """Close everything."""
        self.wal.close()
        self.vault.close()
        self.store.close()


def load_genesis(config: Config) -> Genesis:
    """Read the genesis document of a home.

    Raises:
        ConfigError: There is none.
        InvalidDataError: It does not hold.
    """
    try:
        raw = config.genesis_file.read_bytes()
    except OSError as error:
        raise ConfigError((f"{config.genesis_file.name}: cannot be read",)) from error
    return parse_genesis(raw)


def load_keys(config: Config) -> Mapping[Purpose, SoftwareKey]:
    """Open all key files of a home.

    Raises:
        ConfigError: The passphrase file is unreadable or readable by others, or a key that every
            node needs is missing; all problems are named.
    """
    return _open_keys(config, Purpose, ".pem", needed=Purpose.PEER)


def load_next_keys(config: Config) -> Mapping[Purpose, SoftwareKey]:
    """Open the keys that will follow the present ones in a rotation: `<purpose>.next.pem`.

    Raises:
        ConfigError: One cannot be opened; all problems are named.
    """
    return _open_keys(config, ROTATED, ".next.pem")


def _open_keys(
    config: Config, purposes: Iterable[Purpose], ending: str, *, needed: Purpose | None = None
) -> Mapping[Purpose, SoftwareKey]:
    problems: list[str] = []
    passphrase = _read_passphrase(config, problems)
    found: dict[Purpose, SoftwareKey] = {}
    for purpose in purposes:
        path = config.keys_folder / f"{purpose}{ending}"
        if path.exists():
            try:
                found[purpose] = load_key_file(path, passphrase)
            except CivregError as error:
                problems.append(f"keys/{path.name}: {error}")
    if needed is not None and needed not in found:
        problems.append(f"keys/{needed}.pem: missing; without it no other node lets this one in")
    if problems:
        raise ConfigError(tuple(problems))
    return found


def open_storage(config: Config, genesis: Genesis) -> Storage:
    """Open the stores of a home; make them where there are none.

    A start that is refused makes nothing and loses nothing: what is there is opened and compared
    before what is missing is made, and a missing chain is not made below a log that is ahead of it.

    Raises:
        WrongHomeError: The chain store is of another network.
        CorruptStoreError: A store is damaged, or lost files by which the others are known.
        CorruptWalError: The log is damaged, another node's, or ahead of the chain.
        StoreInUseError: Another process has a store open.
        DiskRefusedError: The system refuses.
    """
    folder = config.data_folder
    path = folder / VAULT_FOLDER
    with ExitStack() as opened:
        store = _open_chain(folder, genesis, opened)
        _check_log(config, 0 if store is None else store.height)
        is_vault_new = not has_database(path, VAULT_NAME)
        vault = None if is_vault_new else opened.enter_context(closing(Vault.open(path)))
        if store is None:
            store = opened.enter_context(closing(_make_chain(folder, genesis)))
        if vault is None:
            vault = opened.enter_context(closing(Vault.open(path)))
            vault.mark.note_made_at(store.height)
        is_log_new = not (folder / WAL_FILE).exists()
        log = WriteAheadLog.open(folder / WAL_FILE)
        storage = Storage(store, vault, log, is_vault_new, is_log_new)
        opened.pop_all()
    return storage


def _open_chain(folder: Path, genesis: Genesis, opened: ExitStack) -> ChainStore | None:
    """Return the chain; None where there is none, or where making it was interrupted."""
    try:
        store = opened.enter_context(closing(ChainStore.open(folder)))
    except StoreMissingError:
        return None
    if store.genesis.network_id != genesis.network_id:
        raise WrongHomeError("data/chain belongs to another network than genesis.civreg")
    return store


def _check_log(config: Config, height: int) -> None:
    """Refuse a log that this chain does not bear, before anything is made."""
    path = config.data_folder / WAL_FILE
    if path.exists():
        read_own(check_log(path), config.agency, height)


def _make_chain(folder: Path, genesis: Genesis) -> ChainStore:
    with system_refusals("the data folder cannot be made"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = initial_state(genesis)
    hashes = {bytes(key): value for key, value in state.tree_changes().items()}
    tree = state_tree.update(_no_page, hashes)
    stored = {key: value for key, value in state.changes().items() if value is not None}
    return ChainStore.create(folder, genesis, stored, tree.pages)


def open_signer(
    config: Config,
    keys: Mapping[Purpose, SoftwareKey],
    next_keys: Mapping[Purpose, SoftwareKey],
    *,
    allow_missing_guard: bool,
) -> GuardedSigner | None:
    """Return the guarded consensus key; None where there is none: an observer.

    Args:
        config: Where the guard is.
        keys: From `load_keys`.
        next_keys: From `load_next_keys`.
        allow_missing_guard: The operator says that this key has never signed.

    Raises:
        GuardError: See `node.signer`.
    """
    key = keys.get(Purpose.CONSENSUS)
    if key is None:
        return None
    guard = GuardFile(config.data_folder / GUARD_FILE)
    if allow_missing_guard and is_guard_made_up(config):
        GuardFile(config.data_folder / SUPPOSED_FILE).replace(b"made by --new-guard\n")
    following = next_keys.get(Purpose.CONSENSUS)
    return GuardedSigner(key, guard, allow_missing=allow_missing_guard, next_key=following)


def note_lost_log(storage: Storage, signer: GuardedSigner | None, log: Log) -> int | None:
    """Say that a validator lost its consensus log; return the height that its guard knows, or None.

    No vote depends on it: a guard that is ahead of its log keeps the node silent (`node.startup`).
    But a log does not go away by itself, and what goes once may go again.
    """
    last = None if signer is None else signer.last
    if last is None or not storage.is_log_new:
        return None
    log.error("log_missing", guard_height=last.height, height=storage.store.height)
    return last.height


def check_signer(config: Config, *, allow_missing_guard: bool) -> None:
    """Refuse a guard that `open_signer` would refuse, before anything is made for this start.

    Raises:
        GuardError: See `node.signer`.
    """
    path = config.data_folder / GUARD_FILE
    if allow_missing_guard or not (config.keys_folder / f"{Purpose.CONSENSUS}.pem").exists():
        return
    if not path.exists():
        raise GuardMissingError(
            "there is a consensus key and no guard file: nobody knows what it has signed"
        )
    check_guard(path, consensus_key_ids(config))


def consensus_key_ids(config: Config) -> list[KeyId]:
    """Return the ids of the consensus key and of the next one, as far as they are here."""
    names = (f"{Purpose.CONSENSUS}.pem", f"{Purpose.CONSENSUS}.next.pem")
    paths = [config.keys_folder / name for name in names]
    return [read_public_key(path).key_id for path in paths if path.exists()]


def is_guard_made_up(config: Config) -> bool:
    """Tell whether there is no guard, or one of which nobody knows what its key had signed before.

    A node that was started without its guard and stopped before it signed anything has a guard at
    the next start, and knows no more than at the first.
    """
    has_guard = (config.data_folder / GUARD_FILE).exists()
    return not has_guard or (config.data_folder / SUPPOSED_FILE).exists()


def write_ports(config: Config, ports: Mapping[str, int]) -> None:
    """Tell other programs which ports the node listens on, all or nothing."""
    path = config.ports_file
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    beside.write_text(json.dumps(dict(ports)) + "\n")
    beside.replace(path)


def remove_ports(config: Config) -> None:
    """Say that the node does not listen any longer."""
    config.ports_file.unlink(missing_ok=True)


def _no_page(key: bytes) -> bytes | None:  # noqa: ARG001 - a tree without pages
    return None


def _read_passphrase(config: Config, problems: list[str]) -> bytes | None:
    path = config.passphrase_file
    if path is None:
        if not config.unencrypted:
            problems.append("keys.passphrase_file: missing; or set keys.unencrypted = true")
        return None
    try:
        if os.stat(path).st_mode & _OTHERS:  # noqa: PTH116 - one call for file and link alike
            problems.append("keys.passphrase_file: others can read it; wanted: mode 0600")
        raw = path.read_bytes()
    except OSError as error:
        problems.append(f"keys.passphrase_file: cannot be read ({error.strerror})")
        return None
    if len(raw) > PASSPHRASE_BYTES_MAX:
        problems.append(f"keys.passphrase_file: over {PASSPHRASE_BYTES_MAX} bytes")
    return raw.rstrip(b"\r\n")
