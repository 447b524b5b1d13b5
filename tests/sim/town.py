"""The networks that are simulated: genesis, keys, entries. Made once in a process, never changed.

Consensus keys are Ed25519 in genesis, but their signatures are invented: SHA-512 over a secret and
the message, as unforgeable for anybody in here and ninety times as cheap. Signatures of entries are
real P-256; whether one verifies is remembered, for all seeds use the same entries.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from unittest.mock import patch

from cryptography.exceptions import InvalidSignature

import keys.signing
from consensus.parameters import LAN
from keys.signing import Algorithm, PublicKey, SoftwareKey
from ledger import genesis, state_tree
from ledger.ids import AgencyId
from ledger.store import ChainStore
from node.submissions import Submission
from registry import catalogue
from registry.genesis_state import initial_state
from registry.state import State
from tests.node.town_chain import SealedTown
from tests.registry.town import (
    AGENCIES,
    CALM,
    GENESIS_MS,
    founding_part,
    identifier,
    key,
    seed,
    stored_genesis,
)
from tests.sim.calls import InventedPath, invented_disks
from tests.sim.files import MOUNTED, Disk
from tests.sim.power import Power

PARAMETERS = replace(
    LAN,
    idle_ms=600,
    rebroadcast_ms=400,
    prevote_ms=200,
    prevote_step_ms=100,
    precommit_ms=200,
    precommit_step_ms=100,
    propose_step_ms=150,
)
"""Those of a local network, with shorter phases: more rounds go wrong in the same time."""
SKEW_MS_MAX = 40
"""How far a sound clock is off."""
PEOPLE = 24
"""Entries there are to submit: so many identities, and a key for every third of them."""
FOUNDERS = (*AGENCIES, "health", "courts", "labour")
JOINER = "bank"
"""Who may be admitted."""
SECRETS: dict[bytes, bytes] = {}
"""Of consensus keys, by the bytes of the public one."""
OnSign = Callable[[bytes, bytes, bytes], None]


@dataclass(slots=True)
class InventedKey:
    """A consensus key of the simulation; tells `on_sign` what it signs."""

    public: PublicKey
    on_sign: OnSign | None = None

    def sign(self, message: bytes) -> bytes:
        signature = invented_signature(self.public, message)
        if self.on_sign is not None:
            self.on_sign(self.public.public, message, signature)
        return signature


def invented_signature(public: PublicKey, message: bytes) -> bytes:
    """What the holder of a consensus key signs a message with."""
    return hashlib.sha512(SECRETS[public.public] + message).digest()


@cache
def consensus_public(name: str) -> PublicKey:
    made = SoftwareKey.from_private_bytes(Algorithm.ED25519, seed("sim", name)).public
    SECRETS[made.public] = seed("secret", name)
    return made


@cache
def founding(count: int) -> genesis.Genesis:
    """A genesis of so many agencies, each a validator of weight one."""
    names = FOUNDERS[:count]
    mandate = genesis.Mandate(("*",), ("*",), ("*",), "2026-01-01", None, "Law 60/2014")
    first, second = (AgencyId(identifier("agency", name)) for name in ("justice", "police"))
    attachments = dict(catalogue.genesis_attachments())
    template = genesis.Template(
        name="town",
        time_ms=GENESIS_MS,
        parameters={**CALM, "consensus": PARAMETERS.to_value(), "development": True},
        agencies=tuple(
            genesis.Agency(AgencyId(identifier("agency", name)), name, name, 1, (mandate,))
            for name in names
        ),
        namespaces=(
            genesis.Namespace("birth.name", first, second),
            genesis.Namespace("identity.name", first, second),
            genesis.Namespace("person.number", first, second),
        ),
        attachments=(),
    )
    template_raw = genesis.compose_template(template, attachments)
    parts = []
    for name in names:
        part = founding_part(name)
        part = replace(part, keys={**part.keys, "consensus": consensus_public(name)})
        raw = genesis.print_part(part)
        signers = [key(name, "govern", number) for number in range(2)]
        parts.append((raw, [genesis.sign_part(template_raw, raw, one) for one in signers]))
    return genesis.merge_genesis(template_raw, parts, attachments)


class _Town(SealedTown):
    """The sealed town on a genesis of ours."""

    count = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        self.genesis = founding(self.count)
        self.network_id = self.genesis.network_id
        self.state = State(stored_genesis(self.genesis).get)


@dataclass(frozen=True, slots=True)
class Network:
    """What a simulation begins with.

    Attributes:
        genesis: The document.
        founders: How many validators it has.
        members: Agencies by member: the founders in the order of their set, then who may join.
        chain: Rows of a chain store at height 0.
        submissions: Entries with bodies; those that build on others stand behind them.
        digests: Of the entries, parallel.
        start_ms: When the simulation begins.
    """

    genesis: genesis.Genesis
    founders: int
    members: tuple[AgencyId, ...]
    chain: dict[bytes, bytes]
    submissions: tuple[Submission, ...]
    digests: tuple[bytes, ...]
    start_ms: int

    def public(self, member: int, is_next: bool = False) -> PublicKey:  # noqa: FBT001, FBT002
        """Return the consensus key that a member begins with, or the one that it may change to."""
        name = member_name(self.founders, member)
        return consensus_public(f"{name} next" if is_next else name)


@cache
def member_name(founders: int, member: int) -> str:
    """Return what the agency of a member is called."""
    names = sorted(FOUNDERS[:founders], key=lambda name: identifier("agency", name))
    return [*names, JOINER][member]


def new_town(founders: int) -> SealedTown:
    """Return a town of so many agencies at height 0, for composing entries."""
    town: SealedTown = type("Town", (_Town,), {"count": founders})()
    return town


@cache
def network_of(count: int) -> Network:
    """Return the network of so many validators."""
    with cheap_signatures():
        return _make_network(count)


def _make_network(count: int) -> Network:
    town = new_town(count)
    for number in range(PEOPLE):
        if number % 3:
            town.create_identity()
        else:
            town.adult(f"person {number}")
    entries = [entry for _height, _time_ms, found in town.blocks for entry in found]
    submissions = []
    for entry in entries:
        named = [one.seal.body_digest for one in entry.records if one.seal is not None]
        bodies = tuple(town.bodies[digest] for digest in named)
        submissions.append(Submission(entry.raw, bodies))
    names = [member_name(count, member) for member in range(count + 1)]
    return Network(
        genesis=town.genesis,
        founders=count,
        members=tuple([AgencyId(identifier("agency", name)) for name in names]),
        chain=_first_rows(town.genesis),
        submissions=tuple(submissions),
        digests=tuple(bytes(entry.entry_digest) for entry in entries),
        start_ms=GENESIS_MS + 5_000,
    )


def _first_rows(document: genesis.Genesis) -> dict[bytes, bytes]:
    import random  # noqa: PLC0415 - dice that are never thrown

    state = initial_state(document)
    hashes: dict[bytes, bytes | None] = {bytes(k): v for k, v in state.tree_changes().items()}
    tree = state_tree.update(lambda _key: None, hashes)
    stored = {name: value for name, value in state.changes().items() if value is not None}
    with invented_disks():
        disk = MOUNTED["new"] = Disk(Power(random.Random(0)))
        folder: Any = InventedPath("new")
        ChainStore.create(folder, document, stored, tree.pages)
    (rows,) = disk.databases.values()
    return rows.rows


class _RememberingKey:
    """A loaded P-256 key that verifies each signature once in a process."""

    __slots__ = ("_known", "_real")

    def __init__(self, real: Any) -> None:
        self._real = real
        self._known: dict[tuple[bytes, bytes], bool] = {}

    def verify(self, der: bytes, message: bytes, algorithm: Any) -> None:
        place = (der, message)
        if place not in self._known:
            try:
                self._real.verify(der, message, algorithm)
                self._known[place] = True
            except InvalidSignature:
                self._known[place] = False
        if not self._known[place]:
            raise InvalidSignature


@cache
def _remembering(public: bytes) -> _RememberingKey:
    return _RememberingKey(_load_p256(public))


_load_p256 = keys.signing._load_p256
_verify_other = keys.signing._verify_other


def _verify_invented(public: PublicKey, message: bytes, signature: bytes) -> None:
    secret = SECRETS.get(public.public)
    if secret is None:
        _verify_other(public, message, signature)
    elif hashlib.sha512(secret + message).digest() != signature:
        raise InvalidSignature


@contextmanager
def cheap_signatures() -> Iterator[None]:
    """Verify invented signatures, and real ones once."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(keys.signing, "_verify_other", _verify_invented))
        stack.enter_context(patch.object(keys.signing, "_load_p256", _remembering))
        yield
