"""Block 0: what the founders agreed on, each agency's signed part, and what is attached.

The ceremony has three steps. `compose_template` writes down what all agree on; each agency prints
its part and its governors sign it (`sign_part`); `merge_genesis` puts everything together. The
network's name for ever, `network_id`, is the digest of template and parts without the signatures,
so that collecting them cannot change it. Attachments (record types, code tables, rule packs) are
fixed by the digests in the template.

The `Charter` is the document without its attachments: all that a trust bundle needs.

Source: docs/formats.md, section 10.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple

from keys.errors import BadSignatureError
from keys.hashing import Digest, domain, hash_with, sha256
from keys.signing import KEY_ID_BYTES, KeyId, Signer, verify
from ledger.canonical import Value, decode, encode
from ledger.errors import InvalidGenesisError
from ledger.fields import read_array, read_bytes, read_bytes_up_to
from ledger.founding import (
    Agency,
    FoundingOfficer,
    FoundingPart,
    Mandate,
    Namespace,
    Office,
    Role,
    Template,
    print_part,
    read_part,
    read_template,
    template_value,
)
from ledger.limits import VALIDATORS_MAX
from ledger.quorum import read_signature
from ledger.validators import Validator, ValidatorSet

__all__ = [
    "Agency", "Charter", "FoundingOfficer", "FoundingPart", "Genesis", "Mandate", "Namespace",
    "Office", "PartSignature", "Role", "Template", "attachment_digest", "compose_template",
    "merge_genesis", "parse_genesis", "parse_part", "parse_template", "part_message", "print_part",
    "read_charter", "sign_part", "template_digest",
]  # fmt: skip

GENESIS_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes of a genesis document; the code tables of a country need a few million."""
TEMPLATE_BYTES_MAX: Final = 4 * 1024 * 1024
PART_BYTES_MAX: Final = 1024 * 1024
VALIDATORS_MIN: Final = 4
"""Fewer cannot bear a liar; only a development network may have them."""

_GENESIS: Final = domain("genesis")
_TEMPLATE: Final = domain("genesis-template")
_ATTACHMENT: Final = domain("genesis-attachment")
_PART: Final = domain("genesis-part")


class PartSignature(NamedTuple):
    """A governance key's signature over a part."""

    key_id: KeyId
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Charter:
    """Template, parts and their signatures, all checked; made by `read_charter`.

    Attributes:
        template_raw: The template's bytes.
        template: What they say.
        parts_raw: The parts' bytes, ascending by agency id.
        parts: What they say; one for each agency of the template, in its order.
        signatures: Of each part, ascending by key id; at least `governance_k`.
        network_id: 32 bytes; what every signed message of the network begins with.
        validators: The set of height 1.
    """

    template_raw: bytes
    template: Template
    parts_raw: tuple[bytes, ...]
    parts: tuple[FoundingPart, ...]
    signatures: tuple[tuple[PartSignature, ...], ...]
    network_id: Digest
    validators: ValidatorSet

    def to_values(self) -> tuple[Value, Value, Value]:
        """Return template, parts and signatures as documents and trust bundles hold them."""
        signatures = [[tuple(one) for one in part] for part in self.signatures]
        return self.template_raw, self.parts_raw, tuple([tuple(part) for part in signatures])


@dataclass(frozen=True, slots=True, kw_only=True)
class Genesis:
    """A whole genesis document, checked.

    Attributes:
        charter: Template, parts and signatures.
        attachments: By name, in the order of the template.
        raw: The document's bytes.
    """

    charter: Charter
    attachments: Mapping[str, bytes]
    raw: bytes = field(repr=False)

    @property
    def network_id(self) -> Digest:
        """Digest of template and parts, 32 bytes."""
        return self.charter.network_id

    @property
    def template(self) -> Template:
        """What the founders agreed on."""
        return self.charter.template

    @property
    def parts(self) -> tuple[FoundingPart, ...]:
        """The agencies' parts, in the order of the template."""
        return self.charter.parts

    @property
    def validator_set(self) -> ValidatorSet:
        """The validators of height 1."""
        return self.charter.validators

    @property
    def time_ms(self) -> int:
        """Genesis time; the first block is later."""
        return self.charter.template.time_ms

    def attachment(self, name: str) -> bytes:
        """Return the bytes of an attachment.

        Raises:
            InvalidGenesisError: There is none of this name.
        """
        if name not in self.attachments:
            raise InvalidGenesisError(f"the genesis document has no attachment {name}")
        return self.attachments[name]


