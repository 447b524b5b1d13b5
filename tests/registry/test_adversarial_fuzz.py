"""Whatever officers agree to sign, the rules answer with a code: hostile values in every act."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.canonical import decode, encode
from ledger.entries import Entry, parse_entry
from ledger.errors import InvalidDataError
from ledger.limits import ENTRY_BYTES_MAX
from ledger.parts import ObjectPart
from registry.apply import VerifiedEntry, apply, resolve_signatures
from registry.claims import tag_checks
from registry.errors import RuleError
from tests.registry.test_acceptance_births import declare, not_duplicate
from tests.registry.test_acceptance_entries import grant_role
from tests.registry.test_apply_properties import changed, nodes
from tests.registry.test_governance import govern, legacy_title, open_ballot, opening, vote
from tests.registry.town import (
    Town,
    about,
    by,
    child_id,
    identifier,
    key,
    office,
    officer,
    officer_id,
    two_officers,
)

HOSTILE_INTEGERS = (0, 1, 2, 9, 255, 2**31, 2**53 + 1, 2**63 - 1, 2**64 - 1, -1, -(2**63))
HOSTILE_TEXTS = (
    "", "x", "0001-01-01", "9999-12-31", "2024-02-29", "birth/register", "land_title/certify",
    "a" * 1_000, "0" * 64, "ơ" * 300, "subject", "representative", "owners", "new_owners",
    "lenders", "supervisor", "agency", "custodian", "informant", "officer(register)",
    "upper_office(approve)", "person.number", "legacy.birth.s", "parameter", "mandate", "holidays",
    "import_window", "pack", "schema", "birth", "identity", "identity_contact", "sign", "seal",
    "intake", "import", "*",
)  # fmt: skip
NAMES = (
    "legacy", "multiple", "late_code", "deal", "mother", "father", "child", "identity", "holder",
    "birth_record", "to_date", "parent", "height", "value", "name", "term_until", "commitment",
    "compromised_since_ms", "certificate_serial", "succeeded_by",
)  # fmt: skip
DEEP: Any = {}
for _ in range(10):
    DEEP = {"a": DEEP}
SCALARS: tuple[Any, ...] = (
    None, True, False, (), {}, DEEP, b"", bytes(16), bytes(32), bytes(33), b"\x02" + bytes(32),
    {"count": 2, "order": 1}, {"system": "s", "id": "1", "year": 1999},
    *HOSTILE_INTEGERS, *HOSTILE_TEXTS,
)  # fmt: skip


class Acts:
    """A town, valid entries of every sort that nobody has applied, and the ids that are about."""

    def __init__(self) -> None:
        town = self.town = Town()
        anna, paul, bank = (town.adult(name) for name in ("anna", "paul", "bank"))
        keyless, founder = town.create_identity(), officer_id("police", "declare")
        birth = town.birth(mother=anna, father=paul)
        town.accept(birth)
        record = birth.records[0].record_id
        title, lent = town.title({anna: "anna"}), town.title({anna: "anna"}, parcel="2")
        town.accept(town.mortgage(lent, ["anna"], bank, "bank"))
        town.wait(200)
        declared = declare(town, mother=anna)[0].records[0].record_id
        ballot = open_ballot(town, "parameter", {"name": "received_days", "value": 3})
        town.accept(ballot)
        own = [*two_officers(), by("subject", "anna")]
        self.ids: list[bytes] = [
            anna, paul, keyless, record, declared, title, lent, child_id(record), founder,
            officer_id("justice", "register"), office(), office("tax"), ballot.created_record_id,
            identifier("agency", "tax"), key("anna").public.key_id,
            key("justice", "register").public.key_id, key("police", "custodian").public.key_id,
        ]  # fmt: skip
        looked = ObjectPart("logged", {"digest": bytes(32)})
        told = ObjectPart("notice", {"purpose": "residence", "digest": bytes(32)})
        closed = ObjectPart("closing", {"key_id": key("anna").public.key_id})
        founded = town.part("identity", founder, member={"birth_date": "1980-01-01"})
        self.entries = [
            town.birth(mother=bank, member={"multiple": {"count": 2, "order": 1}}),
            town.birth("birth/declare", mother=bank),
            town.contact(anna, by("subject", "anna")),
            town.entry("identity/correct", own, [town.part("identity", anna)], reason="x"),
            town.entry("identity/complete", two_officers(), [founded]),
            town.entry("identity/close_key", own[2:], [town.part("identity", anna)], [closed]),
            town.enrol_entry(keyless, "new"),
            town.sale(title, ["anna"], {paul: "paul"}),
            town.mortgage(title, ["anna"], bank, "bank"),
            town.release(lent, 1, bank, "bank"),
            town.title_entry({anna: "anna", paul: "paul"}, parcel="9"),
            legacy_title(town, anna, 1),
            not_duplicate(town, declared, record, officer("register")),
            town.certificate(record, *two_declarers()),
            town.entry("birth/access", [officer("declare")], objects=[looked], about=about(record)),
            town.entry("birth/notice", [officer("declare")], objects=[told], about=about(record)),
            opening(town),
            *self.governance(town, ballot.created_record_id, bank),
        ]

    @staticmethod
    def governance(town: Town, ballot: bytes, person: bytes) -> list[Entry]:
        mandate = {
            "agency": identifier("agency", "tax"), "types": ("birth",), "operations": ("*",),
            "units": ("*",), "from_date": "2026-01-01", "legal_basis": "law",
        }  # fmt: skip
        named = {
            "name": "Lower", "unit": "00070", "unit_date": town.day, "level": "commune",
            "parent": office(), "from_date": "2027-01-01",
        }  # fmt: skip
        ending = {"office": office(), "to_date": "2027-01-01", "succeeded_by": (office("tax"),)}
        stolen = {"key_id": key("justice", "approve").public.key_id, "compromised_since_ms": 5}
        piece = {"digest": bytes(32), "number": 0, "pieces": 2, "bytes": b"x"}
        acts: tuple[tuple[str, str, dict[str, Any]], ...] = (
            ("office/name", "office", named), ("office/close", "closing", ending),
            ("officer/revoke_key", "key_end", stolen), ("text/publish", "piece", piece),
        )  # fmt: skip
        return [
            open_ballot(town, "mandate", mandate),
            open_ballot(town, "parameter", {"name": "holidays", "value": ("2026-04-30",)}),
            open_ballot(town, "schema", {"digest": bytes(32), "height": 9}),
            vote(town, ballot, "police"),
            grant_role(town, person, "register", "officer key"),
            *[
                town.entry(kind, govern(), objects=[ObjectPart(name, fields)], office=None)
                for kind, name, fields in acts
            ],
        ]


def two_declarers():
    return [officer("declare"), officer("approve", "justice", "second_officer")]


@pytest.fixture(scope="module")
def acts() -> Acts:
    return Acts()


def hostile(data, acts: Acts, old: Any) -> Any:
    """Another value in the place of this one: of its sort, or of any."""
    if isinstance(old, tuple) and old and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(old) - 1))
        return data.draw(st.sampled_from([old[:at] + old[at + 1 :], (*old, old[at]), old * 30]))
    if isinstance(old, dict) and data.draw(st.booleans()):
        name = data.draw(st.sampled_from([*NAMES, *old]))
        return {**old, name: data.draw(st.sampled_from((*SCALARS, *acts.ids)))}
    if isinstance(old, bytes) and len(old) == 16:
        return data.draw(st.sampled_from(acts.ids))
    if isinstance(old, str):
        return data.draw(st.sampled_from(HOSTILE_TEXTS))
    if type(old) is int:
        return data.draw(st.sampled_from((*HOSTILE_INTEGERS, old + 1)))
    return data.draw(st.sampled_from(SCALARS))


def slots_for(head: Any) -> Any:
    """As many signatures as the head's signers ask for, whatever they are."""
    signers = head[12] if isinstance(head, tuple) and len(head) == 13 else ()
    return tuple(
        tuple(bytes(64) for _ in signer[3])
        if isinstance(signer, tuple) and len(signer) == 5 and isinstance(signer[3], tuple)
        else bytes(64)
        for signer in (signers if isinstance(signers, tuple) else ())
    )


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_no_act_however_hostile_falls_over_or_leaves_a_trace(acts, data):
    """Invariant: a code or an outcome, never another exception, and the state is as before."""
    town: Town = acts.town
    decoded: Any = decode(data.draw(st.sampled_from(acts.entries)).raw, ENTRY_BYTES_MAX)
    raw_parts, _slots = decoded
    parts: list[Any] = [decode(raw, ENTRY_BYTES_MAX) for _blind, raw in raw_parts]
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(parts) - 1))
        path = data.draw(st.sampled_from(list(nodes(parts[at]))))
        old = parts[at]
        for step in path:
            old = old[step]
        parts[at] = changed(parts[at], path, hostile(data, acts, old))
    blinds = [blind for blind, _raw in raw_parts]
    before = dict(town.state.tree_changes())
    code = "accepted"
    try:
        pairs = tuple(zip(blinds, map(encode, parts), strict=True))
        entry = parse_entry(encode((pairs, slots_for(parts[0]))))
        resolve_signatures(town.state, entry)
        tag_keys = tuple(found[0] for found in tag_checks(town.state, entry))
        apply(town.state.fork(), VerifiedEntry(entry, tag_keys), town.block())
    except (InvalidDataError, RuleError) as error:
        code = error.code
    assert code.startswith(("ledger.", "registry.", "accepted"))
    assert town.state.tree_changes() == before


def test_the_acts_are_accepted_as_they_stand(acts):
    """Or the test above would try nothing but refusals."""
    town = acts.town
    for entry in acts.entries:
        if entry.head.kind not in {"import/open", "land_title/import_legacy"}:
            apply(town.state.fork(), town.verified(entry), town.block())
