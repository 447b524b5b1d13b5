"""What stands in an entry's parts: one head, record parts, object parts, one context.

Each class has a `*_value` here that gives its array, and a `read_*` in `ledger.part_readers` that
checks an array and makes the class. Nothing here knows what a kind, a term or a rule means: that is
the registry's. The `sort_*` functions put lists into the order that the format demands.

Source: docs/formats.md, section 5.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias, cast

from keys.hashing import Digest
from keys.signing import KeyId
from ledger.canonical import Value, encode
from ledger.frozen import quick_init
from ledger.ids import ActId, OfficeId, RecordId

PART_VERSION: Final = 1
CUSTODIAN_TERM: Final = "custodian"
"""The term of the agency's vault service, which signs last."""

CUSTODY: Final = "custody"
"""Stands in a signer's array where the officers of a custody form follow."""


@quick_init
@dataclass(frozen=True, slots=True)
class About:
    """The record, at a version, that an act without a new version speaks of."""

    record_id: RecordId
    version: int


@quick_init
@dataclass(frozen=True, slots=True)
class KeySigner:
    """Someone who signs with a key of their own.

    Attributes:
        term: The policy's term that this signature fulfils.
        acting_for: The record for whose owner it is given, or None.
        key_id: Whose key; the state says so.
    """

    term: str
    acting_for: RecordId | None
    key_id: KeyId


@quick_init
@dataclass(frozen=True, slots=True)
class CustodySigner:
    """Someone without a key, for whom officers attest a signed form.

    Attributes:
        term: The policy's term that this form fulfils.
        acting_for: The record for whose owner it is given, or None.
        officers: Key ids of the officers, ascending; the slot holds their signatures in this order.
        form_digest: Digest of the form that the person signed.
    """

    term: str
    acting_for: RecordId | None
    officers: tuple[KeyId, ...]
    form_digest: Digest


Signer: TypeAlias = KeySigner | CustodySigner


@quick_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The part that says what act this is, where, when and by whom.

    Attributes:
        network_id: The network that this act is for.
        kind: `type/operation`.
        schema_version: Version of the type's schema, from 0.
        act_id: 16 random bytes.
        about: What a side act is about, or None.
        office: The office that acts, or None.
        event_date: ISO date of the event.
        received_on: ISO date when the office received it, or None.
        not_after_ms: The last block time at which the entry is valid.
        legal_basis: Articles, in the author's order.
        signers: Complete and in order, see `sort_signers`.
    """

    network_id: Digest
    kind: str
    schema_version: int
    act_id: ActId
    about: About | None
    office: OfficeId | None
    event_date: str
    received_on: str | None
    not_after_ms: int
    legal_basis: tuple[str, ...]
    signers: tuple[Signer, ...]

    @property
    def type_name(self) -> str:
        """The first half of the kind."""
        return self.kind.partition("/")[0]

    @property
    def operation(self) -> str:
        """The second half of the kind."""
        return self.kind.partition("/")[2]

    @property
    def first_key_id(self) -> KeyId:
        """Key id of the first signer; of a custody form its first officer's."""
        first = self.signers[0]
        return first.key_id if isinstance(first, KeySigner) else first.officers[0]


@quick_init
@dataclass(frozen=True, slots=True)
class Holder:
    """A share of a record: one party, or several together.

    Attributes:
        parties: Identities, ascending.
        numerator: Of the share, from 1.
        denominator: Of the share, from 1.
    """

    parties: tuple[RecordId, ...]
    numerator: int
    denominator: int


@quick_init
@dataclass(frozen=True, slots=True)
class TagProof:
    """Why a tag is believed: the tag service signed it for this record and officer.

    Attributes:
        commitment_leaf: The leaf of the field in the record's commitment.
        officer_key_id: Who asked.
        expiry_ms: Until when the answer may be used.
        signature: By the tag service's key.
    """

    commitment_leaf: Digest
    officer_key_id: KeyId
    expiry_ms: int
    signature: bytes


@quick_init
@dataclass(frozen=True, slots=True)
class Claim:
    """A unique claim: a value in clear with epoch 0, or a tag (32 bytes) with its proof."""

    namespace: str
    epoch: int
    value: str | Digest
    proof: TagProof | None


@quick_init
@dataclass(frozen=True, slots=True)
class Match:
    """A tag of which equal ones are found, not refused."""

    namespace: str
    epoch: int
    tag: Digest
    proof: TagProof


@quick_init
@dataclass(frozen=True, slots=True)
class Seal:
    """What fixes the sealed body of a record: four digests, see docs/formats.md, section 6."""

    body_digest: Digest
    key_check: Digest
    commitment: Digest
    wraps_digest: Digest


@quick_init
@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPart:
    """What an entry writes of one record.

    Attributes:
        type_name: The record's type.
        record_id: Its id.
        record_version: Its version after this entry, from 1.
        previous_entry: Digest of the entry that wrote the version before, or None.
        member: Fields that validators reason about.
        holders: Owners with their shares, in the author's order.
        links: Other records by role: one id or several, in the author's order.
        claims: Unique claims, see `sort_claims`.
        matches: Match tags, see `sort_matches`.
        seal: The digests of the sealed body, or None without one.
    """

    type_name: str
    record_id: RecordId
    record_version: int
    previous_entry: Digest | None
    member: Mapping[str, Value]
    holders: tuple[Holder, ...]
    links: Mapping[str, RecordId | tuple[RecordId, ...]]
    claims: tuple[Claim, ...]
    matches: tuple[Match, ...]
    seal: Seal | None


