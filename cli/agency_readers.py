"""Whether an officer's desk could open a record at all, asked before an access is put on record.

An officer opens with the agency's seal key. Where that is not at hand, or the record is sealed to
other agencies, an access would tell the owner of a reading that never happened.
"""

from cli.errors import NotReaderError, SealKeyNeededError
from cli.hands import who_is
from cli.network_view import NetworkView
from keys.signing import Purpose, Signer
from ledger.ids import AgencyId, OfficeId
from registry.authority_rows import AgencyRow, KeyRow, OfficeRow
from registry.readers import INDEX_NAMESPACES
from registry.rows import NamespaceRow, RecordRow
from registry.state_key_names import agency_key, key_key, namespace_key, office_key


def require_agency_reader(view: NetworkView, row: RecordRow, asker: Signer) -> None:
    """Refuse an officer whom no key at hand would open a record for.

    Args:
        view: The network, with seal keys on its ring.
        row: The record's.
        asker: The officer's auth key.

    Raises:
        NotReaderError: The record is sealed to other agencies than the officer's.
        SealKeyNeededError: The seal key of the officer's agency is not at hand.
        KeyFileError: It is, and does not open.
    """
    agency_id = _agency_of(view, asker)
    agency = None if agency_id is None else view.state.read(agency_key(agency_id), AgencyRow)
    if agency_id is None or agency is None:
        return  # Whoever is of no agency any more is refused by the node.
    readers = _reading_agencies(view, row)
    if agency_id not in readers:
        keeper = ", ".join(_named(view, reader) for reader in readers)
        raise NotReaderError(
            "nothing was put on record", agency=_named(view, agency_id), keeper=keeper
        )
    seal = agency.keys.get(Purpose.SEAL)
    if seal is None or view.ring.get(seal) is None:
        raise SealKeyNeededError(
            "nothing was put on record", agency=_named(view, agency_id), purpose=Purpose.SEAL.value
        )


def _agency_of(view: NetworkView, asker: Signer) -> AgencyId | None:
    key = view.state.read(key_key(asker.public.key_id), KeyRow)
    if key is None or key.office is None:
        return None
    office = view.state.read(office_key(OfficeId(key.office)), OfficeRow)
    return None if office is None else office.agency


def _reading_agencies(view: NetworkView, row: RecordRow) -> list[AgencyId]:
    """Return the agencies to which a version is sealed: its keeper, and the index agency."""
    found = [] if row.sealed_by is None else [row.sealed_by]
    index = INDEX_NAMESPACES.get(row.type_name)
    space = None if index is None else view.state.read(namespace_key(index), NamespaceRow)
    return found if space is None else [*found, space.first_agency]


def _named(view: NetworkView, agency_id: AgencyId) -> str:
    return who_is(view, agency_id) or agency_id.hex()
