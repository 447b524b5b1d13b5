"""Bundles that grow: a fifth comes, a key rotates, weights change, one leaves; then the forgeries.

Every manipulation must be refused by the ledger and by the second verifier alike.
"""

from dataclasses import replace

import pytest

import verifier
from keys.errors import BadSignatureError
from ledger.canonical import Value, decode, encode
from ledger.errors import InvalidDataError
from ledger.ids import AgencyId
from ledger.quorum import print_quorum_certificate
from ledger.trust import CertifiedHeader, TrustBundle, ValidatorChange, make_trust, parse_trust
from ledger.validators import Validator, ValidatorSet, validator_set
from tests.agreement.documents import VALID_UNTIL_MS, genesis_bundle, p256_key, p256_network
from tests.networks import ChainBuilder, Network, seed

HEIGHTS = 14
SPARES = [p256_key(f"spare {number}") for number in range(4)]
_BASE = p256_network()
NETWORK = Network(_BASE.genesis, {**_BASE.consensus, **{one.public.key_id: one for one in SPARES}})
FOUNDERS = NETWORK.genesis.validator_set.validators
FIFTH = Validator(AgencyId(seed("agency", "e")[:16]), p256_key("e").public, 1)


def sets() -> dict[int, ValidatorSet]:
    """Height -> the set that its header names for the next height, where it changes."""
    five = validator_set((*FOUNDERS, FIFTH))
    rotated = validator_set((*FOUNDERS[:1], replace(FOUNDERS[1], key=SPARES[0].public),
                             *FOUNDERS[2:], FIFTH))  # fmt: skip
    heavier = validator_set(tuple(replace(one, weight=1 + at) for at, one in
                                  enumerate(rotated.validators)))  # fmt: skip
    without = validator_set(heavier.validators[1:])
    return {2: five, 3: rotated, 7: heavier, 8: without, 11: five}


def build() -> TrustBundle:
    builder, following = ChainBuilder(NETWORK), sets()
    made = [builder.next_block(next_validators=following.get(at)) for at in range(1, HEIGHTS + 1)]
    certified = [CertifiedHeader(block.header, certificate) for block, certificate in made]
    changes = [ValidatorChange(certified[at - 1], one) for at, one in following.items()]
    return make_trust(NETWORK.genesis.charter, changes, certified[-1], VALID_UNTIL_MS)


BUNDLE = build()
RAW = BUNDLE.to_bytes()
CHANGES, NEWEST = 5, 6
"""Places in the array of a bundle."""


def test_a_grown_bundle_verifies_from_genesis_and_both_know_the_same_sets():
    first, second = parse_trust(RAW), verifier.read_trust(RAW)
    assert len(first.changes) == 5
    for height in range(1, HEIGHTS + 3):
        assert first.validators_at(height).digest == second.set_at(height).digest
    assert genesis_bundle(NETWORK).extended_by(first) is first


@pytest.mark.parametrize("count", range(6))
def test_every_beginning_of_the_chain_is_extended_by_the_whole(count):
    changes = BUNDLE.changes[:count]
    newest = changes[-1].certified if changes else None
    shorter = make_trust(NETWORK.genesis.charter, changes, newest, VALID_UNTIL_MS)
    assert shorter.extended_by(BUNDLE) is BUNDLE


def resigned(certified: CertifiedHeader, signers: ValidatorSet) -> CertifiedHeader:
    header = certified.header
    return CertifiedHeader(
        header, NETWORK.quorum_certificate(header.digest, header.height, validators=signers)
    )


def fields_of_bundle() -> list[Value]:
    fields = decode(RAW, len(RAW))
    assert isinstance(fields, tuple)
    return list(fields)


def values_of(change: ValidatorChange):
    header, certificate = change.certified
    certificate_raw = print_quorum_certificate(certificate)
    return header.raw, certificate_raw, change.validators.to_value()


def forgeries():
    """Name -> the changes of a forged bundle; the newest header stays."""
    good = list(BUNDLE.changes)
    attackers = validator_set(
        tuple(replace(one, key=spare.public) for one, spare in zip(FOUNDERS, SPARES, strict=True))
    )
    own_header = replace(good[0].certified.header, next_validators=attackers.digest)
    taken_over = ValidatorChange(
        resigned(CertifiedHeader(own_header, good[0].certified.quorum_certificate), attackers),
        attackers,
    )
    for at, change in enumerate(good):
        before = BUNDLE.validators_at(change.certified.header.height)
        yield f"change {at} skipped", [*good[:at], *good[at + 1 :]]
        yield f"change {at} twice", [*good[: at + 1], *good[at:]]
        yield f"set {at} exchanged", [
            *good[:at], ValidatorChange(change.certified, attackers), *good[at + 1 :]
        ]  # fmt: skip
        if before != change.validators:
            after = change.validators
            try:
                certified = resigned(change.certified, after)
            except KeyError:
                continue
            if not same_signers(certified, change.certified, before, after):
                yield f"change {at} certified by the set it makes", [
                    *good[:at], ValidatorChange(certified, after), *good[at + 1 :]
                ]  # fmt: skip
    yield "two changes in the wrong order", [good[1], good[0], *good[2:]]
    yield "a take-over certified by the attackers themselves", [taken_over]
    yield "a certificate of another height", [
        ValidatorChange(
            CertifiedHeader(good[0].certified.header, good[1].certified.quorum_certificate),
            good[0].validators,
        ),
        *good[1:],
    ]  # fmt: skip


def same_signers(new, old, before, after):
    """Whether re-signing by the next set gave what the present set would accept, too."""
    del old
    places = [index for index, _ in new.quorum_certificate.signatures]
    weight = sum(before[index].weight for index in places if index < len(before))
    return before.is_quorum(weight) and all(
        index < len(before) and before[index].key == after[index].key for index in places
    )


FORGED = dict(forgeries())


def accepts(read, raw) -> bool:
    try:
        read(raw)
    except (InvalidDataError, BadSignatureError, verifier.RefusedError):
        return False
    return True


@pytest.mark.parametrize("name", sorted(FORGED))
def test_a_forged_or_skipped_change_is_refused_by_both(name):
    fields = fields_of_bundle()
    fields[CHANGES] = tuple(values_of(change) for change in FORGED[name])
    raw = encode(tuple(fields))
    assert not accepts(parse_trust, raw)
    assert not accepts(verifier.read_trust, raw)


def test_the_cases_of_forgery_are_many_and_the_unforged_bundle_is_accepted():
    assert len(FORGED) >= 18
    assert accepts(parse_trust, RAW)
    assert accepts(verifier.read_trust, RAW)


def test_a_header_by_a_set_that_was_voted_out_is_refused_by_both():
    old = BUNDLE.newest
    assert old is not None
    forged = replace(old.header, validators=NETWORK.genesis.validator_set.digest)
    founders = NETWORK.genesis.validator_set
    certified = resigned(CertifiedHeader(forged, old.quorum_certificate), founders)
    fields = fields_of_bundle()
    fields[NEWEST] = certified.header.raw
    fields[NEWEST + 1] = print_quorum_certificate(certified.quorum_certificate)
    raw = encode(tuple(fields))
    assert not accepts(parse_trust, raw)
    assert not accepts(verifier.read_trust, raw)
