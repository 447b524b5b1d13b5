"""What of a registered title is corrected or settled, and who must agree."""

from dataclasses import replace
from typing import Any

import pytest

from ledger.entries import Entry
from tests.registry.town import SEEN, Town, by, land_claims, two_officers


@pytest.fixture
def town() -> Town:
    return Town()


def edit(town: Town, operation: str, title: Any, *hands, **changes: Any) -> Entry:
    given = {name: changes.pop(name) for name in ("evidence",) if name in changes}
    member = {**town.row(title).member, **changes}
    claims = land_claims(member) if operation == "correct" else ()
    part = town.part("land_title", title, member=member, claims=claims)
    signers = [*two_officers("land"), *hands]
    return town.entry(
        f"land_title/{operation}", signers, [part], agency="land", reason="survey", **given
    )


def test_a_mortgaged_parcel_is_corrected_only_with_its_lenders(town):
    owner, bank = town.adult("owner"), town.adult("bank")
    title = town.title({owner: "owner"})
    owned = by("owners", "owner")
    other = {"parcel": {"unit": "00070", "map_sheet_no": "7", "parcel_no": "2"}}
    town.accept(town.mortgage(title, ["owner"], bank, "bank"))
    for change in (other, {"area": 10}, {"geometry_digest": bytes(32)}):
        assert town.refuse(edit(town, "correct", title, owned, **change)) == (
            "registry.lender_missing"
        )
    town.accept(edit(town, "correct", title, owned, by("lenders", "bank"), **other))
    assert town.row(title).member["parcel"]["parcel_no"] == "2"
    town.accept(town.release(title, 1, bank, "bank"))
    idle = edit(town, "correct", title, owned, by("lenders", "bank"), area=10)
    assert town.refuse(idle) == "registry.signer_idle"
    town.accept(edit(town, "correct", title, owned, area=10))


def test_an_open_obligation_is_settled_by_two_officers_with_evidence_and_then_the_land_is_sold(
    town,
):
    owner, buyer = town.adult("owner"), town.adult("buyer")
    title = town.title({owner: "owner"}, member={"obligation_open": True})
    closed = {"obligation_open": False}
    assert town.refuse(town.sale(title, ["owner"], {buyer: "buyer"}, member=closed)) == (
        "registry.obligation_open"
    )
    unseen = replace(SEEN, sufficient=False)
    without = edit(town, "settle_obligation", title, evidence=unseen, **closed)
    assert town.refuse(without) == "registry.evidence"
    assert town.refuse(edit(town, "settle_obligation", title)) == "registry.obligation_open"
    more = edit(town, "settle_obligation", title, **closed, area=10)
    assert town.refuse(more) == "registry.field_not_writable"
    town.accept(edit(town, "settle_obligation", title, **closed))
    town.accept(town.sale(title, ["owner"], {buyer: "buyer"}))


def test_what_is_not_open_is_neither_settled_nor_opened(town):
    owner = town.adult("owner")
    title = town.title({owner: "owner"})
    for value in (True, False):
        entry = edit(town, "settle_obligation", title, obligation_open=value)
        assert town.refuse(entry) == "registry.obligation_open"
