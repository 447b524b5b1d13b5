"""A small network for tests: deterministic keys, a genesis document, final blocks.

Everything follows from names, so two runs give the same bytes (Ed25519 signs deterministically).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from keys.hashing import Digest
from keys.signing import Algorithm, Signer, SoftwareKey
from ledger import genesis, merkle
from ledger.blocks import Block, Header, build_block, outcomes_root
from ledger.entries import (
    AttestedRule,
    Context,
    Entry,
    Evidence,
    Head,
    KeySigner,
    RecordPart,
    Seal,
    compose,
    sort_signers,
)
from ledger.ids import ActId, AgencyId, OfficeId, RecordId
from ledger.outcomes import Outcome
from ledger.quorum import QuorumCertificate, precommit_message
from ledger.validators import ValidatorSet

GENESIS_MS = 1_767_225_600_000  # 2026-01-01


def seed(*names: object) -> bytes:
    """32 bytes that follow from names."""
    return sha256("/".join(map(str, names)).encode()).digest()


def key(*names: object) -> SoftwareKey:
    """A deterministic Ed25519 key."""
    return SoftwareKey.from_private_bytes(Algorithm.ED25519, seed("key", *names))


@dataclass(frozen=True)
class Network:
    """A genesis document and the private keys that go with it."""

    genesis: genesis.Genesis
    consensus: Mapping[bytes, Signer]

    def quorum_certificate(
        self,
        block_id: bytes,
        height: int,
        *,
        round_number: int = 0,
        validators: ValidatorSet | None = None,
    ) -> QuorumCertificate:
        """Precommits by just more than two thirds of a set (default: the first)."""
        members = validators or self.genesis.validator_set
        message = precommit_message(self.genesis.network_id, height, round_number, block_id)
        signatures, weight = [], 0
        for index, member in enumerate(members.validators):
            if not members.is_quorum(weight):
                signatures.append((index, self.consensus[member.key.key_id].sign(message)))
                weight += member.weight
        return QuorumCertificate(height, round_number, block_id, tuple(signatures))


def founding_part(name: str, *, weight: int = 1) -> genesis.FoundingPart:
    """What an agency of this name says of itself in genesis."""
    keys = {
        purpose: key(name, purpose).public
        for purpose in ("consensus", "peer", "custodian", "tag", "checkpoint")
    }
    keys["seal"] = SoftwareKey.from_private_bytes(
        Algorithm.MLKEM768_X25519, seed("seal", name)
    ).public
    if not weight:
        del keys["consensus"]
    officers = [
        genesis.FoundingOfficer(
            RecordId(seed("officer", name, number)[:16]),
            (genesis.Role("register", ("*",), "2026-01-01", None),),
            key(name, number, "sign").public,
            key(name, number, "auth").public,
        )
        for number in range(2)
    ]
    return genesis.FoundingPart(
        agency_id=AgencyId(seed("agency", name)[:16]),
        governance_k=2,
        governance_keys=tuple(key(name, "govern", number).public for number in range(3)),
        keys=keys,
        peer_address=f"https://{name}.example:7443",
        office=genesis.Office(
            OfficeId(seed("office", name)[:16]), f"Office of {name}", "00001", "2025-07-01", "ward"
        ),
        officers=tuple(officers),
    )


def agreed_template(names: Sequence[str], *, weights: Sequence[int] = ()) -> genesis.Template:
    """What these agencies agree on."""
    agencies = [
        genesis.Agency(
            AgencyId(seed("agency", name)[:16]),
            f"Agency {name}",
            "civil-status",
            weight,
            (genesis.Mandate(("*",), ("*",), ("*",), "2026-01-01", None, "Law 60/2014"),),
        )
        for name, weight in zip(names, weights or [1] * len(names), strict=True)
    ]
    ids = sorted(agency.agency_id for agency in agencies)
    return genesis.Template(
        name="test network",
        time_ms=GENESIS_MS,
        parameters={"idle_ms": 1_000},
        agencies=tuple(agencies),
        namespaces=(genesis.Namespace("person.number", ids[0], ids[1]),),
        attachments=(),
    )


ATTACHMENTS = {"type/birth": b"name = 'birth'\n", "table/units": b"00001;Ba Dinh\n"}


def small_network(*, weights: Sequence[int] = (1, 1, 1, 1)) -> Network:
    """A network of agencies `a`, `b`, ... with these weights."""
    names = [chr(ord("a") + number) for number in range(len(weights))]
    template_raw = genesis.compose_template(agreed_template(names, weights=weights), ATTACHMENTS)
    parts = []
    for name, weight in zip(names, weights, strict=True):
        raw = genesis.print_part(founding_part(name, weight=weight))
        signers = [key(name, "govern", number) for number in range(2)]
        parts.append((raw, [genesis.sign_part(template_raw, raw, one) for one in signers]))
    document = genesis.merge_genesis(template_raw, parts, ATTACHMENTS)
    consensus = [key(name, "consensus") for name in names]
    return Network(document, {one.public.key_id: one for one in consensus})


def small_entry(network_id: Digest, name: object, *, records: int = 1) -> Entry:
    """A birth with as many records as wanted and two signatures that verify."""
    officer, custodian = key("entry-officer"), key("entry-custodian")
    signers = sort_signers(
        [
            KeySigner("officer(register)", None, officer.public.key_id),
            KeySigner("custodian", None, custodian.public.key_id),
        ]
    )
    head = Head(
        network_id=network_id,
        kind="birth/register",
        schema_version=1,
        act_id=ActId(seed("act", name)[:16]),
        about=None,
        office=OfficeId(seed("office", "a")[:16]),
        event_date="2026-02-28",
        received_on="2026-03-01",
        not_after_ms=GENESIS_MS + 86_400_000,
        legal_basis=("Law 60/2014 art. 16",),
        signers=signers,
    )
    unsigned = compose(
        head,
        [small_record(name, number) for number in range(records)],
        [],
        Context(
            rules=(AttestedRule("duplicate_search", Digest(seed("pack")), warned=False),),
            evidence=Evidence(
                sufficient=True, official=True, digests=(Digest(seed("scan", name)),)
            ),
            court_order=None,
            reason=None,
        ),
        [seed("blind", name, number)[:16] for number in range(records + 2)],
    )
    keys = {one.public.key_id: one for one in (officer, custodian)}
    slots = [
        keys[signer.key_id].sign(unsigned.sign_message)
        for signer in signers
        if isinstance(signer, KeySigner)
    ]
    return unsigned.signed(slots)


def small_record(name: object, number: int = 0) -> RecordPart:
    """A record part of a birth."""
    digests = [Digest(seed("seal", name, number, index)) for index in range(4)]
    return RecordPart(
        type_name="birth",
        record_id=RecordId(seed("record", name, number)[:16]),
        record_version=1,
        previous_entry=None,
        member={"born_on": "2026-02-28", "unit": "00001"},
        holders=(),
        links={"mother": RecordId(seed("mother", name)[:16])},
        claims=(),
        matches=(),
        seal=Seal(*digests),
    )


class ChainBuilder:
    """Makes one valid block after the other; the state root is made up, for nobody replays it."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.validators = network.genesis.validator_set
        self.blocks: list[Block] = []
        self.outcomes: list[tuple[Outcome, ...]] = []
        self.log_leaves: list[Digest] = []
        self.skip_ms = 1_000

    def next_block(
        self,
        entries: Sequence[Entry] = (),
        *,
        next_validators: ValidatorSet | None = None,
        state_root: Digest | None = None,
    ) -> tuple[Block, QuorumCertificate]:
        """Append a block and return it with its quorum certificate."""
        outcomes = tuple(
            Outcome(entry_digest=entry.entry_digest, registration_number=f"00001/2026/{number}")
            for number, entry in enumerate(entries)
        )
        parent = self.blocks[-1].header if self.blocks else None
        network_id = self.network.genesis.network_id
        height = len(self.blocks) + 1
        following = next_validators or self.validators
        self.log_leaves += [merkle.leaf_hash(entry.log_leaf) for entry in entries]
        headers = [merkle.leaf_hash(block.header.digest) for block in self.blocks]
        header = Header(
            network_id=network_id,
            height=height,
            round=0,
            time_ms=(parent.time_ms if parent else GENESIS_MS) + self.skip_ms,
            parent=parent.digest if parent else network_id,
            headers_root=merkle.root(headers),
            entries_root=merkle.EMPTY_ROOT,
            entries_count=0,
            outcomes_root=outcomes_root(outcomes),
            log_size=len(self.log_leaves),
            log_root=merkle.root(self.log_leaves),
            state_root=state_root or Digest(seed("state", height)),
            validators=self.validators.digest,
            next_validators=following.digest,
            proposer=height % len(self.validators),
            evidence_root=merkle.EMPTY_ROOT,
        )
        block = build_block(header, entries, ())
        certificate = self.network.quorum_certificate(
            block.header.digest, height, validators=self.validators
        )
        self.blocks.append(block)
        self.outcomes.append(outcomes)
        self.validators = following
        return block, certificate


def with_header(block: Block, **changes: object) -> Block:
    """The same block under a header that says something else (and may be wrong)."""
    header = replace(block.header, **changes)  # type: ignore[arg-type]  # a test's own choice
    return Block(header, block.entries, block.evidence, block.raw)
