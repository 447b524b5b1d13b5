"""The town of tests/registry on real chain stores: entries with bodies, certificates, homes."""

from dataclasses import replace
from pathlib import Path

from consensus.parameters import LAN
from keys.hashing import Digest, domain, hash_with
from keys.keyring import create_key_file
from keys.signing import Algorithm, Purpose, SoftwareKey
from ledger import state_tree
from ledger.ids import AgencyId
from ledger.quorum import QuorumCertificate, precommit_message
from ledger.store import ChainStore
from node.application import Application
from node.config import Address, Config, render_config
from node.entry_cache import EntryCache
from node.mempool import Mentions, PooledEntry
from node.signer import create_guard
from registry.apply import resolve_signatures, verify_entry
from registry.genesis_state import initial_state
from tests.node.homes import free_port
from tests.registry.town import AGENCIES, CALM, Town, identifier, key, seed

FAST = replace(LAN, idle_ms=200, rebroadcast_ms=200)
PARAMETERS = {**CALM, "consensus": FAST.to_value(), "development": True}
_BODY = domain("body")


class SealedTown(Town):
    """A town whose records name bodies that exist."""

    def __post_init__(self):
        super().__post_init__()
        self.bodies: dict[Digest, bytes] = {}

    def part(self, type_name, record, **given):
        part = super().part(type_name, record, **given)
        if part.seal is None:
            return part
        body = b"body of %s, version %d" % (record.hex().encode(), part.record_version)
        digest = hash_with(_BODY, body)
        self.bodies[digest] = body
        return replace(part, seal=replace(part.seal, body_digest=digest))


def make_town(time_ms: int | None = None) -> SealedTown:
    town = SealedTown(parameters=PARAMETERS)
    if time_ms is not None:
        town.time_ms = time_ms
    return town


def make_application(folder: Path, town: Town) -> Application:
    """An application over a new chain store of the town's genesis."""
    state = initial_state(town.genesis)
    hashes = {bytes(position): value for position, value in state.tree_changes().items()}
    tree = state_tree.update(lambda _key: None, hashes)
    stored = {name: value for name, value in state.changes().items() if value is not None}
    store = ChainStore.create(folder, town.genesis, stored, tree.pages)
    return Application(store, EntryCache())


def consensus_keys(town: Town) -> list[SoftwareKey]:
    """The keys of the validators, in the order of the set."""
    by_id = {key(name, "consensus").public.key_id: key(name, "consensus") for name in AGENCIES}
    return [by_id[one.key.key_id] for one in town.genesis.validator_set.validators]


def certificate(town: Town, height: int, block_id: bytes) -> QuorumCertificate:
    message = precommit_message(town.network_id, height, 0, block_id)
    signed = [(index, one.sign(message)) for index, one in enumerate(consensus_keys(town))]
    return QuorumCertificate(height, 0, block_id, tuple(signed[:3]))


def pooled(application: Application, raw: bytes) -> PooledEntry:
    """An entry as admission puts it into the pool; its signatures are verified."""
    entry = application.entries.parse(raw)
    verified = verify_entry(entry, resolve_signatures(application.state(), entry))
    application.entries.remember(verified)
    mentions = Mentions.of(entry)
    return PooledEntry(
        verified=verified,
        entry_digest=entry.entry_digest,
        signer=entry.head.first_key_id,
        writes=mentions.writes,
        names=mentions.names,
        not_after_ms=entry.head.not_after_ms,
        body_digests=(),
        bodies_bytes=0,
        size=len(raw),
        received_ms=0,
    )


def service_key(name: str, purpose: Purpose) -> SoftwareKey:
    if purpose is Purpose.SEAL:
        return SoftwareKey.from_private_bytes(Algorithm.MLKEM768_X25519, seed("seal", name))
    if purpose is Purpose.CHECKPOINT:
        return SoftwareKey.from_private_bytes(Algorithm.ED25519, seed("checkpoint", name))
    return key(name, str(purpose))


def make_town_homes(folder: Path, town: Town) -> list[Path]:
    """Homes of the town's four nodes, in the order of their agencies' ids."""
    purposes = ("consensus", "peer", "custodian", "seal", "checkpoint", "tag")
    names = sorted(AGENCIES, key=lambda name: identifier("agency", name))
    addresses = {
        AgencyId(identifier("agency", name)): Address("127.0.0.1", free_port()) for name in names
    }
    homes = []
    for name in names:
        home, own = folder / name, AgencyId(identifier("agency", name))
        (home / "keys").mkdir(parents=True)
        (home / "data").mkdir()
        for purpose in map(Purpose, purposes):
            path = home / "keys" / f"{purpose}.pem"
            create_key_file(path, service_key(name, purpose), None, unencrypted=True)
        create_guard(home / "data" / "guard", key(name, "consensus").public.key_id)
        (home / "genesis.civreg").write_bytes(town.genesis.raw)
        config = Config(
            home=home,
            agency=own,
            name=name,
            peer=addresses[own],
            public=Address("127.0.0.1", 0),
            private=Address("127.0.0.1", 0),
            peers={agency: address for agency, address in addresses.items() if agency != own},
            unencrypted=True,
        )
        (home / "config.toml").write_text(render_config(config))
        homes.append(home)
    return homes
