"""Thieves with new keys, two spellings of one parcel, lenders, and shares that are almost one."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.entries import Claim
from ledger.parts import ObjectPart
from registry.apply import apply
from registry.authority_rows import KeyRow
from registry.claims import one_spelling
from registry.content_errors import SharesSumError
from registry.state_key_names import key_key, record_key
from tests.registry.town import (
    CALM,
    Town,
    by,
    child_id,
    land_claims,
    land_member,
    shares,
    two_officers,
)

BOUNDS = 2**63 - 1


@pytest.fixture
def town() -> Town:
    return Town()


@pytest.fixture
def cautious() -> Town:
    """A town in which new keys are provisional for fifteen days."""
    return Town({**CALM, "key_provisional_days": 15})


# --- provisional keys ---------------------------------------------------------------------------


def test_a_lender_with_a_new_key_gives_up_no_mortgage(cautious):
    town = cautious
    owner, bank = town.adult("owner"), town.adult("bank")
    town.wait(15)
    title = town.title({owner: "owner"})
    town.accept(town.mortgage(title, ["owner"], bank, "bank"))
    town.accept(town.enrol_entry(bank, "thief"))
    stolen = town.release(title, 1, bank, "thief")
    assert town.refuse(stolen) == "registry.key_provisional"
    town.wait(15)
    town.accept(town.release(title, 1, bank, "thief"))


def test_a_lender_with_a_new_key_may_still_gain_a_mortgage(cautious):
    town = cautious
    owner = town.adult("owner")
    title = town.title({owner: "owner"})
    town.wait(15)
    bank = town.adult("bank")
    town.accept(town.mortgage(title, ["owner"], bank, "bank"))


def closing(town, person, name, closed):
    key_id = key_of(closed)
    part = town.part("identity", person)
    objects = [ObjectPart("closing", {"key_id": key_id})]
    return town.entry("identity/close_key", [by("subject", name)], [part], objects)


def key_of(name):
    return by("subject", name).keys[0].public.key_id


def test_a_new_key_closes_itself_and_no_other_key(cautious):
    town = cautious
    owner = town.adult("owner")
    keys = {"first": "sign", "second": "sign", "second auth": "auth"}
    town.accept(town.enrol_entry(owner, "first", keys=keys))
    assert town.refuse(closing(town, owner, "first", "second")) == "registry.key_provisional"
    town.accept(closing(town, owner, "first", "first"))
    town.wait(15)
    town.accept(closing(town, owner, "second", "second auth"))


# --- stolen keys --------------------------------------------------------------------------------


def test_who_enrols_in_person_after_a_theft_ends_the_stolen_key_the_same_day(cautious):
    town = cautious
    owner, buyer = town.adult("stolen"), town.adult("buyer")
    town.wait(15)
    title = town.title({owner: "stolen"})
    keys = {"lost": "sign", "lost seal": "seal", "lost auth": "auth"}
    town.accept(town.enrol_entry(owner, "lost", keys=keys))
    town.wait(15)
    sale = town.sale(title, ["lost"], {buyer: "buyer"})
    town.accept(town.enrol_entry(owner, "new"))
    assert town.refuse(sale) == "registry.key_not_in_force"
    theft = closing(town, owner, "lost", "new")
    assert town.refuse(theft) == "registry.key_not_in_force"
    early = town.sale(title, ["new"], {buyer: "buyer"})
    assert town.refuse(early) == "registry.key_provisional"
    ends = {name: town.state.read(key_key(key_of(name)), KeyRow).to_date for name in KEYS}
    assert ends == dict.fromkeys(KEYS, town.day) | {"new": None, "new seal": None}
    town.wait(15)
    town.accept(town.sale(title, ["new"], {buyer: "buyer"}))


KEYS = ("lost", "lost seal", "lost auth", "new", "new seal")


def test_a_key_that_ended_before_keeps_its_end_and_a_past_sale_stands(cautious):
    town = cautious
    owner, buyer = town.adult("old"), town.adult("buyer")
    title = town.title({owner: "old"})
    town.wait(15)
    town.accept(town.sale(title, ["old"], {buyer: "buyer"}))
    town.accept(closing(town, owner, "old", "old"))
    closed_on = town.day
    town.wait(3)
    town.accept(town.enrol_entry(owner, "new"))
    row = town.state.read(key_key(key_of("old")), KeyRow)
    assert (row.to_date, row.public) == (closed_on, by("subject", "old").keys[0].public.public)
    assert town.row(title).holders == shares([buyer], [(1, 1)])


def test_a_key_that_only_reads_ends_no_other_key_and_no_custody(cautious):
    town = cautious
    owner = town.create_identity()
    town.accept(town.enrol_entry(owner, "auth", keys={"auth": "auth"}))
    assert town.row(owner).engine["custody"] == "office"
    town.accept(town.enrol_entry(owner, "sign"))
    assert town.row(owner).engine["custody"] == "own"
    town.accept(town.enrol_entry(owner, "device", keys={"device": "auth"}))
    assert town.row(owner).engine["custody"] == "own"
    assert town.state.read(key_key(key_of("sign")), KeyRow).to_date is None


# --- one parcel, one title ----------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["12", " 12", "12 ", "012", "1 2"])
def test_another_spelling_of_a_parcel_makes_no_second_title(town, spelling):
    owner = town.adult("owner")
    town.title({owner: "owner"}, parcel="12", serial="AA 1")
    again = town.title_entry({owner: "owner"}, parcel=spelling, serial="AA 2")
    assert town.refuse(again) == "registry.taken"


@pytest.mark.parametrize("spelling", ["aa 1", "AA  1", "AA1", " AA 1"])
def test_another_spelling_of_a_serial_is_the_same_serial(town, spelling):
    owner = town.adult("owner")
    town.title({owner: "owner"}, parcel="1", serial="AA 1")
    again = town.title_entry({owner: "owner"}, parcel="2", serial=spelling)
    assert town.refuse(again) == "registry.taken"


def test_a_claim_is_made_in_its_one_spelling(town):
    owner = town.adult("owner")
    entry = town.title_entry({owner: "owner"}, serial="aa 1")
    part = entry.records[0]
    raw = Claim("land.serial", 0, "aa 1", None)
    parcel = next(claim for claim in part.claims if claim.namespace == "land.parcel")
    hands = [*two_officers("land"), by("new_owners", "owner")]
    changed = town.entry(
        "land_title/first_register", hands, [replace(part, claims=(parcel, raw))],
        act=entry.head.act_id, agency="land",
    )  # fmt: skip
    assert town.refuse(changed) == "registry.claim_wrong"


def test_a_slash_in_a_sheet_does_not_make_it_another_parcel(town):
    owner = town.adult("owner")
    sheet = {"unit": "00070", "map_sheet_no": "7/1", "parcel_no": "2"}
    number = {"unit": "00070", "map_sheet_no": "7", "parcel_no": "1/2"}
    town.title({owner: "owner"}, serial="A1", member={"parcel": sheet})
    town.title({owner: "owner"}, serial="A2", member={"parcel": number})


texts = st.lists(st.text("0aA /~1", min_size=1, max_size=3), min_size=2, max_size=2)


@given(one=texts, other=texts)
def test_claims_are_equal_only_if_each_of_their_fields_is(one, other):
    """Invariant: joining loses nothing that the spelling of a single field keeps apart."""
    first, second = (list(map(one_spelling, fields)) for fields in (one, other))
    assert ("/".join(first) == "/".join(second)) == (first == second)


@given(st.text("0aA /~1", min_size=1, max_size=5))
def test_a_spelling_is_its_own_but_for_what_it_escapes(text):
    once = one_spelling(text)
    assert "/" not in once
    assert " " not in once
    unescaped = once.replace("~1", "/").replace("~0", "~")
    assert one_spelling(unescaped) == once


def test_the_model_member_claims_what_the_ledger_computes():
    values = [claim.value for claim in land_claims(land_member("aa 01", "007"))]
    assert values == ["00070/7/7", "AA01"]


# --- shares -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def owners():
    """A town and four adults in it."""
    town = Town()
    return town, {town.adult(f"owner {at}"): f"owner {at}" for at in range(4)}


fractions = st.tuples(st.integers(1, BOUNDS), st.integers(1, BOUNDS))
small_fractions = st.tuples(st.integers(1, 3), st.integers(1, 6))


@settings(max_examples=60, deadline=None)
@given(st.lists(fractions | small_fractions, min_size=1, max_size=4))
def test_shares_pass_exactly_if_their_fractions_sum_to_one(owners, parts):
    """Invariant: exact arithmetic over the whole range of the format."""
    town, everybody = owners
    names = dict(list(everybody.items())[: len(parts)])
    entry = town.title_entry(names, holders=shares(names, parts), parcel="99")
    try:
        apply(town.state.fork(), town.verified(entry), town.block())
    except SharesSumError:
        assert sum(Fraction(*part) for part in parts) != 1
    else:
        assert sum(Fraction(*part) for part in parts) == 1


def test_a_tenth_of_a_billionth_too_much_is_refused_and_awkward_denominators_pass(town):
    owners = {town.adult(name): name for name in ("one", "two", "three")}
    big = BOUNDS - 1
    exact = shares(owners, [(1, big), (1, 2), (big // 2 - 1, big)])
    over = shares(owners, [(2, big), (1, 2), (big // 2 - 1, big)])
    assert town.refuse(town.title_entry(owners, holders=over)) == "registry.shares_sum"
    town.accept(town.title_entry(owners, holders=exact))


# --- representatives ----------------------------------------------------------------------------


def test_a_representative_who_is_no_longer_active_signs_for_nobody(town):
    mother = town.adult("mother")
    birth = town.birth(mother=mother)
    town.accept(birth)
    record = birth.records[0].record_id
    hands = [*two_officers(), by("representative", "mother", acting_for=child_id(record))]
    entry = town.entry("birth/correct", hands, [town.part("birth", record)], reason="clerical")
    for change, code in (
        ({"status": "deceased"}, "registry.not_alive"),
        ({"status": "incapable"}, "registry.not_capable"),
        ({"flags": ("locked",)}, "registry.not_alive"),
    ):
        kept = town.row(mother)
        town.state.write(record_key(mother), replace(kept, **change))
        town.state.seal_writes(bytes(32))
        assert town.refuse(entry) == code
        town.state.write(record_key(mother), kept)
        town.state.seal_writes(bytes(32))
    town.accept(entry)
