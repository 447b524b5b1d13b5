"""Who is a member, with which keys, where, and with what weight: ballots, and acts of agencies.

The members admit an agency with an application that it has signed, set the weight of a validator (0
takes it out of the set, its agency stays a member) and remove an agency. An admitted validator
votes from two heights after it declared itself ready: nobody waits for one that is not there. An
agency itself changes the keys and the address of its node.

Source: the design's consensus.md, section Rules, Membership; architecture.md, section 7.
"""

import re
from dataclasses import replace
from typing import Final, cast

from keys.errors import InvalidKeyError
from keys.signing import Algorithm, PublicKey, Purpose, parse_public_key
from ledger.canonical import Value
from ledger.errors import InvalidDataError
from ledger.genesis import Agency
from ledger.ids import AgencyId
from ledger.membership import Application, parse_application
from ledger.validators import WEIGHT_MAX
from registry import parameters
from registry.authority_errors import (
    AgencyNeededError,
    GovernanceConflictError,
    KeyTakenError,
    NotReadyError,
    SignerWrongError,
)
from registry.authority_rows import AgencyRow, KeyRow, OfficeRow, OfficerRow
from registry.civil_calendar import add_days, in_range
from registry.code_tables import check_code
from registry.committee import (
    IN_FORCE_AFTER_HEIGHTS,
    change_sets,
    last_set,
    put,
    rekey,
    weigh,
)
from registry.effects import Effect, fits_purpose
from registry.errors import FieldValueError, ObjectUnknownError
from registry.genesis_state import Founding, write_key, write_member
from registry.governance import agency_of
from registry.key_changes import count_key_change
from registry.rows import NamespaceRow, NamespacesRow, RecordRow
from registry.running import Run
from registry.state_key_names import (
    NAMESPACES,
    agency_key,
    key_key,
    namespace_key,
    office_key,
    officer_key,
    record_key,
)
from registry.vocabulary import UNITS

HEADER_AGE_MAX: Final = 100
"""How many heights below its block the header may be that a validator names when it is ready."""
_ALGORITHMS: Final = {
    Purpose.PEER: (Algorithm.P256,),
    Purpose.CHECKPOINT: (Algorithm.ED25519,),
}
"""What TLS and signed notes need; a consensus key may be of any algorithm that signs."""
_ADDRESS: Final = re.compile(r"[!-~]+:[0-9]{1,5}")
_Fields = dict[str, Value]


# --- ballots --------------------------------------------------------------------------------------


def check_admission(run: Run, fields: _Fields) -> Application:
    """Refuse an application that could not be admitted now.

    Raises:
        FieldValueError: It does not read, is not signed for this network, or does not fit a weight.
        GovernanceConflictError: An id in it is known.
        KeyTakenError: A key in it is known.
    """
    _check_weight(fields)
    raw = cast("bytes", fields["application"])
    try:
        application = parse_application(raw, run.block.network_id)
    except InvalidDataError as error:
        raise FieldValueError(f"the application is none: {error}", field="application") from error
    part = application.part
    if ("consensus" in part.keys) != (cast("int", fields["weight"]) > 0):
        raise FieldValueError("consensus key and weight do not fit", field="weight")
    if not _ADDRESS.fullmatch(part.peer_address):
        raise FieldValueError("the address is not host:port", field="application")
    for purpose, algorithms in _ALGORITHMS.items():
        if part.keys[purpose].algorithm not in algorithms:
            raise FieldValueError(f"the {purpose} key is of another algorithm", field="application")
    known: list[object] = [
        run.state.read(agency_key(part.agency_id), AgencyRow),
        run.state.read(office_key(part.office.office_id), OfficeRow),
    ]
    for officer in part.officers:
        known.append(run.state.read(record_key(officer.identity_id), RecordRow))
        known.append(run.state.read(officer_key(officer.identity_id), OfficerRow))
    ids = [officer.identity_id for officer in part.officers]
    if any(row is not None for row in known) or len(set(ids)) != len(ids):
        raise GovernanceConflictError("an id of the application is known already")
    if any(run.state.read(key_key(key.key_id), KeyRow) for key in part.all_keys):
        raise KeyTakenError("a key of the application is in the state already")
    office = part.office
    check_code(run.state, "unit", (UNITS, office.unit), run.block.height, office.unit_date)
    return application


