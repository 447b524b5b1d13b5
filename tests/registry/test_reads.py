"""How many rows one entry makes the rules read, in the dearest cases that officers can arrange.

Nothing counts reads while a node runs: each loop of the rules goes over something whose length has
a limit. These tests say what that comes to; `docs/threats.md` has the greatest number.
"""

from collections import Counter
from dataclasses import replace

import pytest

from ledger.entries import Holder, Match
from ledger.ids import RecordId
from ledger.limits import (
    COMPETENCES_MAX,
    ENTRY_STEPS_MAX,
    OFFICER_ROLES_MAX,
    PERSON_CHILDREN_MAX,
    PERSON_KEYS_MAX,
)
from registry.apply import VerifiedEntry, apply
from registry.authority_rows import (
    CompetenceRow,
    KeyRow,
    OfficeRow,
    OfficerRole,
    OfficerRow,
)
from registry.errors import RuleError
from registry.indexes import INDEXED_MAX
from registry.rows import FamilyRow, IndexRow
from registry.state import State
from registry.state_key_names import (
    competence_key,
    family_key,
    index_key,
    key_key,
    match_key,
    office_key,
    officer_key,
    record_key,
)
from tests.registry.test_acceptance_entries import LOWER, lower_office
from tests.registry.test_governance import import_window, legacy_title, opening
from tests.registry.test_officer_consent import grant, role
from tests.registry.town import (
    Town,
    by,
    identifier,
    office,
    officer,
    officer_id,
    two_officers,
)

READS_MAX = 25_000
"""No entry makes the rules read more rows, whatever a few agencies have prepared."""


@pytest.fixture
def town() -> Town:
    return Town()


@pytest.fixture
def spent(town, monkeypatch):
    """Say what applying an entry gives, and how many rows it reads of which kind."""

    def spend(entry):
        town.state.seal_writes(bytes(32))
        verified = entry if isinstance(entry, VerifiedEntry) else town.verified(entry)
        found: Counter[str] = Counter()
        read = State.read

        def counted(self, key, kind):
            found[str(key[0])] += 1
            return read(self, key, kind)

        with monkeypatch.context() as patch:
            patch.setattr(State, "read", counted)
            try:
                apply(town.state.fork(), verified, town.block())
            except RuleError as error:
                return error.code, found
        return "accepted", found

    return spend


def fill_competences(town, office_id, model):
    """Give an office as many competences as it may have, the one that it needs last."""
    row = town.state.read(office_key(office("justice")), OfficeRow)
    for number in range(COMPETENCES_MAX):
        is_last = number == COMPETENCES_MAX - 1
        given = model if is_last else replace(model, type_name="another")
        town.state.write(competence_key(office_id, number), given)
    town.state.write(office_key(office_id), replace(row, competences=COMPETENCES_MAX))


def many_births(town, mother, offices):
    """As many declared births of one mother as are indexed, by these offices in turn."""
    declared = town.birth("birth/declare", mother=mother)
    town.accept(declared)
    model = town.row(declared.records[0].record_id)
    others = sorted(RecordId(identifier("declared", at)) for at in range(INDEXED_MAX - 1))
    for at, one in enumerate(others):
        town.state.write(record_key(one), replace(model, office=offices[at % len(offices)]))
    return IndexRow(tuple(others))


def test_a_birth_among_many_declared_ones_asks_each_office_once(town, spent):
    anna = town.adult("anna")
    others = many_births(town, anna, [office("justice")])
    competence = town.state.read(competence_key(office("justice"), 0), CompetenceRow)
    fill_competences(town, office("justice"), competence)
    town.state.write(index_key("birth", "mother", anna), others)
    entry = town.birth("birth/declare", mother=anna)
    tag = entry.records[0].matches[0]
    town.state.write(match_key("birth.name", tag.epoch, tag.tag), others)
    code, found = spent(entry)
    assert code == "accepted"
    assert found["competence"] == 2 * COMPETENCES_MAX, "of the own office, and of the declaring one"
    assert found.total() < 2_000


def test_births_declared_by_many_full_offices_are_not_looked_through(town, spent):
    anna = town.adult("anna")
    competence = town.state.read(competence_key(office("justice"), 0), CompetenceRow)
    offices = [identifier("full", at) for at in range(INDEXED_MAX)]
    others = many_births(town, anna, offices)
    for one in offices:
        fill_competences(town, one, competence)
    town.state.write(index_key("birth", "mother", anna), others)
    code, found = spent(town.birth("birth/declare", mother=anna))
    assert code == "registry.too_much_work"
    assert found["competence"] <= ENTRY_STEPS_MAX + COMPETENCES_MAX


