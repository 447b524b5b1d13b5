"""Certificates: what one may say, how many count, and what a change of the record makes of them."""

import pytest

from ledger.ids import ObjectId
from ledger.limits import CERTIFICATES_LIVE_MAX
from ledger.parts import ObjectPart
from ledger.state_keys import key_hash
from registry.catalogue import type_text
from registry.certification import stated_values
from registry.civil_calendar import add_days
from registry.code_tables import text_pieces
from registry.errors import SchemaError
from registry.object_rows import CertificateRow, CertificatesRow
from registry.rows import TextRow, TypeRow
from registry.schema_reader import read_record_type, text_digest
from registry.state_key_names import certificate_key, certificates_key, text_key, type_key
from tests.registry.small_world import record_row
from tests.registry.town import (
    Town,
    about,
    by,
    child_id,
    identifier,
    officer,
    seed,
    shares,
    two_officers,
)

BIRTH = read_record_type(type_text("birth"))
LAND = read_record_type(type_text("land_title"))


@pytest.fixture
def town() -> Town:
    return Town()


@pytest.fixture
def birth(town):
    entry = town.birth(mother=town.adult("anna"), father=town.adult("paul"))
    town.accept(entry)
    return entry.records[0].record_id


def made(entry):
    return ObjectId(entry.objects[0].fields["certificate_id"])


def status(town, certificate_id):
    row = town.state.read(certificate_key(certificate_id), CertificateRow)
    return None if row is None else (row.status, row.height)


def listed(town, record):
    row = town.state.read(certificates_key(record), CertificatesRow)
    return () if row is None else row.certificates


def correct(town, birth):
    parent = by("representative", "anna", acting_for=child_id(birth))
    part = town.part("birth", birth)
    return town.entry("birth/correct", [*two_officers(), parent], [part], reason="clerical")


def put_in_force(town, name, text):
    """Let the state have another schema, as a ballot would."""
    digest = text_digest(text)
    town.state.write(type_key(name), TypeRow(((1, digest, 0),)))
    for number, piece in enumerate(text_pieces(text)):
        town.state.write(text_key(digest, number), TextRow(piece, 1))
    town.state.seal_writes(digest)


# --- who, and about what -------------------------------------------------------------------------


def test_case_20_a_stranger_office_certifies_with_the_person_or_with_a_second_officer_and_a_reason(
    town, birth
):
    clerk, second = officer("declare", "tax"), officer("approve", "tax", "second_officer")
    parent = by("representative", "anna", acting_for=child_id(birth))
    alone = town.certificate(birth, clerk, agency="tax")
    assert town.refuse(alone) == "registry.signer_missing"
    with_parent = town.certificate(birth, clerk, parent, agency="tax", reason=None)
    height = town.height + 1
    town.accept(with_parent)
    assert status(town, made(with_parent)) == ("valid", height)
    no_reason = town.certificate(birth, clerk, second, agency="tax", reason=None)
    assert town.refuse(no_reason) == "registry.reason_missing"
    town.accept(town.certificate(birth, clerk, second, agency="tax"))
    assert town.row(birth).version == 1


def test_the_owner_of_a_title_has_it_certified(town):
    anna = town.adult("anna")
    title = town.title({anna: "anna"})
    entry = town.certificate(title, officer("declare"), by("owners", "anna"), reason=None)
    town.accept(entry)
    assert status(town, made(entry))[0] == "valid"


def test_a_certificate_names_a_version_that_is_there(town, birth):
    for record, version, code in (
        (birth, 2, "registry.stale_version"),
        (identifier("none"), 1, "registry.record_unknown"),
        (child_id(birth), 1, "registry.record_unknown"),
    ):
        entry = town.certificate(birth, about=about(record, version))
        assert town.refuse(entry) == code
    assert town.refuse(town.certificate(birth, about=None)) == "registry.wrong_parts"


def test_a_certificate_of_an_old_version_is_refused(town, birth):
    entry = town.certificate(birth)
    town.accept(correct(town, birth))
    assert town.refuse(entry) == "registry.stale_version"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("type", "identity"),
        ("commitment", seed("another")),
        ("status", "ended"),
        ("transcribed", True),
        ("office", identifier("office", "tax")),
    ],
)
def test_whatever_a_certificate_says_otherwise_than_the_state_is_refused(town, birth, field, value):
    refusal = town.refusal(town.certificate(birth, fields={field: value}))
    assert (refusal.code, refusal.details) == ("registry.certificate_wrong", {"field": field})


@pytest.mark.parametrize(("days", "passes"), [(0, False), (1, True), (365, True), (366, False)])
def test_a_certificate_expires_after_today_and_within_the_time_of_its_type(
    town, birth, days, passes
):
    entry = town.certificate(birth, fields={"expires_on": add_days(town.day, days)})
    if passes:
        town.accept(entry)
    else:
        assert town.refuse(entry) == "registry.date_order"


def test_a_record_without_a_sealed_body_shows_nothing_and_is_not_certified(town):
    founder = identifier("officer", "justice", "declare")
    certified = {
        "type": "identity", "commitment": seed("none"), "status": "live", "transcribed": False,
    }  # fmt: skip
    entry = town.certificate(founder, certified=certified)
    assert town.refuse(entry) == "registry.object_unknown"


# --- member fields beside it ---------------------------------------------------------------------


