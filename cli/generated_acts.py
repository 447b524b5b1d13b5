"""Acts about generated persons and parcels, as an office would fill them in.

For the demonstration, imports of registers without owners, the benchmark and tests. Each function
returns the `Act`; who signs and how it comes into the chain is `cli.acting`'s.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from cli.people import Person
from keys.hashing import Digest, sha256
from keys.signing import Algorithm, Purpose, SoftwareKey
from ledger.canonical import Value
from ledger.ids import RecordId
from ledger.parts import Evidence, Holder, ObjectPart
from registry.acts import Act, RecordContent
from registry.form_kinds import derive_content
from registry.geometry import geometry_digest
from registry.schema import RecordType

KINH: Final = "01"
VIET_NAM: Final = "VN"
_SCAN_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class PersonKeys:
    """The keys that a citizen has made: to sign, to ask, to read."""

    sign: SoftwareKey
    auth: SoftwareKey
    seal: SoftwareKey

    @classmethod
    def generate(cls) -> "PersonKeys":
        """Make new ones."""
        return cls(
            SoftwareKey.generate(),
            SoftwareKey.generate(),
            SoftwareKey.generate(Algorithm.MLKEM768_X25519),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A parcel that does not exist.

    Attributes:
        unit: Code of the commune.
        sheet: Number of the map sheet.
        number: Of the parcel on it.
        area_dm: Area in tenths of a square metre.
        address: In words.
        longitude, latitude: Degrees as decimal text.
    """

    unit: str
    sheet: str
    number: str
    area_dm: int
    address: str
    longitude: str
    latitude: str

    @property
    def geometry(self) -> str:
        """A reference point as GeoJSON."""
        return f'{{"type": "Point", "coordinates": [{self.longitude}, {self.latitude}]}}'


def scan_digest() -> Digest:
    """Return the digest of a scan that does not exist: of random bytes, so it tells nothing."""
    return sha256(secrets.token_bytes(_SCAN_BYTES))


def seen() -> Evidence:
    """Return sufficient evidence with one scan."""
    return Evidence(sufficient=True, official=False, digests=(scan_digest(),))


def identity_act(person: Person, today: str, legacy: tuple[str, str] | None = None) -> Act:
    """Return the act by which an identity is created, or imported from an old book.

    Args:
        person: Whose.
        today: Civil date.
        legacy: System and id of the old book, for `identity/import_legacy`.
    """
    member: dict[str, Value] = {"birth_date": person.birth_date}
    if legacy is not None:
        year = int(today[:4])
        member["legacy"] = {"system": legacy[0], "id": legacy[1], "year": year}
    sealed: dict[str, Value] = {
        **_name(person),
        "personal_number": person.number,
        "sex": person.sex,
        "nationality": VIET_NAM,
        "residence": person.residence,
        "home_town": person.home_town,
        "ethnicity": KINH,
    }
    return Act(
        kind="identity/create" if legacy is None else "identity/import_legacy",
        event_date=today,
        records=(RecordContent(member=member, sealed=sealed),),
        evidence=seen(),
    )


def enrolment_act(created: Act, keys: PersonKeys) -> Act:
    """Return the act by which a person enrols keys; it restates what `created` said."""
    made = ((Purpose.SIGN, keys.sign), (Purpose.AUTH, keys.auth), (Purpose.SEAL, keys.seal))
    objects = tuple(
        ObjectPart(
            "key",
            {
                "algorithm": int(key.public.algorithm),
                "public": key.public.public,
                "purpose": str(purpose),
            },
        )
        for purpose, key in made
    )
    return replace(created, kind="identity/enrol_key", objects=objects)


