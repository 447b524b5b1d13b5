"""The acceptance cases of records.md, section 10, marked (spine): land (55, 56, 57, 59)."""

import pytest

from registry.apply import apply, execute
from registry.civil_calendar import add_days
from registry.errors import BlockRefusedError
from tests.registry.test_acceptance_births import day_is_a_working_day
from tests.registry.town import Town, by, form, identifier, shares, two_officers


@pytest.fixture
def town() -> Town:
    return Town()


def test_case_55_title_sale_mortgage_and_release_are_registered_with_number_holders_and_rank(town):
    seller, buyer, bank = town.adult("seller"), town.adult("buyer"), town.adult("bank")
    first = town.title_entry({seller: "seller"})
    assert town.accept(first).registration_number == "land/1/2026"
    title = first.records[0].record_id
    sold = town.accept(town.sale(title, ["seller"], {buyer: "buyer"}))
    assert sold.registration_number == "land/2/2026"
    assert [holder.parties for holder in town.row(title).holders] == [(buyer,)]
    mortgaged = town.accept(town.mortgage(title, ["buyer"], bank, "bank"))
    assert mortgaged.registration_number == "land/3/2026"
    (right,) = town.row(title).encumbrances
    assert (right.number, right.kind, right.holder, right.status) == (1, "mortgage", bank, "live")
    released = town.accept(town.release(title, 1, bank, "bank"))
    assert released.registration_number == "land/4/2026"
    assert town.row(title).encumbrances[0].status == "released"
    assert town.row(title).version == 4


def test_case_56_of_two_sales_of_one_title_the_second_is_stale_and_a_block_of_both_invalid(town):
    seller, one, two = town.adult("seller"), town.adult("one"), town.adult("two")
    title = town.title({seller: "seller"})
    first = town.sale(title, ["seller"], {one: "one"})
    second = town.sale(title, ["seller"], {two: "two"})
    before = town.state.tree_changes()
    with pytest.raises(BlockRefusedError) as refused:
        execute(town.state, [first, second], town.block())
    assert refused.value.details == {"index": 1, "rule": "registry.stale_version"}
    assert town.state.tree_changes() == before
    town.accept(first)
    refusal = town.refusal(second)
    assert (refusal.code, refusal.details["current"]) == ("registry.stale_version", 2)


@pytest.mark.parametrize("fractions", [[(1, 2), (1, 3)], [(1, 2), (2, 3)], [(1, 1), (1, 10**15)]])
def test_case_57_shares_that_do_not_sum_to_one_are_refused(town, fractions):
    owners = {town.adult(name): name for name in ("one", "two")}
    entry = town.title_entry(owners, holders=shares(owners, fractions))
    assert town.refuse(entry) == "registry.shares_sum"


def test_case_57_three_thirds_are_one(town):
    owners = {town.adult(name): name for name in ("one", "two", "three")}
    title = town.title(owners, holders=shares(owners, [(1, 3)] * 3))
    assert len(town.row(title).holders) == 3


def test_case_57_a_party_cannot_hold_two_shares(town):
    owner = town.adult("one")
    halves = shares([owner, owner], [(1, 2), (1, 2)])
    entry = town.title_entry({owner: "one"}, holders=halves)
    assert town.refuse(entry) == "registry.holder_wrong"


def test_from_day_31_after_the_deal_a_transfer_is_late_and_needs_a_reason(town):
    seller, buyer = town.adult("seller"), town.adult("buyer")
    titles = [town.title({seller: "seller"}, parcel=parcel) for parcel in ("1", "2")]
    deal = day_is_a_working_day(town, 30)
    town.wait(30)
    in_time = town.accept(town.sale(titles[0], ["seller"], {buyer: "buyer"}, event_date=deal))
    assert in_time.flags == town.row(titles[0]).flags == ()
    town.wait(1)
    without = town.sale(titles[1], ["seller"], {buyer: "buyer"}, event_date=deal)
    assert town.refuse(without) == "registry.late_without_reason"
    late = town.sale(
        titles[1], ["seller"], {buyer: "buyer"}, event_date=deal, member={"late_code": "illness"}
    )
    assert town.accept(late).flags == town.row(titles[1]).flags == ("late",)


def test_a_right_is_sold_and_mortgaged_until_the_day_before_its_term_ends_and_not_on_that_day(town):
    """A term is half-open like all ranges: `term_until` is the first day without the right."""
    seller, buyer, bank = town.adult("seller"), town.adult("buyer"), town.adult("bank")
    ends = {"term_until": add_days(town.day, 10)}
    sold, kept = (town.title({seller: "seller"}, parcel=one, member=ends) for one in ("1", "2"))
    town.wait(9)
    town.accept(town.sale(sold, ["seller"], {buyer: "buyer"}))
    town.accept(town.mortgage(sold, ["buyer"], bank, "bank"))
    town.wait(1)
    assert town.day == ends["term_until"]
    assert town.refuse(town.sale(kept, ["seller"], {buyer: "buyer"})) == "registry.term_over"
    assert town.refuse(town.mortgage(kept, ["seller"], bank, "bank")) == "registry.term_over"