def compose_template(agreed: Template, attachments: Mapping[str, bytes] | None = None) -> bytes:
    """Return the bytes of a template.

    Args:
        agreed: Its agencies and namespaces may come in any order; `attachments` in it is replaced
            by the digests of the argument.
        attachments: Bytes by name, in the order in which the document will hold them.

    Raises:
        InvalidDataError: A shape, bound or rule is broken; names the field.
    """
    named = (attachments or {}).items()
    template = Template(
        name=agreed.name,
        time_ms=agreed.time_ms,
        parameters=agreed.parameters,
        agencies=tuple(sorted(agreed.agencies, key=lambda one: one.agency_id)),
        namespaces=tuple(sorted(agreed.namespaces, key=lambda one: one.name.encode())),
        attachments=tuple([(name, attachment_digest(content)) for name, content in named]),
    )
    raw = encode(template_value(template))
    parse_template(raw)
    return raw


def attachment_digest(content: bytes) -> Digest:
    """Return the digest by which the template names an attachment."""
    return hash_with(_ATTACHMENT, content)


def template_digest(template_raw: bytes) -> Digest:
    """Return the digest of a template, which every part's signature covers."""
    return hash_with(_TEMPLATE, template_raw)


def sign_part(template_raw: bytes, part_raw: bytes, signer: Signer) -> PartSignature:
    """Sign a part of a genesis document with a governance key."""
    message = part_message(template_raw, part_raw)
    return PartSignature(signer.public.key_id, signer.sign(message))


def parse_template(raw: bytes) -> Template:
    """Make a template of bytes from anywhere.

    Raises:
        InvalidDataError: Too long, not canonical, or a shape, bound, order or rule is wrong.
    """
    template = read_template(decode(raw, TEMPLATE_BYTES_MAX, limit="genesis template bytes"))
    agency_ids = [agency.agency_id for agency in template.agencies]
    _check_ascending(agency_ids, "agencies of the template")
    _check_ascending([one.name.encode() for one in template.namespaces], "namespaces")
    for namespace in template.namespaces:
        if namespace.first == namespace.second:
            raise InvalidGenesisError(f"namespace {namespace.name} is kept by one agency alone")
        if namespace.first not in agency_ids or namespace.second not in agency_ids:
            raise InvalidGenesisError(f"namespace {namespace.name} names an unknown agency")
    names = [name for name, _digest in template.attachments]
    if len(set(names)) != len(names):
        raise InvalidGenesisError("two attachments have the same name")
    _check_validators(template)
    return template


def parse_part(raw: bytes) -> FoundingPart:
    """Make a founding part of bytes from anywhere; its signatures are checked by `read_charter`.

    Raises:
        InvalidDataError: Too long, not canonical, or a shape or bound is wrong, or a key is none.
    """
    return read_part(decode(raw, PART_BYTES_MAX, limit="genesis part bytes"))


def read_charter(template: Value, parts: Value, signatures: Value) -> Charter:
    """Make a charter of the three values that genesis documents and trust bundles begin with.

    Raises:
        InvalidGenesisError: Parts that do not fit the template, keys or ids named twice, too few
            signatures, or one that does not verify.
        InvalidDataError: A shape, bound or order is wrong; names the field.
    """
    template_raw = read_bytes_up_to(template, "genesis.template", TEMPLATE_BYTES_MAX)
    agreed = parse_template(template_raw)
    encoded = tuple(
        [
            read_bytes_up_to(part, "genesis.part", PART_BYTES_MAX)
            for part in read_array(parts, "genesis.parts", len(agreed.agencies))
        ]
    )
    founding = tuple([parse_part(part) for part in encoded])
    signed = tuple(
        [
            read_part_signatures(one)
            for one in read_array(signatures, "genesis.signatures", len(encoded))
        ]
    )
    _check_parts(agreed, founding)
    for part_raw, part, given in zip(encoded, founding, signed, strict=True):
        check_part_signatures(part_message(template_raw, part_raw), part, given)
    return Charter(
        template_raw=template_raw,
        template=agreed,
        parts_raw=encoded,
        parts=founding,
        signatures=signed,
        network_id=hash_with(_GENESIS, template_digest(template_raw), sha256(encode(encoded))),
        validators=_first_validators(agreed, founding),
    )


def merge_genesis(
    template_raw: bytes,
    parts: Sequence[tuple[bytes, Sequence[PartSignature]]],
    attachments: Mapping[str, bytes] | None = None,
) -> Genesis:
    """Put a genesis document together.

    Args:
        template_raw: From `compose_template`.
        parts: Each agency's part with its signatures, in any order.
        attachments: Bytes by name, the same and in the same order as for `compose_template`.

    Raises:
        InvalidDataError: As `parse_genesis`.
    """
    ordered = sorted(parts, key=lambda signed: parse_part(signed[0]).agency_id)
    document = (
        template_raw,
        tuple([part for part, _signed in ordered]),
        tuple([tuple([tuple(one) for one in sorted(signed)]) for _part, signed in ordered]),
        tuple((attachments or {}).values()),
    )
    return parse_genesis(encode(document))


