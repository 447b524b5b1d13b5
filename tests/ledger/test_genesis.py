"""Genesis: a document that parses is signed, complete and says one thing."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.errors import CivregError
from keys.signing import Algorithm, SoftwareKey
from ledger.canonical import decode, encode
from ledger.errors import InvalidDataError, InvalidGenesisError
from ledger.founding import Namespace, read_template
from ledger.genesis import (
    GENESIS_BYTES_MAX,
    attachment_digest,
    compose_template,
    merge_genesis,
    parse_genesis,
    parse_part,
    parse_template,
    print_part,
    sign_part,
)
from ledger.ids import AgencyId, RecordId
from tests.networks import (
    ATTACHMENTS,
    agreed_template,
    founding_part,
    key,
    seed,
    small_network,
)

NAMES = ["a", "b", "c", "d"]
NETWORK = small_network()
GENESIS = NETWORK.genesis
TEMPLATE = compose_template(agreed_template(NAMES), ATTACHMENTS)


def signed(name, part=None, keys=(0, 1), template=TEMPLATE):
    raw = print_part(part or founding_part(name))
    signers = [key(name, "govern", number) for number in keys]
    return raw, [sign_part(template, raw, one) for one in signers]


def merged(**replaced):
    parts = {name: signed(name) for name in NAMES} | replaced
    return merge_genesis(TEMPLATE, list(parts.values()), ATTACHMENTS)


def test_a_document_that_was_merged_reads_back():
    assert merged() == GENESIS
    assert parse_genesis(GENESIS.raw) == GENESIS
    assert GENESIS.attachment("type/birth") == ATTACHMENTS["type/birth"]
    assert len(GENESIS.validator_set) == 4
    assert GENESIS.time_ms == GENESIS.template.time_ms
    with pytest.raises(InvalidGenesisError):
        GENESIS.attachment("type/death")
    for part, raw in zip(GENESIS.parts, GENESIS.charter.parts_raw, strict=True):
        assert print_part(part) == raw


def test_the_network_id_covers_template_and_parts_but_no_signature():
    other_signers = merged(a=signed("a", keys=(1, 2)))
    assert other_signers.raw != GENESIS.raw
    assert other_signers.network_id == GENESIS.network_id
    moved = replace(founding_part("a"), peer_address="https://elsewhere.example")
    assert merged(a=signed("a", moved)).network_id != GENESIS.network_id
    renamed = compose_template(replace(agreed_template(NAMES), name="other"), ATTACHMENTS)
    parts = [signed(name, template=renamed) for name in NAMES]
    assert merge_genesis(renamed, parts, ATTACHMENTS).network_id != GENESIS.network_id


def test_an_agency_without_weight_has_no_validator():
    network = small_network(weights=(1, 1, 1, 1, 0))
    assert len(network.genesis.parts) == 5
    assert len(network.genesis.validator_set) == 4


def test_fewer_than_four_validators_need_a_development_network():
    few = agreed_template(NAMES[:3])
    with pytest.raises(InvalidGenesisError):
        compose_template(few)
    with pytest.raises(InvalidGenesisError):
        compose_template(replace(few, parameters={"development": 1}))
    assert compose_template(replace(few, parameters={"development": True}))
    assert compose_template(agreed_template(NAMES))


PART = founding_part("a")


def with_keys(**changed):
    return replace(PART, keys={**PART.keys, **changed})


REFUSED_PARTS = {
    "one signature of two": signed("a", keys=(0,)),
    "one signature given twice": (signed("a")[0], [signed("a")[1][0]] * 2),
    "a stranger's signature": (signed("a")[0], signed("b")[1]),
    "a signature over another template": (signed("a")[0], signed("a", template=b"x")[1]),
    "another agency's part": signed("b"),
    "an agency that nobody knows": signed("e"),
    "no consensus key": signed("a", founding_part("a", weight=0)),
    "a key of another agency": signed("a", with_keys(peer=key("b", "peer").public)),
    "a key named twice": signed("a", with_keys(peer=PART.keys["tag"])),
    "an office of another agency": signed("a", replace(PART, office=founding_part("b").office)),
    "officers of another agency": signed("a", replace(PART, officers=founding_part("b").officers)),
}


@pytest.mark.parametrize("part", REFUSED_PARTS.values(), ids=REFUSED_PARTS)
def test_a_document_is_refused_with(part):
    with pytest.raises(InvalidDataError):
        merged(a=part)


P256 = SoftwareKey.from_private_bytes(Algorithm.P256, seed("p256")).public
NAMELESS = replace(PART.officers[1], identity_id=RecordId(b""))


@pytest.mark.parametrize(
    "part",
    [
        replace(PART, officers=PART.officers[:1]),
        replace(PART, governance_k=0),
        replace(PART, governance_k=4),
        replace(PART, governance_keys=()),
        replace(PART, peer_address=""),
        replace(PART, keys={}),
        with_keys(other=key("other").public),
        with_keys(seal=key("seal").public),
        with_keys(tag=PART.keys["seal"]),
        with_keys(checkpoint=P256),
        replace(PART, officers=tuple(replace(one, roles=()) for one in PART.officers)),
        replace(PART, agency_id=AgencyId(bytes(15))),
        replace(PART, officers=(PART.officers[0], NAMELESS)),
    ],
)
def test_a_part_of_another_shape_is_not_printed(part):
    assert print_part(PART)
    with pytest.raises(InvalidDataError):
        print_part(part)


def test_the_second_officer_is_somebody_else():
    officers = (PART.officers[0], replace(PART.officers[1], identity_id=RecordId(bytes(16))))
    assert merged(a=signed("a", replace(PART, officers=officers)))
    twin = replace(PART.officers[1], identity_id=PART.officers[0].identity_id)
    with pytest.raises(InvalidGenesisError):
        merged(a=signed("a", replace(PART, officers=(PART.officers[0], twin))))


@pytest.mark.parametrize(
    "namespace",
    [
        lambda a, _b: Namespace("n", a, a),
        lambda a, _b: Namespace("n", a, AgencyId(bytes(16))),
        lambda a, b: Namespace("", a, b),
    ],
)
def test_a_namespace_needs_two_agencies_of_the_template(namespace):
    agreed = agreed_template(NAMES)
    a, b = (agency.agency_id for agency in agreed.agencies[:2])
    assert compose_template(replace(agreed, namespaces=(Namespace("n", a, b),)))
    with pytest.raises(InvalidDataError):
        compose_template(replace(agreed, namespaces=(namespace(a, b),)))
    with pytest.raises(InvalidGenesisError):
        compose_template(replace(agreed, namespaces=(Namespace("n", a, b),) * 2))


def test_two_attachments_of_one_name_are_refused():
    value = decode(TEMPLATE, len(TEMPLATE))
    assert isinstance(value, tuple)
    assert isinstance(value[7], tuple)
    with pytest.raises(InvalidGenesisError):
        parse_template(encode((*value[:7], (*value[7], value[7][0]))))


def test_agencies_out_of_order_or_twice_are_refused():
    value = decode(TEMPLATE, len(TEMPLATE))
    assert isinstance(value, tuple)
    agencies = value[5]
    assert isinstance(agencies, tuple)
    for wrong in (tuple(reversed(agencies)), (*agencies, agencies[-1])):
        with pytest.raises(InvalidGenesisError):
            parse_template(encode((*value[:5], wrong, *value[6:])))
    assert read_template(value) == parse_template(TEMPLATE)


@pytest.mark.parametrize("at", range(4))
def test_attachments_are_those_of_the_template(at):
    value = decode(GENESIS.raw, GENESIS_BYTES_MAX)
    assert isinstance(value, tuple)
    contents = list(ATTACHMENTS.values())
    wrong = [contents[:1], [*contents, b"more"], contents[::-1], [b"other", contents[1]]][at]
    with pytest.raises(InvalidDataError):
        parse_genesis(encode((*value[:3], wrong)))
    assert attachment_digest(b"other") != attachment_digest(contents[0])


@given(st.data())
def test_a_changed_byte_of_a_document_is_refused(data):
    raw = bytearray(GENESIS.raw)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(InvalidDataError):
        parse_genesis(bytes(raw))


@given(st.binary(max_size=200))
def test_random_bytes_are_no_template_part_or_document(raw):
    for parse in (parse_template, parse_part, parse_genesis):
        with pytest.raises(CivregError):
            parse(raw)


def test_a_key_that_is_none_is_refused():
    raw = print_part(PART)
    public = PART.keys["consensus"].public
    assert raw.count(public) == 1
    with pytest.raises(InvalidDataError):
        parse_part(raw.replace(public, b"\xff" * 32))
    assert seed("a") != public
