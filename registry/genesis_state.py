"""The state before the first block: what a genesis document says, as rows.

Root offices get a competence for each mandate of their agency, from the genesis date on. Founding
identities have no body and are in the custody `genesis` until an entry completes them.

Source: docs/formats.md, section 10; records.md, section 3.
"""

from dataclasses import dataclass
from typing import Final

from keys.hashing import Digest
from keys.signing import PublicKey, Purpose
from ledger.canonical import Value
from ledger.errors import InvalidGenesisError
from ledger.genesis import Agency, FoundingOfficer, FoundingPart, Genesis
from ledger.ids import OfficeId
from ledger.state_keys import StateKey
from registry import parameters
from registry.authority_rows import (
    AgencyRow,
    CompetenceRow,
    KeyRow,
    MandateRow,
    OfficeRow,
    OfficerRole,
    OfficerRow,
)
from registry.civil_calendar import add_days, civil_date
from registry.code_tables import parse_table, text_pieces
from registry.content_errors import ParameterRefusedError
from registry.errors import SchemaError
from registry.rows import (
    NamespaceRow,
    NamespacesRow,
    PackRow,
    ParameterRow,
    RecordRow,
    TableRow,
    TextRow,
    TypeRow,
    ValidatorsRow,
)
from registry.schema_reader import read_record_type, text_digest
from registry.state import State
from registry.state_key_names import (
    NAMESPACES,
    VALIDATORS,
    agency_key,
    competence_key,
    key_key,
    mandate_key,
    namespace_key,
    office_key,
    officer_key,
    pack_key,
    parameter_key,
    record_key,
    table_key,
    text_key,
    type_key,
)

FIRST_EPOCH: Final = 1
CUSTODY_GENESIS: Final = "genesis"
ACTIVE: Final = "active"


@dataclass(frozen=True, slots=True)
class Founding:
    """By what an agency became a member.

    Attributes:
        digest: The network's id for a founder, else the digest of the entry that admitted it.
        day: Civil date.
        height: Of the block; 0 for a founder.
        index: Of the entry in the block.
    """

    digest: Digest
    day: str
    height: int = 0
    index: int = 0


def initial_state(genesis: Genesis) -> State:
    """Return the state before the first block, all of it as changes of an empty one.

    Args:
        genesis: Checked by `ledger.genesis`.

    Raises:
        InvalidGenesisError: An attachment is no record type or code table, or a parameter cannot
            have its value.
    """
    state = State(lambda _key: None)
    day = civil_date(genesis.time_ms)
    for name, content in genesis.attachments.items():
        _attach(state, name, content)
    _write_parameters(state, genesis)
    for namespace in genesis.template.namespaces:
        row = NamespaceRow(namespace.first, namespace.second, FIRST_EPOCH)
        state.write(namespace_key(namespace.name), row)
    agencies = {agency.agency_id: agency for agency in genesis.template.agencies}
    names = [namespace.name for namespace in genesis.template.namespaces]
    state.write(NAMESPACES, NamespacesRow(tuple(sorted(names))))
    for part in genesis.parts:
        write_member(state, agencies[part.agency_id], part, Founding(genesis.network_id, day))
    state.write(VALIDATORS, ValidatorsRow(((1, genesis.validator_set.to_value()),)))
    state.seal_writes(genesis.network_id)
    return state


def initial_values(genesis: Genesis) -> dict[StateKey, Value]:
    """Return keys and values of the state before the first block.

    Raises:
        InvalidGenesisError: As `initial_state`.
    """
    state = initial_state(genesis)
    return {key: state.get(key) for key in state.written_keys()}


def _attach(state: State, name: str, content: bytes) -> None:
    kind, _, rest = name.partition("/")
    digest = text_digest(content)
    try:
        match kind:
            case "type":
                record_type = read_record_type(content)
                if record_type.name != rest:
                    raise InvalidGenesisError(f"attachment {name} is of another record type")
                versions = ((record_type.version, digest, 0),)
                state.write(type_key(rest), TypeRow(versions))
            case "table":
                parse_table(content)
                state.write(table_key(rest), TableRow(((digest, 0),)))
            case "pack":
                state.write(pack_key(digest), PackRow(rest, 0, None))
            case _:
                raise InvalidGenesisError(f"attachment {name} is no type, table or pack")
    except SchemaError as error:
        raise InvalidGenesisError(f"attachment {name} is wrong: {error}") from error
    pieces = text_pieces(content)
    for number, piece in enumerate(pieces):
        state.write(text_key(digest, number), TextRow(piece, len(pieces)))


def _write_parameters(state: State, genesis: Genesis) -> None:
    for name, value in genesis.template.parameters.items():
        try:
            parameters.check_parameter(name, value)
        except ParameterRefusedError as error:
            raise InvalidGenesisError(f"parameter {name} is wrong: {error}") from error
        state.write(parameter_key(name), ParameterRow(((value, 0),)))


