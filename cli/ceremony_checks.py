"""What is wrong with an agreed template or with one part, in words that name the field.

Nodes refuse a genesis with unknown parameters, and nobody could use one in which two agencies have
one name. That must be said before everybody has signed it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from keys.signing import Algorithm, KeyId, PublicKey
from ledger.canonical import Value
from ledger.founding import KEY_NAMES, OFFICERS_MIN
from ledger.genesis import Agency, FoundingPart, Template
from node.config import parse_address
from registry.catalogue import TYPES, type_text
from registry.content_errors import ParameterRefusedError
from registry.parameters import CONSENSUS, DEVELOPMENT, HOLIDAYS, NUMBERS, check_parameter
from registry.schema_reader import read_record_type

ALL: Final = "*"
PARAMETERS: Final = tuple(sorted([*NUMBERS, CONSENSUS, DEVELOPMENT, HOLIDAYS]))
"""What a network may set in its genesis."""


def check_names(agencies: Sequence[tuple[str, bytes]]) -> None:
    """Refuse two agencies of one name or id: commands and namespaces call them by it.

    Raises:
        ValueError: There are two; names them.
    """
    for name in _twice([name for name, _id in agencies]):
        raise ValueError(f"agencies: two are called {name!r}")
    for agency_id in _twice([agency_id for _name, agency_id in agencies]):
        names = " and ".join([name for name, one in agencies if one == agency_id])
        raise ValueError(f"agencies: {names} have the same id")


def check_agreed(agreed: Template) -> None:
    """Refuse parameters and mandates that no network has, and records that nobody could tag.

    Raises:
        ValueError: Names the field and what it could be.
    """
    _check_parameters(agreed.parameters)
    for name in _twice([namespace.name for namespace in agreed.namespaces]):
        raise ValueError(f"namespaces: two are called {name!r}")
    for agency in agreed.agencies:
        for mandate in agency.mandate:
            _check_types(f"the mandate of {agency.name}", mandate.types)
    _check_namespaces(agreed)


def _check_namespaces(agreed: Template) -> None:
    """Refuse a mandate for records whose tags no agencies would make: none could be registered."""
    mandated = [name for one in agreed.agencies for row in one.mandate for name in row.types]
    types = TYPES if ALL in mandated else sorted(dict.fromkeys(mandated))
    named = {namespace.name for namespace in agreed.namespaces}
    for type_name in types:
        for namespace in _tagged(type_name):
            if namespace not in named:
                raise ValueError(
                    f"namespaces: {namespace} is missing: name the two agencies that make the"
                    f" tags of {type_name} records"
                )


def _tagged(type_name: str) -> Iterator[str]:
    """Yield the namespaces of the tags that acts on records of a type bring."""
    record_type = read_record_type(type_text(type_name))
    writes = [write for each in record_type.operations.values() for write in each.writes]
    for name in dict.fromkeys([type_name, *(write.type_name for write in writes)]):
        written = read_record_type(type_text(name))
        yield from (one.namespace for one in written.unique if one.mode == "tag")
        yield from (one.namespace for one in written.match)


def check_officers(officers: int) -> None:
    """Refuse an agency that could not register anything.

    Raises:
        ValueError: It has one founding officer or none.
    """
    if officers < OFFICERS_MIN:
        raise ValueError(
            f"officers: there are {officers}, and an agency needs at least {OFFICERS_MIN}"
            " founding officers, because two register together"
        )


def check_own(part: FoundingPart, agency: Agency) -> None:
    """Refuse a part that would not fit its agency, or with which its node could not run.

    Raises:
        ValueError: Names the field.
    """
    _check_key_names(part)
    if agency.weight > 0 and "consensus" not in part.keys:
        raise ValueError(f"keys: {agency.name} has a validator and so needs a consensus key")
    if agency.weight == 0 and "consensus" in part.keys:
        raise ValueError(f"keys: {agency.name} has the weight 0 and so no consensus key")
    if part.keys["peer"].algorithm is not Algorithm.P256:
        raise ValueError("keys: the peer key is not of the algorithm p256, which TLS needs")
    if not 1 <= part.governance_k <= len(part.governance_keys):
        raise ValueError(
            f"governance_needed is {part.governance_k} of {len(part.governance_keys)} keys"
        )
    try:
        parse_address(part.peer_address)
    except ValueError as error:
        raise ValueError(f"peer_address: {error}") from error
    for officer in part.officers:
        for role in officer.roles:
            _check_types(f"the role {role.role}", role.types)
    _check_own_keys(part)


def _check_key_names(part: FoundingPart) -> None:
    unknown, missing = part.keys.keys() - KEY_NAMES, KEY_NAMES - part.keys.keys() - {"consensus"}
    if unknown:
        raise ValueError(f"keys: no service has a key called {', '.join(sorted(unknown))}")
    if missing:
        raise ValueError(f"keys: there is none for {', '.join(sorted(missing))}")


def _check_own_keys(part: FoundingPart) -> None:
    """Refuse a key with two purposes."""
    places: dict[KeyId, str] = {}
    for place, key in _places(part):
        first = places.setdefault(key.key_id, place)
        if first != place:
            raise ValueError(f"{first} and {place} are the same key; each purpose has its own")


def _places(part: FoundingPart) -> Iterator[tuple[str, PublicKey]]:
    for number, key in enumerate(part.governance_keys, start=1):
        yield f"governance {number}", key
    for name, key in part.keys.items():
        yield f"keys.{name}", key
    for number, officer in enumerate(part.officers, start=1):
        yield f"sign of officer {number}", officer.sign_key
        yield f"auth of officer {number}", officer.auth_key


def _check_parameters(parameters: Mapping[str, Value]) -> None:
    for name, value in parameters.items():
        if name not in PARAMETERS:
            known = ", ".join(PARAMETERS)
            raise ValueError(f"parameters: none is called {name!r}; there are {known}")
        try:
            check_parameter(name, value)
        except ParameterRefusedError as error:
            raise ValueError(f"parameters.{name}: {error}") from error


def _check_types(where: str, names: Sequence[str]) -> None:
    for name in names:
        if name != ALL and name not in TYPES:
            known = ", ".join(TYPES)
            raise ValueError(f"{where}: there is no record type {name!r}; there are {known}")


def _twice(items: Iterable[str | bytes]) -> list[str | bytes]:
    """Return what occurs more than once, in order."""
    listed = list(items)
    return [item for number, item in enumerate(listed) if item in listed[:number]]
