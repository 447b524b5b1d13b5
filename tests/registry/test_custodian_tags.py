"""A custodian signs the tags that the sealed fields need, made of them, and no others (case 25)."""

from dataclasses import replace

import pytest

from ledger.entries import compose
from registry.acts import Act, RecordContent
from registry.custodian import CustodianRefusedError, check_draft
from registry.custodian_messages import TagWish
from registry.drafting import compose_act, custodian_request
from registry.problems import BodyError
from tests.registry import small_world as small
from tests.registry.plain_bytes import sixteen
from tests.registry.small_world import find_type
from tests.registry.test_drafted_entries import BODIES, HANDS, SCANS, current, draft, row_of, seal
from tests.registry.test_drafting import birth_act

NUMBER = TagWish("person.number", unique=True)
NAME = TagWish("birth.name", unique=False)
AN = {"family": "Lê", "given": "An"}
BINH = {"family": "Lê", "given": "Bình"}


@pytest.fixture
def state():
    return small.full_world()


def asked(sealed, change=lambda tags: tags):
    """Return the request of an office whose program may leave tags out, or ask for others."""
    request = custodian_request(sealed, small.KEYS["agency seal"].public)
    records = tuple([replace(one, tags=change(one.tags)) for one in request.records])
    return replace(request, records=records)


def composed(sealed, reply, records):
    """Return the draft of an office whose program takes parts that the custodian did not give."""
    tags = [[*((one.namespace, True) for one in part.claims if one.proof)] for part in records]
    for names, part in zip(tags, records, strict=True):
        names += [(one.namespace, False) for one in part.matches]
    prepared = [
        replace(one, tags=tuple(TagWish(name, unique=unique) for name, unique in names))
        for one, names in zip(sealed.prepared.records, tags, strict=True)
    ]
    own = replace(sealed, prepared=replace(sealed.prepared, records=tuple(prepared)))
    return compose_act(own, replace(reply, records=tuple(records)), small.drawer("b"))


def without(wish):
    return lambda tags: tuple([one for one in tags if one != wish])


@pytest.mark.parametrize("wish", [NUMBER, NAME])
def test_an_office_cannot_leave_a_tag_out_of_what_it_asks_for(state, wish):
    sealed = seal(state, birth_act(), small.HANDS)
    assert any(wish in record.tags for record in asked(sealed).records)
    small.ask_custodian(state, asked(sealed))
    with pytest.raises(BodyError):
        small.ask_custodian(state, asked(sealed, without(wish)))


@pytest.mark.parametrize("wish", [NUMBER, NAME])
def test_an_office_cannot_ask_for_a_tag_that_no_field_needs(state, wish):
    sealed = seal(state, birth_act(), small.HANDS)
    with pytest.raises(BodyError):
        small.ask_custodian(state, asked(sealed, lambda tags: (*tags, wish)))


@pytest.mark.parametrize(("part", "tags"), [(0, "matches"), (1, "claims")])
def test_a_tag_that_was_made_cannot_be_left_out_of_the_draft(state, part, tags):
    sealed = seal(state, birth_act(), small.HANDS)
    reply, held = small.ask_custodian(state, asked(sealed))
    check_draft(compose_act(sealed, reply, small.drawer("b")), held, find_type, small.KNOWLEDGE)
    records = list(reply.records)
    assert getattr(records[part], tags)
    records[part] = replace(records[part], **{tags: ()})
    bare = composed(sealed, reply, records)
    with pytest.raises(CustodianRefusedError):
        check_draft(bare, held, find_type, small.KNOWLEDGE)


def test_the_match_tag_of_another_name_is_refused_though_its_proof_names_the_same_leaf(state):
    """Both bodies are sealed with one salt, so the leaf of the family name is the same."""
    sealed = seal(state, birth_act(name=AN), small.HANDS)
    honest, held = small.ask_custodian(state, asked(sealed))
    other, _held = small.ask_custodian(state, asked(seal(state, birth_act(name=BINH), small.HANDS)))
    ours, theirs = honest.records[0].matches, other.records[0].matches
    assert [one.proof.commitment_leaf for one in ours] == [
        one.proof.commitment_leaf for one in theirs
    ]
    assert ours != theirs
    lie = (replace(honest.records[0], matches=theirs), *honest.records[1:])
    entry = composed(sealed, honest, lie)
    with pytest.raises(CustodianRefusedError):
        check_draft(entry, held, find_type, small.KNOWLEDGE)


def person(number):
    fields = {"name.family": "Lê", "name.given": "An", "sex": "male", "nationality": "VN"}
    sealed = fields | {"residence": "Hà Nội"}
    if number:
        sealed |= {"personal_number": number}
    return RecordContent(member={"birth_date": "1990-02-02"}, sealed=sealed)


