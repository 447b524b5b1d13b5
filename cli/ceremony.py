"""The genesis ceremony: TOML files of what is agreed and of one agency, made into genesis.

    agreed.toml                                   part.toml (one for each agency)
    name = "…"                                    agency = "…"              # an id of the template
    time = "2026-01-01T00:00:00Z"                 governance_needed = 2
    unit_table = "admin_unit"                     governance = ["did:key:…" …]
    [parameters]                                  peer_address = "node.example.vn:7400"
    [[agencies]]                                  [keys]  consensus, peer, custodian, seal, tag,
    id, name, kind, weight                                checkpoint = a public key each
    [[agencies.mandate]]                          [office]  name, unit, unit_date, level
    types, operations, units, from, to?, basis    [[officers]]  sign, auth
    [[namespaces]]                                [[officers.roles]]  role, types, from, to?
    name, first, second     ids of agencies

A public key is a did:key, `NUMBER:HEX` as `civreg key export-public` prints it, or the name of a
key of the home folder. Ids are as shown, or left out in agreed.toml: then they are drawn.
"""

import datetime as dt
import secrets
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, cast

from cli.errors import CliError, InvalidInputError
from cli.key import find_key
from cli.network_file import NetworkFile, NodePlace, OfficePlace, render_network
from cli.output import Context
from cli.passphrases import asker, source
from keys.did import parse_did
from keys.errors import InvalidKeyError, WrongPassphraseError
from keys.keyring import load_key_file
from keys.signing import KEY_ID_BYTES, KeyId, PublicKey, SoftwareKey, parse_public_key
from ledger.canonical import Value, decode, encode
from ledger.errors import InvalidDataError
from ledger.fields import read_array, read_bytes, read_bytes_up_to
from ledger.genesis import (
    PART_BYTES_MAX,
    Agency,
    FoundingOfficer,
    FoundingPart,
    Genesis,
    Mandate,
    Namespace,
    Office,
    PartSignature,
    Role,
    Template,
    attachment_digest,
    compose_template,
    merge_genesis,
    parse_template,
    print_part,
    sign_part,
    template_digest,
)
from ledger.ids import ID_BYTES, AgencyId, OfficeId, RecordId, parse_id
from ledger.limits import VALIDATORS_MAX
from ledger.quorum import SIGNATURE_BYTES_MAX
from ledger.trust import TrustBundle, trust_genesis
from registry.catalogue import genesis_attachments

TRUST_VALID_MS: Final = 180 * 86_400_000
UNIT_TABLES: Final = ("admin_unit", "demonstration_unit")

_Table = Mapping[str, object]


def make_template(agreed: Path) -> tuple[bytes, bytes]:
    """Return the bytes and digest of a template.

    Raises:
        InvalidInputError: The file lacks something or a value is wrong; names the field.
    """
    table = _load(agreed)
    try:
        named = [
            (_text(row, "name", ""), _row_id(row.get("id"))) for row in _tables(table, "agencies")
        ]
        ids = dict(named)
        template = Template(
            name=_text(table, "name"),
            time_ms=_time_ms(table["time"]),
            parameters=cast("Mapping[str, Value]", table.get("parameters", {})),
            agencies=tuple(
                _agency(row, agency_id)
                for row, (_name, agency_id) in zip(_tables(table, "agencies"), named, strict=True)
            ),
            namespaces=tuple(_namespace(row, ids) for row in _tables(table, "namespaces")),
            attachments=(),
        )
        raw = compose_template(template, _attachments(_text(table, "unit_table", UNIT_TABLES[0])))
    except (KeyError, TypeError, ValueError, InvalidDataError) as error:
        raise _wrong(agreed, error) from error
    return raw, template_digest(raw)


def make_part(context: Context, template_raw: bytes, own: Path, signers: Sequence[str]) -> bytes:
    """Return the bytes of one agency's signed part.

    Args:
        context: For key names and passphrases.
        template_raw: What all agreed on.
        own: The agency's TOML file.
        signers: Names or files of governance keys.

    Raises:
        InvalidInputError: The file lacks something or a value is wrong; names the field.
        NotFoundError: There is no such key.
    """
    table = _load(own)
    try:
        agreed = parse_template(template_raw)
        part = _part(table, context.home, agreed)
        raw = print_part(part)
    except (KeyError, TypeError, ValueError, InvalidDataError, InvalidKeyError) as error:
        raise _wrong(own, error) from error
    signatures = [sign_part(template_raw, raw, _open_key(context, name)) for name in signers]
    return encode((raw, tuple([tuple(one) for one in sorted(signatures)])))


def merge_parts(
    template_raw: bytes, parts: Sequence[bytes], folder: Path
) -> tuple[Genesis, TrustBundle, str]:
    """Return genesis, its trust bundle, and the text of a `network.toml` for it.

    Raises:
        InvalidDataError: A part does not fit, is not signed enough, or one is missing.
    """
    read = [_read_part(raw) for raw in parts]
    unit_table = _unit_table(template_raw)
    genesis = merge_genesis(template_raw, read, _attachments(unit_table))
    bundle = trust_genesis(genesis, genesis.time_ms + TRUST_VALID_MS)
    agencies = {agency.agency_id: agency for agency in genesis.template.agencies}
    described = NetworkFile(
        folder=folder,
        name=genesis.template.name,
        network_id=genesis.network_id,
        nodes=tuple(
            NodePlace(agencies[part.agency_id].name, part.agency_id, "", None)
            for part in genesis.parts
        ),
        offices=tuple(
            OfficePlace(part.office.name, agencies[part.agency_id].name, part.office.office_id)
            for part in genesis.parts
        ),
    )
    return genesis, bundle, render_network(described)


