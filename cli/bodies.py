"""Opening sealed bodies with the keys at hand: of records, and of drafts that ask for a signature.

An owner opens with the own seal key. An officer reads with the agency's seal key, which only its
custodian holds; on a development network it is at hand too. What cannot be opened stays unseen.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Final

from cli.accesses import UNLOGGED, Why, file_access, is_officer
from cli.acting import Actor
from cli.agency_readers import require_agency_reader
from cli.client import MSGPACK, Call
from cli.custodians import custodian_of, node_address
from cli.errors import (
    KeyNeededError,
    NotFoundError,
    NotReaderError,
    RemoteRefusalError,
    SealKeyNeededError,
)
from cli.key_ring import KeyRing
from cli.network_view import NetworkView
from keys.errors import CivregError, SealError, WrongPassphraseError
from keys.hashing import Digest
from keys.signing import KEY_ID_BYTES, KeyId, Signer
from ledger.canonical import Value, decode
from ledger.entries import EntryContent
from ledger.fields import read_array, read_bytes, read_bytes_up_to, read_text, read_version
from ledger.ids import RecordId, print_id
from registry.acts import RecordContent
from registry.drafts import Draft
from registry.form_kinds import FindType
from registry.rows import RecordRow
from registry.schema import RecordType
from registry.sealed import BodyPlace, OpenedBody, open_body
from registry.wraps import WRAPPED_BYTES_MAX, WRAPS_BYTES_MAX, WRAPS_MAX, Wrap, open_wraps
from registry.wraps import parse_wraps as parse_wraps_of_draft

NOT_FOUND: Final = "node.not_found"
BEHIND_SECONDS: Final = 15.0
"""How long the node that keeps a record may be behind the one whose state was read."""
POLL_SECONDS: Final = 0.1
_VERSION = 1
_PURPOSE_CHARS_MAX = 16
_AGENCY_PURPOSES: Final = frozenset({"agency", "index"})


def open_draft(
    draft: Draft, find_type: FindType, ring: KeyRing
) -> dict[RecordId, Mapping[str, Value]]:
    """Return record id -> sealed values of all bodies of a draft that a key of the ring opens.

    Each opened body is checked: digest, data key, number of fields, commitment.

    Raises:
        BodyError: A body is not what the entry says.
        UnknownKindError: A record is of an unknown type.
        WrongPassphraseError: The passphrase of a key that opens one is wrong.
    """
    opened: dict[RecordId, Mapping[str, Value]] = {}
    for part, item in zip(draft.entry.records, draft.bodies, strict=True):
        if item is None or part.seal is None:
            continue
        place = BodyPlace(draft.entry.head.network_id, part.record_id, part.record_version)
        data_key = _unwrap(parse_wraps_of_draft(item.wraps), place, ring, part.seal.key_check)
        if data_key is not None:
            paths = tuple(find_type(part.type_name).sealed_paths)
            opened[part.record_id] = open_body(place, paths, item.body, part.seal, data_key).values
    return opened


def unopened(entry: EntryContent, opened: Mapping[RecordId, object]) -> bool:
    """Tell whether a record of an entry has a body that was not opened."""
    return any(part.seal is not None and part.record_id not in opened for part in entry.records)


def open_record(
    view: Actor, record_id: RecordId, row: RecordRow, why: Why | None
) -> OpenedBody | None:
    """Return the opened body of a record's current version; None if it has none.

    Where an officer asks, an access is put on record first (`cli.accesses`), unless no key at hand
    would open it.

    Args:
        view: The network, with seal keys on its ring.
        record_id: The record.
        row: Its row.
        why: What an officer's access says; None for what is opened to owners only.

    Raises:
        NotReaderError: An officer asks, of an agency to which it is not sealed.
        SealKeyNeededError: An officer asks, and the agency's seal key is not at hand.
        AccessNeededError: An officer asks, and no access can be filed.
        RemoteRefusalError: The node does not give it to this asker.
        SealError: No key at hand opens it.
        BodyError: It is not what the chain says.
    """
    if row.seal is None:
        return None
    record_type = view.find_type(row.type_name)
    if not record_type.sealed_paths:
        return None
    address, asker = _keeper(view, row)
    shown = print_id(record_id)
    base = f"/v1/records/{shown}"
    ask = _get(address, f"{base}/body", asker)
    try:
        body = _logged(view, ask, (record_id, row), asker, why)
    except RemoteRefusalError as error:
        if error.remote_code != NOT_FOUND:
            raise
        _wait_for(view, address)
        body = _logged(view, ask, (record_id, row), asker, why)
    wraps = _read_wraps(view.client.send(_get(address, f"{base}/keys", asker)).body)
    place = BodyPlace(view.genesis.network_id, record_id, row.version)
    data_key = _unwrap(wraps, place, view.ring, row.seal.key_check)
    if data_key is None:
        raise SealError("no key at hand opens this record")
    return open_body(place, tuple(record_type.sealed_paths), body, row.seal, data_key)


def _wait_for(view: Actor, address: str) -> None:
    """Wait until a node has the blocks of which the state was read, for a while.

    Raises:
        NoNetworkError: It does not answer.
    """
    call = Call(address=address, path="/v1/status")
    until_s = time.monotonic() + BEHIND_SECONDS
    while int(view.client.send(call).json["height"]) < view.remote.height:
        if time.monotonic() > until_s:
            break  # The caller's next request says what is missing.
        time.sleep(POLL_SECONDS)


def _logged(
    view: Actor,
    ask: Call,
    about: tuple[RecordId, RecordRow],
    asker: Signer,
    why: Why | None,
) -> bytes:
    """Return a sealed body; if an officer asks, with an access on record that says why."""
    by_officer = why is not None and is_officer(view, asker)
    if why is None or not by_officer:
        return view.client.send(ask).body
    require_agency_reader(view, about[1], asker)
    if not why.is_stated:
        try:
            body = view.client.send(ask).body
        except RemoteRefusalError as error:
            if error.remote_code != UNLOGGED:
                raise
        else:
            why.tell(None)
            return body
    filed = file_access(view, about, asker, ask.address, why)
    why.tell(filed)
    return view.client.send(ask).body


def content_of(record_type: RecordType, row: RecordRow, opened: OpenedBody | None) -> RecordContent:
    """Return a record's present values, as a form for an edit begins with them."""
    links = {name: found for name, found in row.links.items() if name in record_type.link_fields}
    values = {} if opened is None else opened.values
    sealed = {path: value for path, value in values.items() if value is not None}
    return RecordContent(member=dict(row.member), sealed=sealed, links=links, holders=row.holders)