def test_a_printed_member_field_is_stated_as_the_state_has_it(town, birth):
    values = stated_values(BIRTH, town.row(birth))
    assert values["registration_no"] == "birth/1/2026"
    assert values["event_date"] == town.row(birth).member["event_date"]
    town.accept(town.certificate(birth, stated=values))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("event_date", "1999-01-01"),
        ("registration_no", "birth/2/2026"),
        ("mother", "anyone"),
        ("name.given", "Ân"),
        ("late_code", "illness"),
    ],
)
def test_nothing_else_is_stated_than_printed_member_fields_as_they_are(town, birth, name, value):
    refusal = town.refusal(town.certificate(birth, stated={name: value}))
    assert (refusal.code, refusal.details) == ("registry.certificate_wrong", {"field": name})


def test_a_field_is_stated_once(town, birth):
    values = stated_values(BIRTH, town.row(birth))
    certificate = town.certificate(birth).objects
    day = ObjectPart("stated", {"name": "event_date", "value": values["event_date"]})
    entry = town.certificate(birth, objects=[*certificate, day, day])
    assert town.refuse(entry) == "registry.certificate_wrong"


def test_member_values_are_stated_as_people_read_them():
    member = {
        "parcel": {"unit": "00070", "map_sheet_no": "7", "parcel_no": "12"},
        "area": 10_005,
        "land_use": ("ODT", "CLN"),
        "certificate_serial": "AB 1",
    }
    row = record_row("land_title", member=member, registered=(3, 0, "2026-02-03"))
    assert stated_values(LAND, row) == {
        "registered_on": "2026-02-03",
        "certificate_serial": "AB 1",
        "parcel.unit": "00070",
        "parcel.map_sheet_no": "7",
        "parcel.parcel_no": "12",
        "area": "1000.5",
        "land_use": "ODT, CLN",
    }


@pytest.mark.parametrize("path", ["mother", "name", "name.last", "dragon", "multiple"])
def test_a_type_prints_only_single_fields_that_it_has(path):
    text = type_text("birth").replace(b'"registered_on"', f'"{path}"'.encode(), 1)
    with pytest.raises(SchemaError):
        read_record_type(text)


# --- how many, and what becomes of them ----------------------------------------------------------


def test_a_record_has_at_most_64_valid_certificates_until_it_changes(town, birth):
    entries = [town.certificate(birth) for _ in range(CERTIFICATES_LIVE_MAX)]
    for entry in entries:
        town.accept(entry)
    assert town.refuse(town.certificate(birth)) == "registry.certificates_full"
    height = town.height + 1
    town.accept(correct(town, birth))
    assert {status(town, made(entry)) for entry in entries} == {("replaced", height)}
    town.accept(town.certificate(birth))
    assert len(listed(town, birth)) == 1


def test_a_correction_turns_the_certificates_of_its_record_in_its_block_and_no_others(town, birth):
    other_birth = town.birth(mother=town.adult("berta"))
    town.accept(other_birth)
    mine, other = town.certificate(birth), town.certificate(other_birth.records[0].record_id)
    of_child = town.certificate(child_id(birth))
    for entry in (mine, other, of_child):
        town.accept(entry)
    outcome = town.accept(correct(town, birth))
    assert status(town, made(mine)) == ("replaced", town.height)
    assert status(town, made(other))[0] == status(town, made(of_child))[0] == "valid"
    changed = {key for key, _ in outcome.changes}
    assert key_hash(certificate_key(made(mine))) in changed
    assert key_hash(certificates_key(birth)) in changed
    assert key_hash(certificate_key(made(other))) not in changed
    assert listed(town, birth) == ()


def test_a_replaced_certificate_is_turned_once(town, birth):
    entry = town.certificate(birth)
    town.accept(entry)
    town.accept(correct(town, birth))
    replaced = status(town, made(entry))
    town.accept(correct(town, birth))
    assert status(town, made(entry)) == replaced


def test_certificates_of_a_record_that_ends_are_revoked(town, birth):
    """No operation of the first types ends a registered record, so a schema says that one does."""
    entry = town.certificate(birth)
    town.accept(entry)
    ends = type_text("birth").replace(
        b"[operations.correct]\n", b'[operations.correct]\nto = "revoked"\n'
    )
    put_in_force(town, "birth", ends)
    town.accept(correct(town, birth))
    assert status(town, made(entry)) == ("revoked", town.height)


def test_an_owners_own_update_reads_no_certificates(town):
    anna = town.adult("anna")
    entry = town.certificate(anna)
    town.accept(entry)
    outcome = town.accept(town.contact(anna, by("subject", "anna")))
    assert status(town, made(entry))[0] == "valid"
    assert key_hash(certificates_key(anna)) not in {key for key, _ in outcome.changes}


def test_no_row_that_strangers_are_shown_names_the_record(town, birth):
    entry = town.certificate(birth)
    town.accept(entry)
    value = town.state.get(certificate_key(made(entry)))
    assert value == ("valid", town.height, entry.entry_digest)
    shown = entry.objects[0].fields.values()
    assert birth not in shown
    assert child_id(birth) not in shown


def test_a_mortgage_and_its_release_replace_the_certificate_of_a_title(town):
    anna = town.adult("anna")
    bank = town.adult("bank")
    title = town.title({anna: "anna"})
    entry = town.certificate(title, fields={"form": "original"})
    town.accept(entry)
    town.accept(town.mortgage(title, ["anna"], bank, "bank"))
    assert status(town, made(entry)) == ("replaced", town.height)
    assert shares([anna], [(1, 1)]) == town.row(title).holders
