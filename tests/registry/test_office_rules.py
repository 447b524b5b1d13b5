"""Office rules: what refuses, what only warns, and what the pack says of them."""

import tomllib
from dataclasses import replace

import pytest

from ledger.canonical import Value
from ledger.ids import print_id
from ledger.parts import Evidence
from registry import catalogue
from registry.acts import Act, RecordContent
from registry.duplicates import BirthSketch
from registry.errors import AttestationIncompleteError
from registry.geometry import geometry_digest
from registry.office_rules import RULES, OpenedAct, attest, run_rules
from registry.problems import OfficeRuleError
from registry.rule_pack import PACK_DIGEST, PACK_TEXT
from registry.schema_reader import read_record_type
from tests.registry.plain_bytes import sixteen, thirty_two

SEALED: dict[str, Value] = {
    "name.family": "Nguyễn",
    "name.middle": "Thị",
    "name.given": "Hương",
    "sex": "female",
    "personal_number": "001326000123",
    "evidence_kind": "birth_notice",
    "mother_details.name": "Trần Thị Phượng",
    "mother_details.birth_year": 1996,
    "informant.name": "Lê Văn Ánh",
}
MOTHER = sixteen(9)


def opened(edit="none", births=None, member=None, *, official=False, **sealed):
    changed = {key.replace("__", "."): value for key, value in sealed.items()}
    content = RecordContent(
        member={"event_date": "2026-03-01"} | (member or {}),
        sealed={key: value for key, value in (SEALED | changed).items() if value is not None},
        links={"mother": MOTHER},
    )
    act = Act(
        kind="birth/register",
        event_date="2026-03-01",
        records=(content,),
        evidence=Evidence(sufficient=True, official=official, digests=()),
    )
    return OpenedAct(act=act, types=("birth",), record_id=sixteen(0), edit=edit, births=births)


def ruled(name, act):
    (ruling,) = run_rules([name], act)
    return ruling.warned


def refused(name, act):
    with pytest.raises(OfficeRuleError) as caught:
        run_rules([name], act)
    return [problem.field for problem in caught.value.problems]


def test_the_pack_describes_exactly_the_rules_that_there_are():
    assert sorted(tomllib.loads(PACK_TEXT.decode())["rules"]) == sorted(RULES)


def test_every_attested_rule_of_every_type_exists():
    for name in catalogue.TYPES:
        for operation in read_record_type(catalogue.type_text(name)).operations.values():
            assert set(operation.attested) <= set(RULES)


def test_a_rule_that_does_not_exist_cannot_be_attested():
    with pytest.raises(AttestationIncompleteError):
        run_rules(["no_such_rule"], opened())


@pytest.mark.parametrize("name", ["Hương", "O'Brien", "Anne-Marie", "Đỗ", "Nguyễn Thị", "x" * 64])
def test_names_of_letters_pass(name):
    assert not ruled("name_letters", opened(name__given=name))


@pytest.mark.parametrize(
    "name", ["", "x" * 65, "A1", "A_B", "A  B", " A", "A ", "-A", "\u6797", "A\nB", 7]
)
def test_other_names_are_refused(name):
    assert refused("name_letters", opened(name__given=name)) == ["name.given"]


def test_all_wrong_names_of_all_rules_are_told_at_once():
    act = opened(name__given="A1", informant__name="B2", personal_number="1")
    with pytest.raises(OfficeRuleError) as caught:
        run_rules(["name_letters", "number_matches_person"], act)
    found = {problem.field: problem for problem in caught.value.problems}
    assert set(found) == {"name.given", "informant.name", "personal_number"}
    assert found["name.given"].example == "Hương"
    assert found["name.given"].article
    assert "A1" not in str(caught.value)


def test_the_number_must_say_sex_and_year_at_first_registration():
    assert not ruled("number_matches_person", opened())
    assert not ruled("number_matches_person", opened(personal_number=None))
    for wrong in ({"sex": "male"}, {"personal_number": "001325000123"}):
        assert refused("number_matches_person", opened(**wrong)) == ["personal_number"]


def test_the_number_does_not_follow_corrected_data():
    """Acceptance case 30, second half."""
    assert ruled("number_matches_person", opened(edit="correction", sex="male"))
    assert ruled("number_matches_person", opened(sex="undetermined"))
    assert refused("number_matches_person", opened(edit="correction", personal_number="1"))


def test_two_records_of_one_act_have_one_number():
    act = opened()
    child = RecordContent(
        member={"birth_date": "2026-03-01"},
        sealed={"personal_number": "001326000124", "sex": "female"},
    )
    both = replace(act, act=replace(act.act, records=(act.subject, child)))
    assert refused("number_matches_person", both) == ["personal_number"]


SAME = {"name.family": "Nguyễn", "name.middle": "Thị", "name.given": "Hương", "sex": "female"}


def compared(birth, **sealed):
    return replace(opened(**sealed), birth=birth)


def test_an_identity_that_says_what_the_birth_says_passes_and_so_does_one_without_a_birth():
    assert not ruled("same_as_birth", compared(SAME | {"nationality": "VN"}, nationality="VN"))
    assert not ruled("same_as_birth", compared({}))


