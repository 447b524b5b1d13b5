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
from ledger.entries import Entry, ObjectPart
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
    Hand,
    by,
    founding_part,
    identifier,
    key,
    seed,
    stored_genesis,
)
from tests.sim.files import MOUNTED, Disk, InventedPath, invented_disks
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
def _consensus_public(name: str) -> PublicKey:
    made = SoftwareKey.from_private_bytes(Algorithm.ED25519, seed("sim", name)).public
    SECRETS[made.public] = seed("secret", name)
    return made


@cache
def founding(count: int) -> genesis.Genesis:
    """A genesis of so many agencies, each a validator of weight one."""
    names = (*AGENCIES, "health", "courts", "labour")[:count]
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
            genesis.Namespace("person.number", first, second),
        ),
        attachments=(),
    )
    template_raw = genesis.compose_template(template, attachments)
    parts = []
    for name in names:
        part = founding_part(name)
        part = replace(part, keys={**part.keys, "consensus": _consensus_public(name)})
        raw = genesis.print_part(part)
        signers = [key(name, "govern", number) for number in range(2)]
        parts.append((raw, [genesis.sign_part(template_raw, raw, one) for one in signers]))
    return genesis.merge_genesis(template_raw, parts, attachments)


ROTATING = "land"
"""The agency that may change its consensus key."""


def rotation_entry(town: SealedTown) -> Entry:
    """The entry by which governors give their validator another consensus key; it signs, too."""
    fresh: Any = InventedKey(_consensus_public(f"{ROTATING} next"))
    public = {"algorithm": int(fresh.public.algorithm), "public": fresh.public.public}
    item = ObjectPart("key", {"purpose": "consensus", **public})
    hands = [by("agency", ROTATING, "govern", number) for number in range(2)]
    hands.append(Hand("new_key", (fresh,)))
    return town.entry("agency/change_key", hands, objects=[item], office=None)


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
        members: Agencies in the order of the set.
        chain: Rows of a chain store at height 0.
        submissions: Entries with bodies; those that build on others stand behind them.
        digests: Of the entries, parallel.
        rotating: Index of the member that may change its key; the last submission does it.
        start_ms: When the simulation begins.
    """

    genesis: genesis.Genesis
    members: tuple[AgencyId, ...]
    chain: dict[bytes, bytes]
    submissions: tuple[Submission, ...]
    digests: tuple[bytes, ...]
    rotating: int
    start_ms: int

    def public(self, index: int) -> PublicKey:
        """The consensus key of a validator in genesis."""
        return self.genesis.validator_set[index].key

    def next_public(self, index: int) -> PublicKey | None:
        """The key that a validator may change to; None for those that do not."""
        return _consensus_public(f"{ROTATING} next") if index == self.rotating else None


@cache
def network_of(count: int) -> Network:
    """Return the network of so many validators."""
    with cheap_signatures():
        return _make_network(count)


def _make_network(count: int) -> Network:
    town = type("Town", (_Town,), {"count": count})()
    for number in range(PEOPLE):
        if number % 3:
            town.create_identity()
        else:
            town.adult(f"person {number}")
    town.accept(rotation_entry(town))
    entries = [entry for _height, _time_ms, found in town.blocks for entry in found]
    submissions = []
    for entry in entries:
        named = [one.seal.body_digest for one in entry.records if one.seal is not None]
        bodies = tuple(town.bodies[digest] for digest in named)
        submissions.append(Submission(entry.raw, bodies))
    members = tuple(one.agency_id for one in town.genesis.validator_set.validators)
    return Network(
        genesis=town.genesis,
        members=members,
        chain=_first_rows(town.genesis),
        submissions=tuple(submissions),
        digests=tuple(bytes(entry.entry_digest) for entry in entries),
        rotating=members.index(AgencyId(identifier("agency", ROTATING))),
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