@quick_init
@dataclass(frozen=True, slots=True)
class ObjectPart:
    """What a side act makes: a certificate, a grant, a ballot … by its kind and fields."""

    kind: str
    fields: Mapping[str, Value]


@quick_init
@dataclass(frozen=True, slots=True)
class AttestedRule:
    """A rule on sealed fields that an office ran under a pack of rules: it passed, or warned."""

    rule: str
    pack_digest: Digest
    warned: bool


@quick_init
@dataclass(frozen=True, slots=True)
class Evidence:
    """What the office saw: is it sufficient, is it official, digests of the scans (ascending)."""

    sufficient: bool
    official: bool
    digests: tuple[Digest, ...]


@quick_init
@dataclass(frozen=True, slots=True)
class Context:
    """The part that says on which grounds: attested rules, evidence, court order, reason."""

    rules: tuple[AttestedRule, ...]
    evidence: Evidence
    court_order: RecordId | None
    reason: str | None


def signer_value(signer: Signer) -> Value:
    """Return the array of a signer."""
    if isinstance(signer, KeySigner):
        return (signer.term, signer.acting_for, signer.key_id)
    return (signer.term, signer.acting_for, CUSTODY, signer.officers, signer.form_digest)


def sort_signers(signers: Iterable[Signer]) -> tuple[Signer, ...]:
    """Return signers in the order of a head: by their canonical bytes, custodians last."""
    return tuple(sorted(signers, key=signer_place))


def sort_claims(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """Return claims in a record part's order: by canonical([namespace, epoch, value or tag])."""
    return tuple(sorted(claims, key=claim_place))


def sort_matches(matches: Iterable[Match]) -> tuple[Match, ...]:
    """Return matches in the order of a record part: by canonical([namespace, epoch, tag])."""
    return tuple(sorted(matches, key=match_place))


def sort_rules(rules: Iterable[AttestedRule]) -> tuple[AttestedRule, ...]:
    """Return attested rules in the order of a context: by the UTF-8 bytes of their names."""
    return tuple(sorted(rules, key=rule_place))


def head_value(head: Head) -> Value:
    """Return the array of a head."""
    about = None if head.about is None else (head.about.record_id, head.about.version)
    return (
        *(PART_VERSION, "head", head.network_id, head.kind, head.schema_version, head.act_id),
        *(about, head.office, head.event_date, head.received_on, head.not_after_ms),
        *(head.legal_basis, tuple([signer_value(signer) for signer in head.signers])),
    )


def record_value(record: RecordPart) -> Value:
    """Return the array of a record part."""
    seal = record.seal
    claims = [(it.namespace, it.epoch, it.value, _proof_value(it.proof)) for it in record.claims]
    matches = [(it.namespace, it.epoch, it.tag, _proof_value(it.proof)) for it in record.matches]
    return (
        *(PART_VERSION, "record", record.type_name, record.record_id, record.record_version),
        *(record.previous_entry, dict(record.member)),
        tuple([(item.parties, item.numerator, item.denominator) for item in record.holders]),
        cast("dict[str, Value]", dict(record.links)),
        tuple(claims),
        tuple(matches),
        None
        if seal is None
        else (seal.body_digest, seal.key_check, seal.commitment, seal.wraps_digest),
    )


def object_value(made: ObjectPart) -> Value:
    """Return the array of an object part."""
    return (PART_VERSION, "object", made.kind, dict(made.fields))


def context_value(context: Context) -> Value:
    """Return the array of a context."""
    evidence = context.evidence
    rules = [
        (item.rule, item.pack_digest, "warn" if item.warned else "pass") for item in context.rules
    ]
    return (
        *(PART_VERSION, "context", tuple(rules)),
        (evidence.sufficient, evidence.official, evidence.digests),
        *(context.court_order, context.reason),
    )


def _proof_value(proof: TagProof | None) -> Value:
    if proof is None:
        return None
    return (proof.commitment_leaf, proof.officer_key_id, proof.expiry_ms, proof.signature)


def signer_place(signer: Signer) -> tuple[bool, bool, int, bytes, bytes, bytes]:
    """Return what signers ascend by: their canonical bytes taken apart, custodians last.

    Encoding them would be on the hot path and give the same order: the number of elements comes
    first, then the length of the term, the term, nil before an id, and the rest.
    """
    if isinstance(signer, KeySigner):
        is_form, rest = False, bytes(signer.key_id)
    else:
        is_form, rest = True, encode((signer.officers, signer.form_digest))
    is_custodian, length, term = _term_place(signer.term)
    return is_custodian, is_form, length, term, signer.acting_for or b"", rest


@lru_cache(maxsize=1_024)
def _term_place(term: str) -> tuple[bool, int, bytes]:
    encoded = term.encode()
    return term == CUSTODIAN_TERM, len(encoded), encoded


def claim_place(claim: Claim) -> bytes:
    """Return what claims ascend by."""
    return encode((claim.namespace, claim.epoch, claim.value))


def match_place(match: Match) -> bytes:
    """Return what match tags ascend by."""
    return encode((match.namespace, match.epoch, match.tag))


def rule_place(rule: AttestedRule) -> bytes:
    """Return what attested rules ascend by."""
    return rule.rule.encode()