def write_member(state: State, agency: Agency, part: FoundingPart, founding: Founding) -> None:
    """Write what an agency brings: its row and mandates, keys, root office, founding officers.

    Args:
        state: Knows none of its ids and keys.
        agency: What the others agreed on.
        part: What it says of itself.
        founding: By which entry and when.
    """
    _write_agency(state, agency, part, founding.day)
    _write_office(state, agency, part, founding.day)
    for officer in part.officers:
        _write_officer(state, founding, officer, part.office.office_id)


def _write_agency(state: State, agency: Agency, part: FoundingPart, day: str) -> None:
    for key in part.governance_keys:
        write_key(state, key, Purpose.GOVERN, ("agency", part.agency_id), day)
    for name, key in part.keys.items():
        write_key(state, key, Purpose(name), ("agency", part.agency_id), day)
    row = AgencyRow(
        name=agency.name,
        kind=agency.kind,
        weight=agency.weight,
        governance_k=part.governance_k,
        governance_keys=tuple(sorted(key.key_id for key in part.governance_keys)),
        keys={name: key.key_id for name, key in part.keys.items()},
        peer_address=part.peer_address,
        mandates=len(agency.mandate),
        from_date=day,
        to_date=None,
    )
    state.write(agency_key(part.agency_id), row)
    for number, mandate in enumerate(agency.mandate):
        mandate_row = MandateRow(
            types=mandate.types,
            operations=mandate.operations,
            units=mandate.units,
            from_date=mandate.valid_from,
            to_date=mandate.valid_to,
            legal_basis=mandate.legal_basis,
            from_height=0,
        )
        state.write(mandate_key(part.agency_id, number), mandate_row)


def _write_office(state: State, agency: Agency, part: FoundingPart, day: str) -> None:
    office = part.office
    competences = [
        CompetenceRow(
            type_name=type_name,
            operations=mandate.operations,
            from_date=max(day, mandate.valid_from),
            to_date=mandate.valid_to,
            legal_basis=mandate.legal_basis,
        )
        for mandate in agency.mandate
        for type_name in mandate.types
    ]
    for number, competence in enumerate(competences):
        state.write(competence_key(office.office_id, number), competence)
    row = OfficeRow(
        agency=part.agency_id,
        name=office.name,
        unit=office.unit,
        unit_date=office.unit_date,
        level=office.level,
        parent=None,
        from_date=day,
        to_date=None,
        succeeded_by=(),
        competences=len(competences),
    )
    state.write(office_key(office.office_id), row)


def _write_officer(
    state: State, founding: Founding, officer: FoundingOfficer, office: OfficeId
) -> None:
    day = founding.day
    holder = ("officer", officer.identity_id)
    write_key(state, officer.sign_key, Purpose.SIGN, holder, day, office)
    write_key(state, officer.auth_key, Purpose.AUTH, holder, day, office)
    key_id = officer.sign_key.key_id
    roles = tuple(
        OfficerRole(role.role, role.types, office, key_id, role.valid_from, role.valid_to)
        for role in officer.roles
    )
    grace_days = parameters.number(state, "founding_officer_days", founding.height)
    row = OfficerRow(roles, add_days(day, grace_days))
    state.write(officer_key(officer.identity_id), row)
    state.write(record_key(officer.identity_id), _founding_identity(founding))


def _founding_identity(founding: Founding) -> RecordRow:
    return RecordRow(
        type_name="identity",
        schema_version=0,
        version=1,
        last_entry=founding.digest,
        first_entry=founding.digest,
        status=ACTIVE,
        flags=(),
        office=None,
        member={},
        holders=(),
        links={},
        seal=None,
        engine={"custody": CUSTODY_GENESIS},
        claims=(),
        encumbrances=(),
        registration_number=None,
        created=(founding.height, founding.index, founding.day),
        registered=None,
        officers=(),
    )


def write_key(
    state: State,
    key: PublicKey,
    purpose: Purpose,
    holder: tuple[str, bytes],
    day: str,
    office: OfficeId | None = None,
) -> None:
    """Write a public key that is in force from a day on.

    Args:
        state: Where to.
        key: Is not in it yet.
        purpose: What it is for.
        holder: Kind and id of whose it is.
        day: First civil date.
        office: The one office that an officer's key serves.
    """
    row = KeyRow(
        algorithm=int(key.algorithm),
        public=key.public,
        purpose=purpose.value,
        holder_kind=holder[0],
        holder=holder[1],
        office=office,
        from_date=day,
        to_date=None,
        settled_from=None,
        compromised_since_ms=None,
    )
    state.write(key_key(key.key_id), row)
