"""The officers of an office whose keys are at hand, by the terms under which they can sign.

For programs that act for a whole office of a development network: demonstration, import, benchmark.
A real office's import runs with the keys of the officers who are there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cli.errors import KeyNeededError
from cli.network_view import NetworkView
from keys.signing import KeyId
from ledger.genesis import FoundingPart
from ledger.ids import OfficeId, RecordId
from registry.signer_plan import CustodyForm, Hands
from registry.state_key_names import record_key


@dataclass(frozen=True, slots=True)
class Staff:
    """Who signs for an office.

    Attributes:
        office_id: The office.
        agency: Its agency's name.
        hands: Officers by term, those of other offices and agencies included.
        asker: Key id of the auth key that asks the office's custodian.
    """

    office_id: OfficeId
    agency: str
    hands: Hands
    asker: KeyId

    def custody(self, form_digest: bytes) -> CustodyForm:
        """Return the form of a person without a key, attested by the two registering officers."""
        officers = self.hands.officers
        both = (officers["officer(register)"], officers["second_officer(approve)"])
        return CustodyForm(tuple(sorted(both)), form_digest)  # type: ignore[arg-type]


def staff_of(actor: NetworkView, office: str, others: Iterable[str] = ()) -> Staff:
    """Return the officers of an office with those of other offices who approve.

    Args:
        actor: The network with the keys at hand.
        office: Name in `network.toml`.
        others: Names of offices whose officers may stand as `other_office` and `other_agency`, the
            first with such an officer counts.

    Raises:
        NotFoundError: There is no such office.
        KeyNeededError: The keys of its two officers are not at hand.
    """
    place = actor.network.office(office)
    part = _part(actor, place.office_id)
    register = _officer(actor, part, "register", ())
    approve = _officer(actor, part, "approve", (register,))
    officers = {
        "officer(register)": register,
        "second_officer(approve)": approve,
        "officer(declare)": _officer(actor, part, "declare", ()),
    }
    for name in others:
        other = _part(actor, actor.network.office(name).office_id)
        found = _officer(actor, other, "approve", ())
        officers["other_office(approve)"] = officers["other_agency(approve)"] = found
        break
    auth = next(
        officer.auth_key for officer in part.officers if officer.sign_key.key_id == register
    )
    return Staff(place.office_id, place.agency, Hands(officers=officers), auth.key_id)


def _part(actor: NetworkView, office_id: OfficeId) -> FoundingPart:
    for part in actor.genesis.parts:
        if part.office.office_id == office_id:
            return part
    raise KeyNeededError("only founding offices can be served by one program", purpose="officer")


def _officer(
    actor: NetworkView, part: FoundingPart, role: str, except_for: Iterable[KeyId]
) -> KeyId:
    for officer in part.officers:
        has_role = any(item.role == role for item in officer.roles)
        key_id = officer.sign_key.key_id
        if has_role and key_id not in except_for and key_id in actor.ring:
            return key_id
    raise KeyNeededError(f"no key of an officer with the role {role!r} is at hand", purpose=role)


def prefetch_persons(actor: NetworkView, persons: Iterable[RecordId]) -> None:
    """Read the identities of many persons with few requests."""
    actor.remote.prefetch([record_key(person) for person in persons])


def persons_with(keys: Mapping[RecordId, KeyId], hands: Hands) -> Hands:
    """Return hands to which persons with their keys are added."""
    return Hands(
        officers=hands.officers,
        persons={**hands.persons, **keys},
        informant=hands.informant,
        new_keys=hands.new_keys,
        governance=hands.governance,
    )
