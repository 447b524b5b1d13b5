"""The state before the first block: what a genesis document says, as rows.

Root offices get a competence for each mandate of their agency, from the genesis date on. Founding
identities have no body and are in the custody `genesis` until an entry completes them.

Source: docs/formats.md, section 10; records.md, section 3.
"""

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
    for part in genesis.parts:
        _write_agency(state, agencies[part.agency_id], part, day)
        _write_office(state, agencies[part.agency_id], part, day)
        for officer in part.officers:
            _write_officer(state, genesis, officer, part.office.office_id)
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


def _write_agency(state: State, agency: Agency, part: FoundingPart, day: str) -> None:
    for key in part.governance_keys:
        _write_key(state, key, Purpose.GOVERN, ("agency", part.agency_id), day)
    for name, key in part.keys.items():
        _write_key(state, key, Purpose(name), ("agency", part.agency_id), day)
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
    state: State, genesis: Genesis, officer: FoundingOfficer, office: OfficeId
) -> None:
    day = civil_date(genesis.time_ms)
    holder = ("officer", officer.identity_id)
    _write_key(state, officer.sign_key, Purpose.SIGN, holder, day, office)
    _write_key(state, officer.auth_key, Purpose.AUTH, holder, day, office)
    key_id = officer.sign_key.key_id
    roles = tuple(
        OfficerRole(role.role, role.types, office, key_id, role.valid_from, role.valid_to)
        for role in officer.roles
    )
    grace_days = parameters.number(state, "founding_officer_days", 0)
    row = OfficerRow(roles, add_days(day, grace_days))
    state.write(officer_key(officer.identity_id), row)
    state.write(record_key(officer.identity_id), _founding_identity(genesis.network_id, day))


def _founding_identity(network_id: Digest, day: str) -> RecordRow:
    return RecordRow(
        type_name="identity",
        schema_version=0,
        version=1,
        last_entry=network_id,
        first_entry=network_id,
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
        created=(0, 0, day),
        registered=None,
        officers=(),
    )


def _write_key(
    state: State,
    key: PublicKey,
    purpose: Purpose,
    holder: tuple[str, bytes],
    day: str,
    office: OfficeId | None = None,
) -> None:
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