def admit(run: Run, fields: _Fields, _from_height: int) -> None:
    """A new member: agency, keys, root office, founding officers; its validator is not yet ready.

    What it may register, further ballots say (`mandate`).
    """
    part = check_admission(run, fields).part
    agency = Agency(
        agency_id=part.agency_id,
        name=str(fields["name"]),
        kind=str(fields["kind"]),
        weight=cast("int", fields["weight"]),
        mandate=(),
    )
    place = Founding(run.entry.entry_digest, run.day, run.block.height, run.block.index)
    write_member(run.state, agency, part, place)


def check_weight(run: Run, fields: _Fields) -> AgencyRow:
    """Refuse a weight out of bounds, of an agency that is no member.

    Raises:
        FieldValueError: The weight.
        ObjectUnknownError: There is no such member.
    """
    _check_weight(fields)
    return _member(run, fields)


def set_weight(run: Run, fields: _Fields, from_height: int) -> None:
    """A validator weighs otherwise; with 0 it leaves the set. One that is not in it gets ready."""
    row, weight = check_weight(run, fields), cast("int", fields["weight"])
    agency = AgencyId(cast("bytes", fields["agency"]))
    run.state.write(agency_key(agency), replace(row, weight=weight))
    change_sets(run, from_height, weigh(agency, weight))


def check_removal(run: Run, fields: _Fields) -> AgencyRow:
    """Refuse to remove what is no member, or what others cannot do without.

    Raises:
        ObjectUnknownError: There is no such member.
        AgencyNeededError: Its tag service makes the tags of a namespace.
    """
    row = _member(run, fields)
    names = run.state.read(NAMESPACES, NamespacesRow)
    for name in () if names is None else names.names:
        namespace = run.state.read(namespace_key(name), NamespaceRow)
        if namespace is not None and fields["agency"] in {
            namespace.first_agency,
            namespace.second_agency,
        }:
            raise AgencyNeededError(f"the agency makes the tags of {name}", namespace=name)
    return row


def remove(run: Run, fields: _Fields, from_height: int) -> None:
    """An agency is no member any more: validator, offices, officers and keys end with it."""
    row = check_removal(run, fields)
    agency = AgencyId(cast("bytes", fields["agency"]))
    wait_days = parameters.number(run.state, "governance_wait_days", run.block.height)
    end = add_days(run.day, wait_days)
    run.state.write(agency_key(agency), replace(row, weight=0, to_date=end))
    for key_id in (*row.governance_keys, *row.keys.values()):
        key = run.state.read(key_key(key_id), KeyRow)
        if key is not None and key.to_date is None:
            run.state.write(key_key(key_id), replace(key, to_date=end))
    change_sets(run, from_height, weigh(agency, 0))


def _member(run: Run, fields: _Fields) -> AgencyRow:
    agency = AgencyId(cast("bytes", fields["agency"]))
    row = run.state.read(agency_key(agency), AgencyRow)
    if row is None or row.to_date is not None or run.day < row.from_date:
        raise ObjectUnknownError("there is no such agency, or its removal is decided")
    return row


def _check_weight(fields: _Fields) -> None:
    if not 0 <= cast("int", fields["weight"]) <= WEIGHT_MAX:
        raise FieldValueError(f"a weight is 0 … {WEIGHT_MAX}", field="weight")


# --- acts of an agency ----------------------------------------------------------------------------


