"""A small chain by P-256 validators, its receipts and trust bundles, and every way to damage them.

`damaged` changes each value of a document in turn, wherever it stands, also inside the byte strings
that hold canonical values themselves (parts, outcome, header, certificate).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import msgpack

import verifier
from keys.curves import P256_ORDER
from keys.hashing import Digest
from keys.signing import Algorithm, SoftwareKey
from ledger import genesis, merkle
from ledger.blocks import Block
from ledger.entries import compose
from ledger.parts import ObjectPart
from ledger.quorum import QuorumCertificate, print_quorum_certificate
from ledger.receipt_form import Anchor, Receipt, build_receipt, hide_parts, print_receipt
from ledger.trust import (
    CertifiedHeader,
    TrustBundle,
    ValidatorChange,
    make_trust,
    trust_genesis,
)
from ledger.validators import Validator, ValidatorSet
from tests.networks import (
    ATTACHMENTS,
    GENESIS_MS,
    ChainBuilder,
    Network,
    agreed_template,
    founding_part,
    key,
    seed,
    small_entry,
    small_network,
)

NOW_MS = GENESIS_MS + 10_000_000
VALID_UNTIL_MS = GENESIS_MS + 1_000_000_000
DAY_MS = 86_400_000


def p256_key(name: str) -> SoftwareKey:
    return SoftwareKey.from_private_bytes(Algorithm.P256, seed("p256", name))


def p256_network(names: str = "abcd") -> Network:
    """A network whose validators sign with P-256, as a real one's do."""
    template_raw = genesis.compose_template(agreed_template(names), ATTACHMENTS)
    parts = []
    for name in names:
        part = founding_part(name)
        part = replace(part, keys={**part.keys, "consensus": p256_key(name).public})
        raw = genesis.print_part(part)
        signers = [key(name, "govern", number) for number in range(2)]
        parts.append((raw, [genesis.sign_part(template_raw, raw, one) for one in signers]))
    document = genesis.merge_genesis(template_raw, parts, ATTACHMENTS)
    consensus = [p256_key(name) for name in [*names, "e", "stranger"]]
    return Network(document, {one.public.key_id: one for one in consensus})


@dataclass(frozen=True)
class World:
    """Blocks, a bundle that knows them, and receipts of several kinds by name."""

    network: Network
    blocks: tuple[tuple[Block, QuorumCertificate], ...]
    trust: TrustBundle
    young_trust: TrustBundle
    receipts: dict[str, Receipt]

    def raw(self, name: str) -> bytes:
        return print_receipt(self.receipts[name])


def small_world(given: Network | None = None) -> World:
    """Six blocks; the set of validators changes after the second; the last is 200 days later."""
    network = given or p256_network()
    chain = ChainBuilder(network)
    network_id = network.genesis.network_id
    entries = [small_entry(network_id, number, records=1 + number % 2) for number in range(8)]
    changed = five_validators(network)
    blocks = [
        chain.next_block(entries[:5]),
        chain.next_block(entries[5:6], next_validators=changed),
        chain.next_block(entries[6:]),
        chain.next_block(),
    ]
    young = bundle(network, blocks, changed)
    chain.skip_ms = 200 * DAY_MS
    blocks += [chain.next_block(), chain.next_block()]
    receipts = {
        "whole": receipt_of(chain, blocks, 1, 3),
        "partly hidden": hide_parts(receipt_of(chain, blocks, 1, 1), {0}),
        "all hidden": hide_parts(receipt_of(chain, blocks, 1, 4), ()),
        "alone in its block": receipt_of(chain, blocks, 2, 0),
        "of the new set": receipt_of(chain, blocks, 3, 1),
    }
    receipts["anchored"] = anchored(receipts["whole"], blocks, 6)
    return World(network, tuple(blocks), bundle(network, blocks, changed), young, receipts)


def five_validators(network: Network) -> ValidatorSet:
    old = network.genesis.validator_set.validators
    fifth = Validator(type(old[0].agency_id)(b"\xff" * 16), p256_key("e").public, 1)
    return ValidatorSet((*old, fifth))


def bundle(network, blocks, changed) -> TrustBundle:
    change = ValidatorChange(certified(blocks[1]), changed)
    newest = certified(blocks[-1])
    return make_trust(network.genesis.charter, [change], newest, VALID_UNTIL_MS)


def genesis_bundle(network: Network) -> TrustBundle:
    return trust_genesis(network.genesis, VALID_UNTIL_MS)


def certified(pair: tuple[Block, QuorumCertificate]) -> CertifiedHeader:
    return CertifiedHeader(pair[0].header, pair[1])


def receipt_of(chain, blocks, height: int, index: int) -> Receipt:
    outcomes = [outcome.to_bytes() for outcome in chain.outcomes[height - 1]]
    return build_receipt(blocks[height - 1][0], outcomes, index, blocks[height - 1][1])


def anchored(receipt: Receipt, blocks, height: int) -> Receipt:
    """The receipt with the header of a newer height as anchor."""
    leaves = [merkle.leaf_hash(block.header.digest) for block, _ in blocks[: height - 1]]
    path = merkle.inclusion_path(leaves, receipt.header.height - 1)
    return replace(receipt, anchor=Anchor(path=path, certified=certified(blocks[height - 1])))