def previous_content(
    view: Actor, record_id: RecordId, row: RecordRow, why: Why | None
) -> tuple[RecordContent, CivregError | None]:
    """Return a record's present values, and why its body could not be opened, None if it was.

    Raises:
        AccessNeededError: An officer asks, and no access can be filed.
    """
    record_type = view.find_type(row.type_name)
    try:
        opened = open_record(view, record_id, row, why)
    except (RemoteRefusalError, SealError, NotFoundError, NotReaderError, SealKeyNeededError) as no:
        return content_of(record_type, row, None), no
    return content_of(record_type, row, opened), None


def _keeper(view: NetworkView, row: RecordRow) -> tuple[str, Signer]:
    """Return the node of the agency that registered the record, whose vault has the wraps.

    And who asks: an officer of that agency if one is at hand.
    """
    if row.office is None:
        return view.addresses[0], view.auth_key()
    custodian = custodian_of(view.genesis, view.state, row.office)
    try:
        asker = view.auth_key(None, custodian.agency_id)
    except KeyNeededError:
        asker = view.auth_key()
    return node_address(view.network, custodian.agency_id), asker


def _get(address: str, path: str, asker: Signer) -> Call:
    return Call(address=address, path=path, accept=MSGPACK, signer=asker)


def _read_wraps(raw: bytes) -> list[Wrap]:
    version, listed = read_array(decode(raw, WRAPS_BYTES_MAX), "wrapped keys", 2)
    read_version(version, "wrapped keys.version", _VERSION)
    found: list[Wrap] = []
    for item in read_array(listed, "wrapped keys", (0, WRAPS_MAX)):
        recipient, purpose, wrapped = read_array(item, "wrapped key", 3)
        found.append(
            Wrap(
                KeyId(read_bytes(recipient, "recipient", KEY_ID_BYTES)),
                read_text(purpose, "purpose", _PURPOSE_CHARS_MAX),
                read_bytes_up_to(wrapped, "wrapped key", WRAPPED_BYTES_MAX),
            )
        )
    return found


def _unwrap(
    wraps: Iterable[Wrap], place: BodyPlace, ring: KeyRing, key_check: Digest
) -> bytes | None:
    """Return the data key from a wrap for a key of the ring, or None.

    Nobody is asked for a passphrase while a key that is open already may do; a person's own keys
    come before that of the agency.

    Raises:
        WrongPassphraseError: The passphrase of such a key is wrong, and no other opens it. It is
            not told to be unseen then, for its owner only mistyped.
    """
    listed = sorted(
        (wrap for wrap in wraps if wrap.recipient in ring),
        key=lambda one: one.purpose in _AGENCY_PURPOSES,
    )
    mistyped: WrongPassphraseError | None = None
    for get in (ring.get_quietly, ring.get):
        for wrap in listed:
            try:
                key = get(wrap.recipient)
                if key is not None:
                    return open_wraps([wrap], place, key, key_check)
            except WrongPassphraseError as error:
                mistyped = error
            except CivregError:
                continue
    if mistyped is not None:
        raise mistyped
    return None