def _attachments(unit_table: str) -> dict[str, bytes]:
    return dict(genesis_attachments(unit_table))


def _unit_table(template_raw: bytes) -> str:
    """Return which shipped table of units the template names by its digest."""
    wanted = dict(parse_template(template_raw).attachments)
    for name in UNIT_TABLES:
        attached = _attachments(name)
        digests = {each: attachment_digest(content) for each, content in attached.items()}
        if digests == wanted:
            return name
    raise InvalidInputError(
        "the template was made with other record types or tables than this program ships",
        name="template",
    )


def _read_part(raw: bytes) -> tuple[bytes, list[PartSignature]]:
    part, listed = read_array(decode(raw, PART_BYTES_MAX, limit="part bytes"), "signed part", 2)
    signatures = []
    for one in read_array(listed, "signatures", (0, VALIDATORS_MAX)):
        key_id, signature = read_array(one, "signature", 2)
        signatures.append(
            PartSignature(
                KeyId(read_bytes(key_id, "key_id", KEY_ID_BYTES)),
                read_bytes_up_to(signature, "signature", SIGNATURE_BYTES_MAX),
            )
        )
    return read_bytes_up_to(part, "part", PART_BYTES_MAX), signatures


def _part(table: _Table, home: Path, agreed: Template) -> FoundingPart:
    named = _text(table, "agency")
    found = [one for one in agreed.agencies if one.name == named]
    agency_id = found[0].agency_id if found else AgencyId(parse_id(named))
    office = _table(table, "office")
    keys = _table(table, "keys")
    return FoundingPart(
        agency_id=agency_id,
        governance_k=cast("int", table["governance_needed"]),
        governance_keys=tuple(_public(key, home) for key in _texts(table, "governance")),
        keys={name: _public(_text(keys, name), home) for name in keys},
        peer_address=_text(table, "peer_address"),
        office=Office(
            OfficeId(_row_id(office.get("id"))),
            _text(office, "name"),
            _text(office, "unit"),
            _day(office["unit_date"]),
            _text(office, "level"),
        ),
        officers=tuple(_officer(row, home) for row in _tables(table, "officers")),
    )


def _officer(row: _Table, home: Path) -> FoundingOfficer:
    roles = tuple(
        Role(
            _text(role, "role"),
            tuple(_texts(role, "types")),
            _day(role["from"]),
            _day(role["to"]) if "to" in role else None,
        )
        for role in _tables(row, "roles")
    )
    return FoundingOfficer(
        RecordId(_row_id(row.get("identity"))),
        roles,
        _public(_text(row, "sign"), home),
        _public(_text(row, "auth"), home),
    )


def _agency(row: _Table, agency_id: bytes) -> Agency:
    mandates = tuple(
        Mandate(
            tuple(_texts(one, "types")),
            tuple(_texts(one, "operations")),
            tuple(_texts(one, "units")),
            _day(one["from"]),
            _day(one["to"]) if "to" in one else None,
            _text(one, "basis"),
        )
        for one in _tables(row, "mandate")
    )
    weight = cast("int", row.get("weight", 1))
    return Agency(AgencyId(agency_id), _text(row, "name"), _text(row, "kind"), weight, mandates)


def _namespace(row: _Table, ids: Mapping[str, bytes]) -> Namespace:
    first, second = _text(row, "first"), _text(row, "second")
    return Namespace(
        _text(row, "name"),
        AgencyId(ids.get(first) or parse_id(first)),
        AgencyId(ids.get(second) or parse_id(second)),
    )


def _public(text: str, home: Path) -> PublicKey:
    if text.startswith("did:"):
        return parse_did(text)
    number, colon, digits = text.partition(":")
    if colon and number.isdecimal():
        return parse_public_key(int(number), bytes.fromhex(digits))
    return find_key(home, text).public


def _open_key(context: Context, name: str) -> SoftwareKey:
    found = find_key(context.home, name)
    try:
        return load_key_file(found.path, None)
    except WrongPassphraseError:
        return load_key_file(found.path, asker(context, source())(found.path))


def _load(path: Path) -> _Table:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInputError(f"{path.name} is no TOML: {error}", name=str(path)) from error


def _wrong(path: Path, error: Exception) -> CliError:
    said = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
    return InvalidInputError(f"{path.name}: {said}", name=str(path))


def _row_id(value: object) -> bytes:
    return secrets.token_bytes(ID_BYTES) if value is None else parse_id(str(value))


def _time_ms(value: object) -> int:
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value)
    if not isinstance(value, dt.datetime) or value.tzinfo is None:
        raise TypeError("time is no date and time with its zone, such as 2026-01-01T00:00:00Z")
    return int(value.timestamp()) * 1_000


def _day(value: object) -> str:
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def _text(table: _Table, name: str, default: str | None = None) -> str:
    value = table.get(name, default)
    if not isinstance(value, str):
        raise TypeError(f"{name} is missing or no text")
    return value


def _texts(table: _Table, name: str) -> list[str]:
    value = table.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError(f"{name} is no list of texts")
    return value


def _table(table: _Table, name: str) -> _Table:
    value = table.get(name)
    if not isinstance(value, dict):
        raise TypeError(f"[{name}] is missing")
    return value


def _tables(table: _Table, name: str) -> list[_Table]:
    value = table.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise TypeError(f"[[{name}]] is no list of tables")
    return value