def test_case_59_a_transfer_with_a_live_mortgage_needs_its_lender(town):
    seller, buyer, bank = town.adult("seller"), town.adult("buyer"), town.adult("bank")
    title = town.title({seller: "seller"})
    town.accept(town.mortgage(title, ["seller"], bank, "bank"))
    buyers = {buyer: "buyer"}
    assert town.refuse(town.sale(title, ["seller"], buyers)) == "registry.lender_missing"
    town.accept(town.sale(title, ["seller"], buyers, more=[by("lenders", "bank")]))
    town.accept(town.release(title, 1, bank, "bank"))
    with_lender = town.sale(title, ["buyer"], {seller: "seller"}, more=[by("lenders", "bank")])
    assert town.refuse(with_lender) == "registry.signer_idle"
    town.accept(town.sale(title, ["buyer"], {seller: "seller"}))


def test_only_a_person_with_an_identity_is_a_lender(town):
    """Organizations are not there yet, and an agency of the network is no party."""
    owner, _employee = town.adult("owner"), town.adult("bank")
    title = town.title({owner: "owner"})
    for lender in (identifier("agency", "tax"), identifier("office", "tax"), title):
        refusal = town.refusal(town.mortgage(title, ["owner"], lender, "bank"))
        assert (refusal.code, refusal.details) == ("registry.link_wrong", {"field": "holder"})


def test_case_59_two_mortgages_of_one_block_rank_by_their_index(town):
    owner, first, second = town.adult("owner"), town.adult("first"), town.adult("second")
    title = town.title({owner: "owner"})
    one = town.mortgage(title, ["owner"], first, "first")
    version = town.row(title).version
    two = town.mortgage(
        title, ["owner"], second, "second", version=version + 2, previous=one.entry_digest
    )
    apply(town.state, town.verified(one), town.block(0))
    apply(town.state, town.verified(two), town.block(1))
    rights = town.row(title).encumbrances
    assert [right.holder for right in rights] == [first, second]
    assert [right.place[1] for right in rights] == [0, 1]
    assert rights[0].place[0] == rights[1].place[0]


def test_every_owner_and_every_new_owner_signs(town):
    sellers = {town.adult(name): name for name in ("wife", "husband")}
    buyer = town.adult("buyer")
    title = town.title(sellers)
    alone = town.sale(title, ["wife"], {buyer: "buyer"})
    assert town.refuse(alone) == "registry.signer_missing"
    without_buyer = town.sale(title, ["wife", "husband"], {}, holders=shares([buyer], [(1, 1)]))
    assert town.refuse(without_buyer) == "registry.signer_missing"
    town.accept(town.sale(title, ["wife", "husband"], {buyer: "buyer"}))


def test_a_parcel_and_a_serial_have_one_title(town):
    owner = town.adult("owner")
    town.title({owner: "owner"}, parcel="12", serial="AA 1")
    again = town.title_entry({owner: "owner"}, parcel="12", serial="AA 2")
    assert town.refuse(again) == "registry.taken"
    same_serial = town.title_entry({owner: "owner"}, parcel="13", serial="AA 1")
    assert town.refuse(same_serial) == "registry.taken"


def test_a_keyless_owner_needs_an_officer_of_another_office_on_the_form(town):
    owner, buyer = town.create_identity(), town.adult("buyer")
    land = [("land", "register"), ("land", "approve")]
    hands = [*two_officers("land"), form("new_owners", *land)]
    act = town.new_act()
    title = town.created_id(hands, act)
    entry = town.title_entry({owner: "nobody"})
    part = entry.records[0]
    moved = town.part(
        "land_title", title, member=part.member, holders=part.holders, claims=part.claims
    )
    at_home = town.entry("land_title/first_register", hands, [moved], act=act, agency="land")
    assert town.refuse(at_home) == "registry.custody_form"
    mixed = [*two_officers("land"), form("new_owners", ("land", "declare"), ("tax", "declare"))]
    act = town.new_act()
    title = town.created_id(mixed, act)
    moved = town.part(
        "land_title", title, member=part.member, holders=part.holders, claims=part.claims
    )
    town.accept(town.entry("land_title/first_register", mixed, [moved], act=act, agency="land"))
    assert buyer != owner