def declare_ready(run: Run, _arguments: tuple[str, ...]) -> None:
    """An admitted validator has caught up: it votes from two heights later on."""
    (item,) = run.objects("readiness")
    agency = agency_of(run)
    row = run.state.read(agency_key(agency), AgencyRow)
    if row is None or not in_range(run.day, row.from_date, row.to_date) or row.weight == 0:
        raise NotReadyError("no ballot has given this agency a validator")
    if last_set(run.state).index_of(agency) is not None:
        raise NotReadyError("the validator is in the set already")
    height, header = cast("int", item.fields["height"]), item.fields["header"]
    age = run.block.height - height
    if not 1 <= age <= HEADER_AGE_MAX or run.block.header_digest(height) != header:
        raise NotReadyError(
            f"the header is none of the newest {HEADER_AGE_MAX} of this chain", height=height
        )
    key = run.state.read(key_key(row.keys[Purpose.CONSENSUS]), KeyRow)
    assert key is not None, "it has signed"
    from_height = run.block.height + IN_FORCE_AFTER_HEIGHTS
    change_sets(run, from_height, put(agency, key.public_key, row.weight))


def change_key(run: Run, _arguments: tuple[str, ...]) -> None:
    """A key of an agency's node is replaced; who holds the new one has signed with it.

    A consensus key counts from two heights later on, any other from the next block.
    """
    (item,) = run.objects("key")
    purpose = Purpose(str(item.fields["purpose"]))
    agency, key = agency_of(run), _new_key(run, purpose)
    row = run.state.read(agency_key(agency), AgencyRow)
    if row is None or row.to_date is not None or run.day < row.from_date:
        raise GovernanceConflictError("the agency is no member, or its removal is decided")
    by_governors = any(signer.term == "agency" for signer in run.head.signers)
    if purpose is not Purpose.CONSENSUS and not by_governors:
        raise SignerWrongError("a consensus key replaces only itself", term="consensus_key")
    count_key_change(run, agency, purpose, by_governors=by_governors)
    old = row.keys.get(purpose)
    ended = None if old is None else run.state.read(key_key(old), KeyRow)
    if old is not None and ended is not None:
        run.state.write(key_key(old), replace(ended, to_date=run.day))
    write_key(run.state, key, purpose, ("agency", agency), run.day)
    keys = {**row.keys, purpose.value: key.key_id}
    run.state.write(agency_key(agency), replace(row, keys=dict(sorted(keys.items()))))
    if purpose is Purpose.CONSENSUS:
        change_sets(run, run.block.height + IN_FORCE_AFTER_HEIGHTS, rekey(agency, key))


def _new_key(run: Run, purpose: Purpose) -> PublicKey:
    (item,) = run.objects("key")
    try:
        key = parse_public_key(
            cast("int", item.fields["algorithm"]), cast("bytes", item.fields["public"])
        )
    except InvalidKeyError as error:
        raise FieldValueError("the key is none", field="public") from error
    allowed = _ALGORITHMS.get(purpose)
    if not fits_purpose(key, purpose) or (allowed is not None and key.algorithm not in allowed):
        raise FieldValueError("keys of this algorithm cannot do this", field="algorithm")
    if run.state.read(key_key(key.key_id), KeyRow) is not None:
        raise KeyTakenError("the key is in the state already")
    return key


def move_node(run: Run, _arguments: tuple[str, ...]) -> None:
    """An agency's node answers at another address, from the next block on."""
    (item,) = run.objects("place")
    agency = agency_of(run)
    row = run.state.read(agency_key(agency), AgencyRow)
    if row is None or not in_range(run.day, row.from_date, row.to_date):
        raise GovernanceConflictError("the agency is no member")
    address = str(item.fields["peer_address"])
    run.state.write(agency_key(agency), replace(row, peer_address=address))


MEMBERSHIP_EFFECTS: Final[dict[str, Effect]] = {
    effect.__name__: effect for effect in (change_key, declare_ready, move_node)
}