def test_a_birth_that_nobody_opened_is_unverified():
    assert ruled("same_as_birth", compared(None))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name.family", "Lê"),
        ("name.middle", None),
        ("name.given", "Hường"),
        ("sex", "male"),
        ("nationality", "LA"),
    ],
)
def test_another_name_sex_or_nationality_than_the_births_is_refused(path, value):
    birth = SAME | {"nationality": "VN"}
    act = compared(birth, nationality="VN")
    assert not ruled("same_as_birth", act)
    other = compared(birth, **({"nationality": "VN"} | {path.replace(".", "__"): value}))
    assert refused("same_as_birth", other) == [path]


def test_a_middle_name_that_the_birth_lacks_is_refused_and_what_it_does_not_know_is_not_compared():
    birth = {path: value for path, value in SAME.items() if path not in {"name.middle", "sex"}}
    assert refused("same_as_birth", compared(birth)) == ["name.middle"]
    assert not ruled("same_as_birth", compared(birth, name__middle=None, sex="male"))
    assert not ruled("same_as_birth", compared({"name.given": None, "sex": "female"}))


def test_official_evidence_is_an_official_report_and_nothing_else():
    assert not ruled("evidence_kind", opened())
    assert not ruled("evidence_kind", opened(evidence_kind="official_report", official=True))
    assert refused("evidence_kind", opened(evidence_kind="official_report")) == ["act.official"]
    assert refused("evidence_kind", opened(official=True)) == ["act.official"]
    assert refused("evidence_kind", opened(evidence_kind=None)) == ["evidence_kind"]


@pytest.mark.parametrize(
    ("born", "warned"),
    [("2014-03-01", False), ("2014-03-02", True), ("1965-03-02", False), ("1965-03-01", True)],
)
def test_a_mother_outside_12_to_60_only_warns(born, warned):
    assert ruled("mother_age", opened(mother_details__birth_date=born)) == warned


def test_the_age_of_a_mother_is_that_on_the_day_of_the_birth_however_late_it_is_corrected():
    act = opened("correction", mother_details__birth_date="2014-03-02")
    later = replace(act, act=replace(act.act, kind="birth/correct", event_date="2027-01-01"))
    assert ruled("mother_age", later)
    correct = read_record_type(catalogue.type_text("birth")).operations["correct"]
    assert "mother_age" in correct.attested


def test_a_parent_whose_identity_is_linked_is_named_too():
    """What a certificate shows of parents is what the birth says of them."""
    assert not ruled("parents_named", opened())
    nameless = opened(mother_details__name=None, mother_details__birth_year=None)
    assert refused("parents_named", nameless) == ["mother_details.name"]
    unknown = replace(nameless, act=replace(nameless.act, records=(RecordContent(),)))
    assert not ruled("parents_named", unknown)


def test_a_birth_that_is_registered_already_is_found():
    assert ruled("duplicate_search", opened())
    assert not ruled("duplicate_search", opened(births=()))
    twin = BirthSketch(
        record_id=sixteen(1),
        child_name="Huong Nguyen Thi",
        birth_date="2026-03-03",
        mother_name="Tran Thi Phuong",
        mother_born="1996",
        mother=None,
    )
    assert refused("duplicate_search", opened(births=(twin,))) == ["name"]
    with pytest.raises(OfficeRuleError) as caught:
        run_rules(("duplicate_search",), opened(births=(twin,)))
    assert print_id(twin.record_id) in caught.value.problems[0].explain("vi"), "which one"
    resolved = replace(opened(births=(twin,)), different=(twin.record_id,))
    assert not ruled("duplicate_search", resolved)


RING = "[[105.8,21.0],[105.9,21.0],[105.9,21.1],[105.8,21.0]]"


@pytest.mark.parametrize(
    ("geometry", "good"),
    [
        ('{"type":"Point","coordinates":[105.8,21.0]}', True),
        ('{"type":"Polygon","coordinates":[' + RING + "]}", True),
        ('{"type":"MultiPolygon","coordinates":[[' + RING + "]]}", True),
        ('{"type":"Polygon","coordinates":[[[105.8,21.0],[105.9,21.0],[105.8,21.0]]]}', False),
        (
            '{"type":"Polygon","coordinates":[' + RING.replace("[105.8,21.0]]", "[1,1]]") + "]}",
            False,
        ),
        ('{"type":"Point","coordinates":[181,21]}', False),
        ('{"type":"Point","coordinates":[NaN,21]}', False),
        ('{"type":"Point","coordinates":[true,21]}', False),
        ('{"type":"Point","coordinates":[1e999999999,21]}', False),
        ('{"type":"MultiPolygon","coordinates":[]}', False),
        ("[" * 5_000, False),
        ("somewhere", False),
    ],
)
def test_a_geometry_is_valid_geojson_and_always_unverified(geometry, good):
    member = {"geometry_digest": geometry_digest(geometry)}
    act = opened(member=member, geometry=geometry)
    if good:
        assert ruled("geometry_valid", act)
    else:
        assert refused("geometry_valid", act) == ["geometry"]


def test_the_public_digest_is_that_of_the_sealed_geometry():
    geometry = '{"type":"Point","coordinates":[105.8,21.0]}'
    act = opened(member={"geometry_digest": thirty_two(0)}, geometry=geometry)
    assert refused("geometry_valid", act) == ["geometry_digest"]


def test_the_entry_says_pass_or_warn_under_the_pack():
    attested = attest(["number_matches_person", "appeared_in_person", "name_letters"], opened())
    assert [(rule.rule, rule.warned) for rule in attested] == [
        ("appeared_in_person", True),
        ("name_letters", False),
        ("number_matches_person", False),
    ]
    assert {rule.pack_digest for rule in attested} == {PACK_DIGEST}