def test_an_identity_is_tagged_by_its_name_in_any_order_and_its_day_of_birth(state):
    def tags(born="1990-02-02", **names):
        content = person(None)
        sealed = {**content.sealed, **{f"name.{name}": text for name, text in names.items()}}
        content = replace(content, member={"birth_date": born}, sealed=sealed)
        made = Act(kind="identity/create", event_date=small.DAY, records=(content,), evidence=SCANS)
        reply, _held = small.ask_custodian(state, asked(seal(state, made, HANDS)))
        (match,) = reply.records[0].matches
        return match.namespace, match.tag

    known = tags()
    assert known[0] == "identity.name"
    assert tags(family="An", given="Lê") == tags(given="Ân") == known
    assert known not in {tags(given="Bình"), tags("1990-02-03"), tags(middle="Văn")}


def test_a_number_cannot_be_corrected_without_being_claimed(state):
    made = Act(
        kind="identity/create",
        event_date=small.DAY,
        records=(person("001090000123"),),
        evidence=SCANS,
    )
    entry = draft(state, made, HANDS)
    small.submit(state, entry)
    record_id = entry.records[0].record_id
    target = current(state, record_id)
    act = replace(
        made, kind="identity/correct", records=(person("001090000999"),), reason="clerical"
    )
    hands = replace(HANDS, persons={record_id: small.FORM})
    sealed = seal(state, act, hands, target)
    with pytest.raises(BodyError):
        small.ask_custodian(state, asked(sealed, without(NUMBER)))
    reply, held = small.ask_custodian(state, asked(sealed))
    knowledge = replace(
        small.KNOWLEDGE,
        previous={record_id: BODIES[target.row.seal.commitment].values},
        birth={},
    )
    check_draft(composed(sealed, reply, reply.records), held, find_type, knowledge)
    bare = composed(sealed, reply, [replace(reply.records[0], claims=())])
    with pytest.raises(CustodianRefusedError):
        check_draft(bare, held, find_type, knowledge)
    assert row_of(state, record_id).claims == target.row.claims


def test_what_lies_in_the_vault_alone_is_not_signed_again_with_or_without_its_tags(state):
    """After the time of a draft is over nobody knows any more which tags were made for it."""
    sealed = seal(state, birth_act(), small.HANDS)
    reply, held = small.ask_custodian(state, asked(sealed))
    forgotten = [None if one is None else replace(one, tag_signatures=()) for one in held]
    bare = tuple([replace(one, claims=(), matches=()) for one in reply.records])
    for records in (reply.records, bare):
        entry = composed(sealed, reply, records)
        with pytest.raises(CustodianRefusedError):
            check_draft(entry, forgotten, find_type, small.KNOWLEDGE)


def identity(number=None):
    """Return an act that makes an identity, for who was born on the day that `person` says."""
    return Act(
        kind="identity/create", event_date=small.DAY, records=(person(number),), evidence=SCANS
    )


def put_together(sealed, records):
    """Return the draft of an office whose program writes other clear fields than it asked with."""
    prepared = sealed.prepared
    blinds = [sixteen(at) for at in range(2 + len(records))]
    return compose(prepared.head, records, prepared.act.objects, prepared.context, blinds)


def test_a_day_of_birth_is_not_altered_once_the_name_was_tagged_with_it(state):
    sealed = seal(state, identity(), HANDS)
    reply, held = small.ask_custodian(state, asked(sealed))
    check_draft(composed(sealed, reply, reply.records), held, find_type, small.KNOWLEDGE)
    lie = replace(reply.records[0], member={**reply.records[0].member, "birth_date": "1990-02-03"})
    with pytest.raises(CustodianRefusedError):
        check_draft(put_together(sealed, (lie,)), held, find_type, small.KNOWLEDGE)


def test_a_mother_is_not_exchanged_once_the_name_was_tagged_with_her(state):
    sealed = seal(state, birth_act(), small.HANDS)
    reply, held = small.ask_custodian(state, asked(sealed))
    part = reply.records[0]
    for links in ({**part.links, "mother": bytes(16)}, {}):
        lie = (replace(part, links=links), *reply.records[1:])
        with pytest.raises(CustodianRefusedError):
            check_draft(put_together(sealed, lie), held, find_type, small.KNOWLEDGE)


@pytest.mark.parametrize("born", ["abcd", "", "2026-02-31", 5, b"2026-01-01"])
def test_a_date_that_is_none_is_refused_before_a_rule_counts_with_it(state, born):
    sealed = seal(state, birth_act(), small.HANDS)
    reply, held = small.ask_custodian(state, asked(sealed))
    member = {**reply.records[0].member, "event_date": born}
    lie = (replace(reply.records[0], member=member), *reply.records[1:])
    with pytest.raises(BodyError):
        check_draft(put_together(sealed, lie), held, find_type, small.KNOWLEDGE)


def test_a_name_is_not_tagged_without_the_day_of_birth_that_belongs_to_it(state):
    request = asked(seal(state, identity(), HANDS))
    for member in ({}, {"birth_date": 19900202}):
        record = request.records[0]
        lacking = replace(record, part=replace(record.part, member=member))
        with pytest.raises(BodyError):
            small.ask_custodian(state, replace(request, records=(lacking,)))