def parse_genesis(raw: bytes) -> Genesis:
    """Make a genesis document of bytes from anywhere and check all of it.

    Args:
        raw: At most 64 MiB.

    Raises:
        InvalidGenesisError: It contradicts itself, or lacks something.
        InvalidDataError: Too long, not canonical, or a shape, bound or order is wrong.
    """
    template, parts, signatures, attached = read_array(
        decode(raw, GENESIS_BYTES_MAX, limit="genesis bytes"), "genesis", 4
    )
    charter = read_charter(template, parts, signatures)
    named = charter.template.attachments
    attachments: dict[str, bytes] = {}
    contents = read_array(attached, "genesis.attachments", len(named))
    for (name, digest), content in zip(named, contents, strict=True):
        attachments[name] = read_bytes_up_to(content, "genesis.attachment", GENESIS_BYTES_MAX)
        if attachment_digest(attachments[name]) != digest:
            raise InvalidGenesisError(f"attachment {name} is not what the template names")
    return Genesis(charter=charter, attachments=attachments, raw=raw)


def part_message(template_raw: bytes, part_raw: bytes) -> bytes:
    """Return what the governors of an agency sign, domain prefix included."""
    return _PART + template_digest(template_raw) + part_raw


def read_part_signatures(value: Value) -> tuple[PartSignature, ...]:
    """Read `[[key_id, signature] ...]`, ascending by key id; none is verified here.

    Raises:
        InvalidDataError: Another shape or order.
    """
    signatures: list[PartSignature] = []
    for one in read_array(value, "genesis.signatures of a part", (0, VALIDATORS_MAX)):
        key_id, signature = read_array(one, "genesis.signature", 2)
        signatures.append(
            PartSignature(
                KeyId(read_bytes(key_id, "genesis.signature.key_id", KEY_ID_BYTES)),
                read_signature(signature, "genesis.signature"),
            )
        )
    _check_ascending([one.key_id for one in signatures], "signatures of a part")
    return tuple(signatures)


def _check_ascending(items: Sequence[bytes], name: str) -> None:
    if any(left >= right for left, right in pairwise(items)):
        raise InvalidGenesisError(f"the {name} are not strictly ascending")


def _check_validators(template: Template) -> None:
    validators = sum(agency.weight > 0 for agency in template.agencies)
    wanted = 1 if template.parameters.get("development") is True else VALIDATORS_MIN
    if not wanted <= validators <= VALIDATORS_MAX:
        raise InvalidGenesisError(
            f"{validators} agencies have a validator, not within {wanted} ... {VALIDATORS_MAX}",
            validators=validators,
            minimum=wanted,
        )


def _check_parts(template: Template, parts: Sequence[FoundingPart]) -> None:
    for agency, part in zip(template.agencies, parts, strict=True):
        if part.agency_id != agency.agency_id:
            raise InvalidGenesisError(
                "the parts are not those of the template's agencies, in order"
            )
        if ("consensus" in part.keys) != (agency.weight > 0):
            raise InvalidGenesisError(f"agency {agency.name}: consensus key and weight do not fit")
    keys = [key.key_id for part in parts for key in part.all_keys]
    if len(set(keys)) != len(keys):
        raise InvalidGenesisError("a key is named twice in the genesis document")
    ids: list[bytes] = [part.office.office_id for part in parts]
    ids += [officer.identity_id for part in parts for officer in part.officers]
    ids += [part.agency_id for part in parts]
    if len(set(ids)) != len(ids):
        raise InvalidGenesisError("an id is named twice in the genesis document")


def check_part_signatures(
    message: bytes, part: FoundingPart, signatures: Sequence[PartSignature]
) -> None:
    """Accept only a part that enough of its own governance keys have signed, and nobody else.

    Args:
        message: What they signed, domain prefix included.
        part: Whose governance keys count.
        signatures: As they came.

    Raises:
        InvalidGenesisError: Too few, a foreign key, or one that does not verify.
    """
    governors = {key.key_id: key for key in part.governance_keys}
    if len(signatures) < part.governance_k:
        raise InvalidGenesisError(
            f"a part has {len(signatures)} signatures of {part.governance_k} that it needs",
            signatures=len(signatures),
            needed=part.governance_k,
        )
    for one in signatures:
        if one.key_id not in governors:
            raise InvalidGenesisError("a part is signed by a key that does not govern its agency")
        try:
            verify(governors[one.key_id], message, one.signature)
        except BadSignatureError as error:
            raise InvalidGenesisError("a signature of a part does not verify") from error


def _first_validators(template: Template, parts: Sequence[FoundingPart]) -> ValidatorSet:
    members = [
        Validator(agency.agency_id, part.keys["consensus"], agency.weight)
        for agency, part in zip(template.agencies, parts, strict=True)
        if agency.weight > 0
    ]
    return ValidatorSet(tuple(members))