def test_two_match_tags_of_one_name_lead_to_nothing(town, spent):
    anna = town.adult("anna")
    hands = town.birth_hands("birth/declare")
    act = town.new_act()
    birth = town.created_id(hands, act)
    matches = [Match(*town.tag("birth.name", name, birth, hands[0])) for name in ("an", "binh")]
    for tag in matches:
        others = many_births(town, anna, [office("justice")])
        town.state.write(match_key("birth.name", tag.epoch, tag.tag), others)
    ordered = sorted(matches, key=lambda one: (one.namespace, one.tag))
    entry = town.birth("birth/declare", mother=anna, act=act, hands=hands, matches=tuple(ordered))
    code, found = spent(entry)
    assert code == "registry.claim_wrong"
    assert found["match"] <= 1


def test_a_role_for_who_has_thousands_reads_each_office_once(town, spent):
    founder = officer_id("justice", "declare")
    row = town.state.read(officer_key(founder), OfficerRow)
    offices = [identifier("office", at) for at in range(64)]
    many = tuple(
        OfficerRole("declare", ("*",), one, row.roles[0].key_id, "2026-01-01", None)
        for one in offices
        for _ in range(OFFICER_ROLES_MAX)
    )
    town.state.write(officer_key(founder), OfficerRow((*row.roles, *many), None))
    roles = [role(town, founder) for _ in range(16)]
    hands = [by("appointee", "justice", "declare"), by("new_key", "desk")]
    code, found = spent(grant(town, roles, hands))
    assert code == "accepted"
    assert found.total() < 300


def test_a_person_has_so_many_keys_and_no_more(town, spent):
    anna = town.create_identity()
    ended = KeyRow(
        1, bytes(33), "sign", "identity", anna, None, "2026-01-01", "2026-01-01", None, None
    )
    keys = [("sign", identifier("key", at)) for at in range(PERSON_KEYS_MAX - 2)]
    for _purpose, key_id in keys:
        town.state.write(key_key(key_id), ended)
    row = town.row(anna)
    town.state.write(record_key(anna), replace(row, engine={**row.engine, "keys": tuple(keys)}))
    entry = town.enrol_entry(anna, "anna")
    code, found = spent(entry)
    assert (code, found.total() < 2_000) == ("accepted", True)
    keys.append(("sign", identifier("one more")))
    town.state.write(record_key(anna), replace(row, engine={**row.engine, "keys": tuple(keys)}))
    assert spent(entry)[0] == "registry.too_much_work"


def test_a_person_has_so_many_children_and_no_more(town, spent):
    lower = lower_office(town)
    anna = town.adult("anna", "1980-01-01")
    entry = town.birth(mother=anna)
    town.accept(entry)
    birth, child = entry.records[0].record_id, entry.records[1].record_id
    kin = (child, "birth", identifier("gone"))
    family = town.state.read(family_key(child), FamilyRow)
    town.state.write(family_key(child), replace(family, children=(kin,) * PERSON_CHILDREN_MAX))
    upper = by("upper_office(approve)", "justice", "approve")
    part = town.part("birth", birth)
    given = {"reason": "void", "office": lower}
    code, found = spent(town.entry("birth/revoke", [*LOWER, upper], [part], **given))
    assert code == "accepted"
    assert found.total() < 2_000
    full = town.state.read(family_key(anna), FamilyRow)
    town.state.write(family_key(anna), replace(full, children=(kin,) * PERSON_CHILDREN_MAX))
    town.wait(300)
    assert spent(town.birth(mother=anna))[0] == "registry.too_much_work"


def test_the_dearest_entry_has_thousands_of_owners(town, spent):
    """An old title: nobody of them signs, and each of the officers may be a relative of each."""
    import_window(town)
    town.accept(opening(town))
    owner = town.adult("owner")
    everybody = sorted([owner, *(RecordId(identifier("owner", at)) for at in range(2_500))])
    for one in everybody:
        town.state.write(record_key(one), town.row(owner))
    groups = [tuple(everybody[at : at + 3]) for at in range(0, len(everybody), 3)]
    owners = tuple([Holder(group, 1, len(groups)) for group in groups])
    model = legacy_title(town, owner, 1)
    hands = [*two_officers("land"), officer("approve", "tax", "other_office")]
    part = replace(model.records[0], holders=owners)
    entry = town.entry(
        "land_title/import_legacy", hands, [part], act=model.head.act_id, agency="land"
    )
    code, found = spent(entry)
    assert code == "registry.too_much_work", "so many may be relatives that nobody looks"
    assert found.total() <= READS_MAX