def contact_act(person: Person, today: str, phone: str = "") -> Act:
    """Return the act by which an owner sets the own contact data."""
    sealed: dict[str, Value] = {
        "phone": phone or person.phone,
        "email": person.email,
        "postal_address": person.residence,
        "language": "vi",
    }
    content = RecordContent(sealed=sealed)
    return Act(kind="identity/update_contact", event_date=today, records=(content,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Parents:
    """Who a child's parents are, with their identities."""

    mother: Person
    mother_id: RecordId
    father: Person | None = None
    father_id: RecordId | None = None


def birth_act(
    child: Person, parents: Parents, identity: RecordType, multiple: tuple[int, int] | None = None
) -> Act:
    """Return the act that registers a birth and creates the child's identity.

    Args:
        child: The newborn.
        parents: Its parents, who will represent it.
        identity: The record type of the created record.
        multiple: Number of children and order of birth, for twins.
    """
    member: dict[str, Value] = {"event_date": child.birth_date, "place_unit": child.home.code}
    if multiple is not None:
        member["multiple"] = {"count": multiple[0], "order": multiple[1]}
    mother = parents.mother
    sealed: dict[str, Value] = {
        **_name(child),
        "personal_number": child.number,
        "sex": child.sex,
        "ethnicity": KINH,
        "nationality": VIET_NAM,
        "home_town": child.home_town,
        "place_detail": f"Trạm y tế {child.home.name}",
        **_details("mother_details", mother),
        "informant.name": mother.full_name,
        "informant.relation": "mother",
        "evidence_kind": "birth_notice",
    }
    links: dict[str, RecordId | tuple[RecordId, ...]] = {"mother": parents.mother_id}
    if parents.father is not None and parents.father_id is not None:
        sealed |= _details("father_details", parents.father)
        links["father"] = parents.father_id
    birth = RecordContent(member=member, sealed=sealed, links=links)
    derived = derive_content(birth, identity, child.birth_date)
    made = replace(derived, sealed={**derived.sealed, "residence": mother.residence})
    return Act(
        kind="birth/register",
        event_date=child.birth_date,
        records=(birth, made),
        evidence=seen(),
    )


def title_act(parcel: Parcel, owners: Sequence[RecordId], serial: str, day: str) -> Act:
    """Return the act of a first registration; the owners hold equal shares."""
    member: dict[str, Value] = {
        "parcel": {
            "unit": parcel.unit,
            "map_sheet_no": parcel.sheet,
            "parcel_no": parcel.number,
        },
        "area": parcel.area_dm,
        "land_use": ("ODT",),
        "geometry_digest": geometry_digest(parcel.geometry),
        "certificate_serial": serial,
        "form_of_use": "private",
        "obligation_open": False,
    }
    sealed: dict[str, Value] = {
        "geometry": parcel.geometry,
        "address": parcel.address,
        "origin_of_use": "Nhà nước giao đất",
        "obligation": "none",
    }
    content = RecordContent(member=member, sealed=sealed, holders=equal_shares(owners))
    return Act(
        kind="land_title/first_register",
        event_date=day,
        records=(content,),
        evidence=seen(),
    )


def imported_title_act(title: Act, system: str, old_id: str, year: int) -> Act:
    """Return a first registration as the import of a title from an old register."""
    (content,) = title.records
    legacy: dict[str, Value] = {"system": system, "id": old_id, "year": year}
    moved = replace(content, member={**content.member, "legacy": legacy})
    return replace(title, kind="land_title/import_legacy", records=(moved,))


def sale_act(title: Act, buyers: Sequence[RecordId], serial: str, price: int, day: str) -> Act:
    """Return the act by which a title goes to its buyers; it restates what `title` said.

    Args:
        title: Of the version before.
        buyers: Who hold it afterwards, in equal shares.
        serial: Of the new certificate.
        price: In dong.
        day: ISO date of the contract.
    """
    (content,) = title.records
    member = {**content.member, "certificate_serial": serial, "deal": "sale"}
    sealed = {**content.sealed, "price": price}
    sold = replace(content, member=member, sealed=sealed, holders=equal_shares(buyers))
    return Act(
        kind="land_title/transfer",
        event_date=day,
        records=(sold,),
        evidence=seen(),
    )


def equal_shares(owners: Sequence[RecordId]) -> tuple[Holder, ...]:
    """Return holders with equal shares, in the order of their ids."""
    return tuple(Holder((owner,), 1, len(owners)) for owner in sorted(owners))


def _name(person: Person) -> dict[str, Value]:
    return {
        "name.family": person.family,
        "name.middle": person.middle,
        "name.given": person.given,
    }


def _details(group: str, person: Person) -> dict[str, Value]:
    return {
        f"{group}.name": person.full_name,
        f"{group}.birth_date": person.birth_date,
        f"{group}.birth_year": int(person.birth_date[:4]),
        f"{group}.ethnicity": KINH,
        f"{group}.nationality": VIET_NAM,
        f"{group}.residence": person.residence,
    }