def high_s(certificate: QuorumCertificate) -> QuorumCertificate:
    """The certificate with the first signature in its other, forbidden form."""
    (index, signature), *others = certificate.signatures
    s = P256_ORDER - int.from_bytes(signature[32:])
    return replace(certificate, signatures=((index, signature[:32] + s.to_bytes(32)), *others))


# --- damage --------------------------------------------------------------------------------------


def damaged(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the document once for each value in it, with that value changed, and its place."""
    yield from _changes("", msgpack.unpackb(raw), msgpack.packb)


def _changes(place, value, build):
    for what, other in _others(value):
        yield f"{place}: {what}", build(other)
    if isinstance(value, list):
        for at, item in enumerate(value):
            yield from _changes(
                f"{place}/{at}",
                item,
                lambda new, at=at: build([*value[:at], new, *value[at + 1 :]]),
            )
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _changes(
                f"{place}/{name}", item, lambda new, name=name: build({**value, name: new})
            )
    elif isinstance(value, bytes) and len(value) > 64 and value[0] & 0xF0 == 0x90:
        try:
            inner = msgpack.unpackb(value)
        except ValueError:
            return
        yield from _changes(f"{place}/inner", inner, lambda new: build(msgpack.packb(new)))


def _others(value):
    """Yield values near this one."""
    match value:
        case bool():
            yield "negated", not value
        case int():
            yield "one more", value + 1
            yield "one less", value - 1
        case bytes():
            if value:
                yield "a bit", bytes([value[0] ^ 1]) + value[1:]
                yield "the last bit", value[:-1] + bytes([value[-1] ^ 1])
                yield "cut", value[:-1]
            yield "longer", value + b"\x00"
            yield "nil", None
        case str():
            yield "other text", value + "a"
            yield "no text", ""
            yield "text outside the table", value + "\u0301"
        case list():
            yield "nil", None
            yield from _other_lists(value)
        case dict():
            yield "another key", {**value, "zz": 1}
        case None:
            yield "not nil", b"\x00" * 16
        case _:
            raise AssertionError(type(value))


def _other_lists(value):
    if value:
        yield "first left out", value[1:]
        yield "last left out", value[:-1]
        yield "last twice", [*value, value[-1]]
    if value != value[::-1]:
        yield "reversed", value[::-1]


def exchanged(first: bytes, second: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the first document with each of its elements taken from the second."""
    ours, theirs = msgpack.unpackb(first), msgpack.unpackb(second)
    for at, other in enumerate(theirs):
        if other != ours[at]:
            yield f"element {at}", msgpack.packb([*ours[:at], other, *ours[at + 1 :]])


def reencoded(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield other encodings of the same value, and what a line does to bytes."""
    yield "trailing byte", raw + b"\x00"
    yield "twice", raw + raw
    yield "array 16 for a short array", b"\xdc\x00" + bytes([raw[0] & 0x0F]) + raw[1:]
    yield "integer of two bytes", raw[:1] + b"\xcc\x01" + raw[2:]
    yield "str 8 for a short text", raw[:2] + b"\xd9" + bytes([raw[2] & 0x1F]) + raw[3:]
    for length in (0, 1, 2, 10, len(raw) // 2, len(raw) - 1):
        yield f"cut to {length}", raw[:length]


def certificate_of(certified_header: CertifiedHeader) -> bytes:
    return print_quorum_certificate(certified_header.quorum_certificate)


def sealed_entry(network: Network, commitment: Digest, *, records: int = 1):
    """An entry whose first record's seal names this commitment."""
    draft = small_entry(network.genesis.network_id, "sealed", records=records)
    record = draft.records[0]
    assert record.seal is not None
    sealed = replace(record, seal=replace(record.seal, commitment=commitment))
    blinds = [part.blind for part in draft.parts]
    return compose(draft.head, [sealed, *draft.records[1:]], [], draft.context, blinds).signed(
        draft.slots
    )


CERTIFICATE_ID = seed("certificate")[:16]


def certified_entry(network: Network, stated: dict[str, str], **fields):
    """An entry that makes a certificate with these fields, and states some fields beside it."""
    draft = small_entry(network.genesis.network_id, "certified", records=0)
    made = {
        "certificate_id": CERTIFICATE_ID,
        "type": "birth",
        "form": "copy",
        "language": "vi",
        "status": "live",
        "transcribed": False,
        "office": seed("office", "a")[:16],
        "expires_on": "2200-01-01",
        **fields,
    }
    objects = [ObjectPart("certificate", made)]
    objects += [ObjectPart("stated", {"name": n, "value": v}) for n, v in stated.items()]
    blinds = [seed("blind", "certified", number)[:16] for number in range(len(objects) + 2)]
    head = replace(draft.head, kind="birth/certify")
    return compose(head, [], objects, draft.context, blinds).signed(draft.slots)


def only_objects(receipt: Receipt) -> Receipt:
    """The receipt as its holder shows it: neither head nor context."""
    return hide_parts(receipt, range(1, len(receipt.shown) - 1))


def bundles_of(world):
    """Trust bundles that know a document or not, each as the ledger's and as the verifier's."""
    return {
        name: (bundle, verifier.read_trust(bundle.to_bytes()))
        for name, bundle in (
            ("old", world.trust),
            ("young", world.young_trust),
            ("genesis", genesis_bundle(world.network)),
            ("other network", genesis_bundle(small_network())),
        )
    }
