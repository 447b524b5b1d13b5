"""Side acts move no version; who signs for a person follows from age on the block's date."""

from typing import Any

import pytest

from ledger.parts import ObjectPart
from registry.object_rows import GrantRow, LoggedRow, NoticeRow
from registry.rows import RecordRow
from registry.state_key_names import (
    grant_key,
    intake_key,
    logged_key,
    notice_key,
)
from tests.registry.town import (
    Town,
    about,
    by,
    child_id,
    form,
    identifier,
    office,
    officer,
    officer_id,
    seed,
    shares,
    two_officers,
)


@pytest.fixture
def town() -> Town:
    return Town()


@pytest.fixture
def birth(town):
    entry = town.birth(mother=town.adult("anna"), father=town.adult("paul"))
    town.accept(entry)
    return entry.records[0].record_id


def test_notices_accesses_and_annotations_stand_on_record(town, birth):
    notice = ObjectPart("notice", {"purpose": "residence", "digest": seed("said")})
    town.accept(
        town.entry("birth/notice", [officer("declare")], objects=[notice], about=about(birth))
    )
    row = town.state.read(notice_key(birth, "residence"), NoticeRow)
    assert row is not None
    assert row.digest == seed("said")
    looked = ObjectPart("logged", {"digest": seed("purpose")})
    access = town.entry("birth/access", [officer("declare")], objects=[looked], about=about(birth))
    town.accept(access)
    logged = town.state.read(logged_key(access.created_record_id), LoggedRow)
    assert logged is not None
    assert (logged.kind, logged.officer) == ("access", officer_id("justice", "declare"))
    noted = town.entry("birth/annotate", two_officers(), objects=[looked], about=about(birth))
    town.accept(noted)


def test_an_intake_is_about_nothing_and_backs_the_day_of_receipt(town):
    notice = ObjectPart("notice", {"purpose": "intake", "digest": seed("scan")})
    anna = town.adult("anna")
    unbacked = town.birth(mother=anna, received_on=town.day)
    assert town.refuse(unbacked) == "registry.received_on"
    digest = town.context("birth/register").evidence.digests[0]
    intake = ObjectPart("notice", {"purpose": "intake", "digest": digest})
    born = town.day
    town.accept(town.entry("birth/notice", [officer("declare")], objects=[intake]))
    row = town.state.read(intake_key(office(), digest), NoticeRow)
    assert row is not None
    town.wait(7)
    town.accept(town.birth(mother=anna, received_on=born, event_date=born))
    town.wait(1)
    too_far = town.birth(mother=town.adult("berta"), received_on=born, event_date=born)
    assert town.refuse(too_far) == "registry.received_on"
    about_one = town.entry(
        "identity/notice", [officer("declare")], objects=[notice], about=about(anna, 2)
    )
    assert town.refuse(about_one) == "registry.wrong_parts"


def test_owners_grant_and_withdraw_access_with_their_own_key(town):
    anna = town.adult("anna")
    fields: dict[str, Any] = {
        "recipient": bytes(16),
        "wraps_digest": seed("wraps"),
        "until": "2026-12-31",
    }
    grant = [ObjectPart("grant", fields)]
    subject = [by("subject", "anna")]
    given = town.entry(
        "identity/grant", [by("subject", "anna")], objects=grant, about=about(anna, 2)
    )
    town.accept(given)
    row = town.state.read(grant_key(given.created_record_id), GrantRow)
    assert row is not None
    assert row.status == "live"
    over = [ObjectPart("grant", {**fields, "until": town.day})]
    late = town.entry("identity/grant", subject, objects=over, about=about(anna, 2))
    assert town.refuse(late) == "registry.date_order"
    old = town.entry("identity/grant", subject, objects=grant, about=about(anna, 1))
    assert town.refuse(old) == "registry.stale_version"
    withdrawal = [ObjectPart("withdrawal", {"grant": given.created_record_id})]
    for code in (None, "registry.object_unknown"):
        back = town.entry(
            "identity/withdraw_grant",
            [by("subject", "anna")],
            objects=withdrawal,
            about=about(anna, 2),
        )
        if code is None:
            town.accept(back)
        else:
            assert town.refuse(back) == code


def test_a_deadline_of_the_office_that_is_missed_sets_overdue(town, birth):
    anna = town.row(birth).links["mother"]
    digest = town.context("birth/register").evidence.digests[0]
    intake = ObjectPart("notice", {"purpose": "intake", "digest": digest})
    received = town.day
    town.accept(town.entry("birth/notice", [officer("declare")], objects=[intake]))
    town.wait(7)
    part = town.part("identity", anna)
    hands = [*two_officers(), by("subject", "anna")]
    entry = town.entry("identity/correct", hands, [part], reason="x", received_on=received)
    assert town.accept(entry).flags == ("overdue",)
    assert town.row(anna).flags == ("overdue",)


