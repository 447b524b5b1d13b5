"""Who can read and sign what after a right has changed hands, and after a child has grown up."""

from dataclasses import replace

import pytest

from keys.errors import SealError
from registry.apply import apply
from registry.code_tables import record_type
from registry.preparing import body_place
from registry.readers import readers_of
from registry.rows import RecordRow
from registry.sealed import open_body
from registry.signer_plan import Scene, plan_signers
from registry.state_key_names import record_key
from registry.wraps import open_wraps, parse_wraps
from tests.registry import small_world as small
from tests.registry.test_drafted_entries import HANDS, current, land
from tests.registry.town import Town, by, child_id, form, officer, two_officers

MOTHER, FATHER = "mother seal", "father seal"
DAYS_TO_THE_EVE = 6_573
"""From 2026-01-01 to the eve of the eighteenth birthday."""


def act_on(state, act, target=None):
    """Draft, sign and apply an act on land; return the record part and what the vault keeps."""
    title_type = small.TYPES["land_title"]
    scene = Scene(
        state=state,
        day=small.DAY,
        record_type=title_type,
        record_id=None if target is None else target.record_id,
        row=None if target is None else target.row,
        act=act,
        operation=title_type.operations[act.kind.partition("/")[2]],
    )
    entry, held, _sealed = small.make_entry(state, act, plan_signers(scene, HANDS), target)
    small.submit(state, entry)
    return entry.records[0], held[0]


def read(part, held, reader):
    """The address in a body, as the holder of a seal key reads it."""
    place = body_place(small.NETWORK, part)
    unsealer = small.KEYS[reader]
    data_key = open_wraps(parse_wraps(held.wraps), place, unsealer, part.seal.key_check)
    paths = tuple(small.TYPES["land_title"].sealed_paths)
    return open_body(place, paths, held.body, part.seal, data_key).values["address"]


def test_case_55_the_buyer_opens_the_new_body_and_the_seller_only_those_of_before():
    state = small.full_world()
    first, first_held = act_on(state, land(small.MOTHER))
    sale = land(small.FATHER, "land_title/transfer", "A 2")
    second, second_held = act_on(state, sale, current(state, first.record_id))
    assert read(second, second_held, FATHER) == "Phố Hàng Lụa"
    assert read(first, first_held, MOTHER) == "Phố Hàng Lụa"
    for part, held, reader in ((second, second_held, MOTHER), (first, first_held, FATHER)):
        with pytest.raises(SealError):
            read(part, held, reader)


def test_case_55_nobody_opens_one_body_with_the_key_of_another():
    state = small.full_world()
    first, first_held = act_on(state, land(small.MOTHER))
    sale = land(small.FATHER, "land_title/transfer", "A 2")
    second, second_held = act_on(state, sale, current(state, first.record_id))
    mixed = parse_wraps(first_held.wraps)
    place = body_place(small.NETWORK, second)
    with pytest.raises(SealError):
        open_wraps(mixed, place, small.KEYS[MOTHER], second.seal.key_check)
    assert second_held.body != first_held.body


def readers(town, record):
    """As whom people read the next version of an identity."""
    own = record_type(town.state, "identity", town.height + 1)
    part = town.part("identity", record)
    found = readers_of(town.state, own, part, town.row(record).office, town.day)
    return sorted([reader.purpose for reader in found])


def test_parents_read_for_a_child_until_the_eighteenth_birthday_and_never_after():
    town = Town()
    mother = town.adult("anna")
    entry = town.birth(mother=mother)
    town.accept(entry)
    child = child_id(entry.records[0].record_id)
    assert readers(town, child) == ["agency", "representative"]
    town.wait(DAYS_TO_THE_EVE)
    assert town.day == "2043-12-31"
    assert readers(town, child) == ["agency", "representative"]
    town.wait(1)
    assert town.day == "2044-01-01"
    assert readers(town, child) == ["agency"]


def test_a_parent_signs_for_a_child_on_the_eve_of_the_birthday_and_not_on_it():
    """Acceptance case 43, for parents."""
    town = Town()
    entry = town.birth(mother=town.adult("anna"))
    town.accept(entry)
    child = child_id(entry.records[0].record_id)
    buyer = town.adult("buyer")
    town.wait(DAYS_TO_THE_EVE)
    title = owned_by(town, child)
    attested = form("owners", ("land", "register"), ("tax", "declare"))
    both = [attested, by("owners", "anna", acting_for=child)]

    def sale(hands):
        return town.sale(title, [], {buyer: "buyer"}, more=hands)

    assert town.day == "2043-12-31"
    assert town.refuse(sale([attested])) == "registry.signer_missing"
    apply(town.state.fork(), town.verified(sale(both)), town.block())
    town.wait(1)
    assert town.day == "2044-01-01"
    assert town.refuse(sale(both)) == "registry.signer_idle"
    town.accept(sale([attested]))


def owned_by(town, child):
    """A title that a minor of 17 and a parent have registered."""
    hands = [
        *two_officers("land"),
        form("new_owners", ("land", "register"), ("tax", "declare")),
        by("new_owners", "anna", acting_for=child),
    ]
    act = town.new_act()
    title = town.created_id(hands, act)
    model = town.title_entry({child: "anna"}).records[0]
    part = town.part(
        "land_title", title, member=model.member, holders=model.holders, claims=model.claims
    )
    town.accept(town.entry("land_title/first_register", hands, [part], act=act, agency="land"))
    assert town.state.read(record_key(title), RecordRow) is not None
    return title


def test_a_childs_own_key_does_not_have_the_childs_title_certified():
    town = Town()
    entry = town.birth(mother=town.adult("anna"))
    town.accept(entry)
    child = child_id(entry.records[0].record_id)
    town.wait(7 * 366)
    town.accept(town.enrol_entry(child, "child"))
    parent = by("new_owners", "anna", acting_for=child)
    hands = [*two_officers("land"), by("new_owners", "child"), parent]
    act = town.new_act()
    title = town.created_id(hands, act)
    part = replace(town.title_entry({child: "anna"}).records[0], record_id=title)
    town.accept(town.entry("land_title/first_register", hands, [part], act=act, agency="land"))
    declare = officer("declare", "land")
    own, parent = by("owners", "child"), by("owners", "anna", acting_for=child)
    for owners, code in (
        ([own], "registry.signer_wrong"),
        ([parent], "registry.signer_missing"),
        ([own, parent], None),
    ):
        entry = town.certificate(title, declare, *owners, agency="land")
        if code is None:
            town.accept(entry)
        else:
            assert town.refuse(entry) == code
