"""Certificates of records: what one must say, and what becomes of it when its record changes.

A certificate is an object of a `certify` entry. Shown alone, it links to neither the record nor
anybody; so all that it says is compared with the state here, once, by every validator. A member
field that is printed is an object of its own beside it, `stated`, which the holder may leave out.

`certificate, id` says whether it counts, and nothing of the record; `certificates, record` lists
the ids that a change of the record turns, in the same block.

Source: records.md, section 5; proofs.md, section 3.
"""

from collections.abc import Mapping
from typing import Final, cast

from ledger.canonical import Value
from ledger.ids import ObjectId, RecordId
from ledger.limits import CERTIFICATES_LIVE_MAX
from registry.civil_calendar import add_days
from registry.content_errors import CertificatesFullError, CertificateWrongError, DateOrderError
from registry.errors import (
    ObjectUnknownError,
    ReasonMissingError,
    WrongIdError,
    WrongStatusError,
)
from registry.field_specs import FieldSpec, print_decimal, spec_at
from registry.object_rows import CertificateRow, CertificatesRow
from registry.policies import OFFICER_TERMS
from registry.rows import RecordRow
from registry.running import NewRecord, Run
from registry.schema import RecordType
from registry.state_key_names import certificate_key, certificates_key

CERTIFICATE: Final = "certificate"
STATED: Final = "stated"
VALID: Final = "valid"
REPLACED: Final = "replaced"
REVOKED: Final = "revoked"
IMPORTED: Final = "imported"
"""The flag of records out of old books; their certificates say *transcribed*."""


def certified_fields(record_type: RecordType, row: RecordRow) -> dict[str, Value]:
    """Return what a certificate of a record's current version must say of it.

    Raises:
        WrongStatusError: The record is only proposed.
        ObjectUnknownError: This version has no sealed body, so nothing could be shown.
    """
    status = record_type.statuses.get(row.status)
    if status not in {"live", "ended"}:
        raise WrongStatusError("nothing is certified that is not registered", status=row.status)
    if row.seal is None:
        raise ObjectUnknownError("this version has no sealed body")
    return {
        "type": record_type.name,
        "commitment": row.seal.commitment,
        "status": status,
        "transcribed": IMPORTED in row.flags,
    }


def stated_values(record_type: RecordType, row: RecordRow) -> dict[str, str]:
    """Return the member fields that a certificate may show, as they are printed, in order.

    Codes stand as they are, lists with `, ` between their items, bytes in hexadecimal.
    """
    found: dict[str, str] = {}
    for name in record_type.printed:
        text = _given(name, row)
        if text is None and name not in record_type.sealed_paths:
            text = _member(record_type.member_fields, row.member, name)
        if text is not None:
            found[name] = text
    return found


def _given(name: str, row: RecordRow) -> str | None:
    if name == "registration_no":
        return row.registration_number
    if name == "registered_on" and row.registered is not None:
        return row.registered[2]
    return None


def _member(specs: Mapping[str, FieldSpec], member: Mapping[str, Value], name: str) -> str | None:
    top, _, part = name.partition(".")
    value = member.get(top)
    if part:
        value = value.get(part) if isinstance(value, dict) else None
    if value is None or top not in specs:
        return None
    return _printed(spec_at(specs, name), value)


def _printed(spec: FieldSpec, value: Value) -> str:
    if isinstance(value, tuple):
        return ", ".join([_printed(spec.item or spec, item) for item in value])
    if isinstance(value, bytes):
        return value.hex()
    if spec.kind == "decimal" and isinstance(value, int):
        return print_decimal(value, spec.decimals)
    return str(value).lower() if isinstance(value, bool) else str(value)


def issue(run: Run, record_id: RecordId, row: RecordRow) -> None:
    """Make a certificate of a record's current version; at most 64 of a version are valid.

    Raises:
        WrongStatusError: The record is only proposed.
        ObjectUnknownError: It has no sealed body.
        CertificateWrongError: The certificate says something else than the state; names the field.
        DateOrderError: It expires too early or too late.
        ReasonMissingError: Officers alone certify, and give no reason.
        CertificatesFullError: As many certificates are valid as may be.
        WrongIdError: Another certificate has its id.
    """
    assert run.target_type is not None, "made together with run.about"
    (item,) = run.objects(CERTIFICATE)
    wanted = {**certified_fields(run.target_type, row), "office": run.office}
    for name, value in wanted.items():
        if item.fields[name] != value:
            raise CertificateWrongError(f"the state says otherwise: {name}", field=name)
    _check_stated(run, run.target_type, row)
    last = add_days(run.day, run.target_type.valid_for)
    if not run.day < str(item.fields["expires_on"]) <= last:
        raise DateOrderError(f"a certificate expires after today, by {last}", field="expires_on")
    if run.entry.context.reason is None and _only_officers(run):
        raise ReasonMissingError("who certifies without the persons concerned gives a reason")
    _list(run, record_id, ObjectId(cast("bytes", item.fields["certificate_id"])))


def _check_stated(run: Run, record_type: RecordType, row: RecordRow) -> None:
    left = stated_values(record_type, row)
    for item in run.objects(STATED):
        name = str(item.fields["name"])
        if left.pop(name, None) != item.fields["value"]:
            raise CertificateWrongError(f"the state says otherwise: {name}", field=name)


def _only_officers(run: Run) -> bool:
    return all(signer.term.partition("(")[0] in OFFICER_TERMS for signer in run.head.signers)


def _list(run: Run, record_id: RecordId, certificate_id: ObjectId) -> None:
    """Note a new certificate under its id and under its record."""
    key = certificate_key(certificate_id)
    if run.state.read(key, CertificateRow) is not None:
        raise WrongIdError("another certificate has this id")
    listed = certificates_key(record_id)
    known = run.state.read(listed, CertificatesRow) or CertificatesRow(())
    if len(known.certificates) >= CERTIFICATES_LIVE_MAX:
        raise CertificatesFullError(
            f"the record has {CERTIFICATES_LIVE_MAX} valid certificates",
            maximum=CERTIFICATES_LIVE_MAX,
        )
    run.state.write(key, CertificateRow(VALID, run.block.height, run.entry.entry_digest))
    ids = tuple(sorted((*known.certificates, certificate_id)))
    run.state.write(listed, CertificatesRow(ids))


def turn_certificates(run: Run, record: NewRecord) -> None:
    """Turn the certificates of the version that the entry ends: *replaced*, or *revoked*.

    A record that is new has none, nor has a companion, which nobody certifies.
    """
    if record.before is None or record.record_type.role == "companion":
        return
    has_ended = record.record_type.statuses.get(record.status) == "ended"
    turn_listed(run, record.part.record_id, has_ended=has_ended)


def turn_listed(run: Run, record_id: RecordId, *, has_ended: bool) -> None:
    """Turn the certificates of a record: *revoked* if it has ended, else *replaced*."""
    listed = certificates_key(record_id)
    known = run.state.read(listed, CertificatesRow)
    if known is None:
        return
    for certificate_id in known.certificates:
        key = certificate_key(certificate_id)
        row = run.state.read(key, CertificateRow)
        assert row is not None, "written together with the list"
        status = REVOKED if has_ended else REPLACED
        run.state.write(key, CertificateRow(status, run.block.height, row.entry_digest))
    run.state.delete(listed)