# --- capacity -----------------------------------------------------------------------------------


def correct_birth(town, birth, *hands):
    part = town.part("birth", birth)
    return town.entry("birth/correct", [*two_officers(), *hands], [part], reason="clerical")


def test_a_parent_signs_for_an_infant_and_a_stranger_does_not(town, birth):
    child = child_id(birth)
    town.adult("stranger")
    assert town.refuse(correct_birth(town, birth, by("subject", "anna"))) == "registry.not_capable"
    stranger = by("representative", "stranger", acting_for=child)
    assert town.refuse(correct_birth(town, birth, stranger)) == "registry.signer_wrong"
    for_another = by("representative", "anna", acting_for=identifier("x"))
    assert town.refuse(correct_birth(town, birth, for_another)) == "registry.signer_wrong"
    town.accept(correct_birth(town, birth, by("representative", "paul", acting_for=child)))


def test_from_six_an_enrolled_child_signs_with_a_parent_and_from_fifteen_alone(town, birth):
    child = child_id(birth)
    parent = by("representative", "anna", acting_for=child)
    own = by("subject", "child")
    assert town.refuse(town.enrol_entry(child, "child")) == "registry.not_capable"
    town.wait(6 * 366)
    town.accept(correct_birth(town, birth, parent))
    town.accept(town.enrol_entry(child, "child"))
    assert town.refuse(correct_birth(town, birth, parent)) == "registry.signer_missing"
    town.accept(correct_birth(town, birth, parent, own))
    town.wait(10 * 365)
    assert town.refuse(correct_birth(town, birth, parent)) == "registry.not_capable"
    assert town.refuse(correct_birth(town, birth, own)) == "registry.key_not_in_force"
    town.accept(town.enrol_entry(child, "child at sixteen"))
    town.accept(correct_birth(town, birth, by("subject", "child at sixteen")))
    town.wait(3 * 365)
    ended = correct_birth(town, birth, by("subject", "child at sixteen"))
    assert town.refuse(ended) == "registry.key_not_in_force"
    town.accept(town.enrol_entry(child, "grown up"))
    town.accept(correct_birth(town, birth, by("subject", "grown up")))


def test_a_minor_of_sixteen_sells_land_only_together_with_a_parent(town, birth):
    child, buyer = child_id(birth), town.adult("buyer")
    town.wait(16 * 366)
    town.accept(town.enrol_entry(child, "child"))
    parent = by("new_owners", "anna", acting_for=child)
    hands = [*two_officers("land"), by("new_owners", "child"), parent]
    act = town.new_act()
    title = town.created_id(hands, act)
    base = town.title_entry({child: "child"}, serial="AA 7").records[0]
    part = town.part(
        "land_title", title, member=base.member, holders=base.holders, claims=base.claims
    )
    town.accept(town.entry("land_title/first_register", hands, [part], act=act, agency="land"))
    alone = town.sale(title, ["child"], {buyer: "buyer"})
    assert town.refuse(alone) == "registry.signer_missing"
    with_parent = [by("owners", "paul", acting_for=child)]
    town.accept(town.sale(title, ["child"], {buyer: "buyer"}, more=with_parent))


def test_someone_without_a_birth_date_or_not_born_yet_signs_nothing(town):
    founder = officer_id("tax", "declare")
    town.adult("anna")
    entry = town.title_entry({founder: "anna"}, holders=shares([founder], [(1, 1)]))
    assert town.refuse(entry) == "registry.not_capable"


def test_a_closed_key_signs_nothing_more_not_even_what_was_signed_before(town):
    anna = town.adult("anna")
    signed_before = town.contact(anna, by("subject", "anna"))
    key_id = dict(town.row(anna).engine["keys"])["sign"]
    closing = [ObjectPart("closing", {"key_id": key_id})]
    part = town.part("identity", anna)
    entry = town.entry("identity/close_key", [by("subject", "anna")], [part], closing)
    town.accept(entry)
    assert town.refuse(signed_before) == "registry.key_not_in_force"
    assert isinstance(town.row(anna), RecordRow)


def test_a_keyless_parent_appears_in_person_and_one_with_a_key_does_not(town):
    mother = town.create_identity()
    entry = town.birth(mother=mother)
    town.accept(entry)
    birth = entry.records[0].record_id
    child = child_id(birth)
    officers = (("justice", "register"), ("justice", "approve"))
    town.accept(correct_birth(town, birth, form("representative", *officers, acting_for=child)))
    town.accept(town.enrol_entry(mother, "mother"))
    again = correct_birth(town, birth, form("representative", *officers, acting_for=child))
    assert town.refuse(again) == "registry.custody_form"
    one = correct_birth(town, birth, form("representative", officers[0], acting_for=child))
    assert town.refuse(one) == "registry.custody_form"
