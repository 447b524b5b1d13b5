"""The citizen's document as a file: the receipt of a certify entry, and the fields that it opens.

Whoever can open the record's body can make one, when certifying or later from the entry. Of the
entry it shows the certificate and the stated fields that were chosen; of the body the chosen
fields. Everything else stays hashes, the record's id too.
"""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cli.accesses import Why
from cli.acting import Actor
from cli.bodies import open_record
from cli.client import MSGPACK, Call
from cli.errors import FileTakenError, InvalidInputError
from cli.network_view import NetworkView
from keys.hashing import DIGEST_BYTES, Digest
from keys.private_files import write_private
from ledger import merkle
from ledger.entries import EntryContent, parse_entry
from ledger.receipt_form import hide_parts, parse_receipt
from registry.certificates import parse_certificate, print_certificate
from registry.certification import CERTIFICATE, STATED, stated_values
from registry.preparing import Target
from registry.schema import RecordType
from registry.sealed import SALT_BYTES, OpenedBody, OpenedField, show_openings

PURPOSE: Final = "purpose"
RECIPIENT: Final = "recipient"


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetWish:
    """What a person wants on the file.

    Attributes:
        out: Where to write it.
        fields: Which fields to show; none: all that are printed.
        recipient: For whom, or empty.
        purpose: What for, or empty.
        entry: Digest of a certify entry that stands in the chain; None: of the one being made.
    """

    out: Path
    fields: Sequence[str] = ()
    recipient: str = ""
    purpose: str = ""
    entry: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A file about to be written: all that is needed but the entry's receipt.

    Attributes:
        out: Where to write it.
        commitment: Of the record version whose fields are opened.
        names: Member fields that it shows, as stated in the entry.
        openings: Of the sealed fields.
        intended: Openings of recipient and purpose, or None.
        intended_root: What the certificate says of them, or None.
    """

    out: Path
    commitment: Digest
    names: frozenset[str]
    openings: bytes
    intended: bytes | None
    intended_root: Digest | None

    def check_of(self, entry: EntryContent) -> None:
        """Refuse an entry that certifies another version than the one opened.

        Raises:
            InvalidInputError: It makes no certificate, or one that is replaced.
        """
        made = [one for one in entry.objects if one.kind == CERTIFICATE]
        if len(made) != 1:
            raise InvalidInputError("the entry makes no certificate", name="--of")
        if made[0].fields.get("commitment") != self.commitment:
            raise InvalidInputError("the record has changed since it was certified", name="--of")


def plan_sheet(
    view: Actor, record_type: RecordType, target: Target, wish: SheetWish, why: Why
) -> Sheet:
    """Open the record and choose what the file will show, before anything is registered.

    Raises:
        AccessNeededError: An officer asks, and no access can be filed.
        FileTakenError: A file of that name is there.
        InvalidInputError: The record has no body, or not such a field.
        SealError: No key at hand opens the record.
        RemoteRefusalError: The node does not give its body to this asker.
    """
    if wish.out.exists():
        raise FileTakenError("there is a file of that name already", name=str(wish.out))
    body = open_record(view, target.record_id, target.row, why)
    if body is None or target.row.seal is None:
        raise InvalidInputError("the record has no sealed body to show", name="ID")
    names, paths = _chosen(record_type, target, body, wish.fields)
    intended = _intended(wish)
    return Sheet(
        out=wish.out,
        commitment=target.row.seal.commitment,
        names=names,
        openings=show_openings(body, paths),
        intended=None if intended is None else show_openings(intended, _given(intended)),
        intended_root=None if intended is None else merkle.root(intended.leaves),
    )


def _chosen(
    record_type: RecordType, target: Target, body: OpenedBody, fields: Sequence[str]
) -> tuple[frozenset[str], frozenset[str]]:
    """Return the stated names and the sealed paths to show."""
    stated, sealed = stated_values(record_type, target.row), body.values
    wanted = fields or [
        name for name in record_type.printed if name in stated or sealed.get(name) is not None
    ]
    for name in wanted:
        if name not in stated and name not in sealed:
            known = ", ".join([*stated, *sealed])
            raise InvalidInputError(
                f"no field {name!r} to show; there are {known}", name="--fields"
            )
    chosen = frozenset(wanted)
    return chosen & stated.keys(), chosen & sealed.keys()


def _intended(wish: SheetWish) -> OpenedBody | None:
    """Return recipient and purpose under fresh salts; None if neither is given."""
    if not wish.recipient and not wish.purpose:
        return None
    given = ((PURPOSE, wish.purpose or None), (RECIPIENT, wish.recipient or None))
    fields = tuple(
        [OpenedField(path, secrets.token_bytes(SALT_BYTES), text) for path, text in given]
    )
    return OpenedBody(fields, tuple([field.leaf for field in fields]))


def _given(intended: OpenedBody) -> Collection[str]:
    return {field.path for field in intended.fields if field.value is not None}


def read_digest_word(word: str, name: str) -> Digest:
    """Return the digest that a person typed as 64 hexadecimal digits.

    Raises:
        InvalidInputError: It is none.
    """
    try:
        raw = bytes.fromhex(word)
    except ValueError:
        raw = b""
    if len(raw) != DIGEST_BYTES:
        raise InvalidInputError("an entry is named by its digest, 64 hexadecimal digits", name=name)
    return Digest(raw)


def registered_entry(view: NetworkView, digest: Digest) -> EntryContent:
    """Return an entry of the chain.

    Raises:
        RemoteRefusalError: There is none, or the node does not show it to this asker.
    """
    return parse_entry(_ask(view, f"/v1/entries/{digest.hex()}/content"))


def write_sheet(view: NetworkView, sheet: Sheet, entry: EntryContent) -> None:
    """Fetch the receipt of a certify entry and write the file.

    Raises:
        InvalidInputError: The entry certifies another version than the one opened.
        RemoteRefusalError: The entry is not in the chain.
        WrongOpeningsError: The fields are not those of the certificate.
    """
    sheet.check_of(entry)
    found = parse_receipt(_ask(view, f"/v1/entries/{entry.entry_digest.hex()}/receipt"))
    shown = [
        at
        for at, part in enumerate(entry.objects, start=1 + len(entry.records))
        if part.kind == CERTIFICATE
        or (part.kind == STATED and part.fields.get("name") in sheet.names)
    ]
    receipt = hide_parts(replace(found, shown=entry.parts), shown)
    raw = print_certificate(receipt, sheet.openings, sheet.intended)
    parse_certificate(raw).shown_fields()
    write_private(sheet.out, raw)


def _ask(view: NetworkView, path: str) -> bytes:
    return view.ask_any(Call(address="", path=path, accept=MSGPACK, signer=view.auth_key())).body
