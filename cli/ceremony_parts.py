"""Signed parts as files, and their merging: whatever does not fit is told by file and agency.

A part file is canonical([part bin, [[key_id, signature] ...]]). `ledger.genesis` checks everything
once more; it knows no files.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.errors import (
    ForeignPartError,
    InvalidInputError,
    PartMissingError,
    PartSignatureError,
    PartTwiceError,
    PartUnsignedError,
)
from cli.network_file import NetworkFile, NodePlace, OfficePlace, render_network
from keys.did import fingerprint
from keys.errors import BadSignatureError
from keys.signing import KEY_ID_BYTES, KeyId, verify
from ledger.canonical import decode, encode
from ledger.errors import InvalidDataError
from ledger.fields import read_array, read_bytes, read_bytes_up_to
from ledger.genesis import (
    PART_BYTES_MAX,
    Agency,
    FoundingPart,
    Genesis,
    PartSignature,
    Template,
    attachment_digest,
    merge_genesis,
    parse_part,
    parse_template,
    part_message,
)
from ledger.ids import AgencyId, print_id
from ledger.limits import VALIDATORS_MAX
from ledger.quorum import SIGNATURE_BYTES_MAX
from ledger.trust import TrustBundle, trust_genesis
from registry.catalogue import genesis_attachments
from registry.genesis_state import initial_state

TRUST_VALID_MS: Final = 180 * 86_400_000
UNIT_TABLES: Final = ("admin_unit", "demonstration_unit")
SIGNED_PART_BYTES_MAX: Final = PART_BYTES_MAX + VALIDATORS_MAX * (SIGNATURE_BYTES_MAX + 64)


@dataclass(frozen=True, slots=True)
class PartFile:
    """A file with one agency's part and the signatures of its governors, none checked yet."""

    path: Path
    raw: bytes
    part: FoundingPart
    signatures: tuple[PartSignature, ...]

    @property
    def name(self) -> str:
        """The file's name, as errors tell it."""
        return self.path.name


def print_part_file(raw: bytes, signatures: Sequence[PartSignature]) -> bytes:
    """Return the bytes of a part file."""
    return encode((raw, tuple([tuple(one) for one in sorted(signatures)])))


def read_part_file(path: Path) -> PartFile:
    """Read a part file; its signatures are checked by `merge_parts`.

    Raises:
        InvalidInputError: It is none.
    """
    try:
        value = decode(path.read_bytes(), SIGNED_PART_BYTES_MAX, limit="part bytes")
        part, listed = read_array(value, "signed part", 2)
        signatures = []
        for one in read_array(listed, "signatures", (0, VALIDATORS_MAX)):
            key_id, signature = read_array(one, "signature", 2)
            signatures.append(
                PartSignature(
                    KeyId(read_bytes(key_id, "key_id", KEY_ID_BYTES)),
                    read_bytes_up_to(signature, "signature", SIGNATURE_BYTES_MAX),
                )
            )
        raw = read_bytes_up_to(part, "part", PART_BYTES_MAX)
        return PartFile(path, raw, parse_part(raw), tuple(signatures))
    except InvalidDataError as error:
        raise InvalidInputError(
            f"{path.name} is no signed part: {error}", name=str(path)
        ) from error


def read_template_file(path: Path) -> tuple[bytes, Template]:
    """Return the bytes of a template and what they say.

    Raises:
        InvalidInputError: It is none.
    """
    raw = path.read_bytes()
    try:
        return raw, parse_template(raw)
    except InvalidDataError as error:
        reason = f"{path.name} is no template as `network template` writes it: {error}"
        raise InvalidInputError(reason, name=str(path)) from error


def merge_parts(
    template: Path, parts: Sequence[Path], folder: Path
) -> tuple[Genesis, TrustBundle, str]:
    """Return genesis, its trust bundle, and the text of a `network.toml` for it.

    Args:
        template: The file that all agreed on.
        parts: One file for each of its agencies, in any order.
        folder: In which `network.toml` will lie.

    Raises:
        InvalidInputError: A file is no template or part, or two name the same key.
        PartMissingError: Agencies have given no part.
        PartTwiceError: One has given two.
        ForeignPartError: One is of another template.
        PartUnsignedError: One lacks signatures of its governors.
        PartSignatureError: A signature does not verify.
        InvalidDataError: Whatever else no node would start with.
    """
    template_raw, agreed = read_template_file(template)
    files = [read_part_file(path) for path in parts]
    agencies = {agency.agency_id: agency for agency in agreed.agencies}
    _check_files(agencies, files)
    for one in files:
        agency = agencies[one.part.agency_id].name
        check_signatures(template_raw, one, agency, needed=one.part.governance_k)
    attached = attachments(unit_table_of(agreed))
    genesis = merge_genesis(template_raw, [(one.raw, one.signatures) for one in files], attached)
    initial_state(genesis)  # Raises whatever no node would start with.
    bundle = trust_genesis(genesis, genesis.time_ms + TRUST_VALID_MS)
    return genesis, bundle, render_network(_described(genesis, agencies, folder))


def attachments(unit_table: str) -> dict[str, bytes]:
    """Return what a genesis document attaches, by name."""
    return dict(genesis_attachments(unit_table))


def unit_table_of(agreed: Template) -> str:
    """Return which shipped table of units the template names by its digest.

    Raises:
        InvalidInputError: None of this program.
    """
    wanted = dict(agreed.attachments)
    for name in UNIT_TABLES:
        attached = attachments(name)
        digests = {each: attachment_digest(content) for each, content in attached.items()}
        if digests == wanted:
            return name
    raise InvalidInputError(
        "the template was made with other record types or tables than this program ships",
        name="template",
    )


def _described(genesis: Genesis, agencies: dict[AgencyId, Agency], folder: Path) -> NetworkFile:
    return NetworkFile(
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


def _check_files(agencies: dict[AgencyId, Agency], files: Sequence[PartFile]) -> None:
    """Accept one part for each agency of the template, and no key or id in two of them."""
    given: dict[AgencyId, PartFile] = {}
    for one in files:
        agency_id = one.part.agency_id
        if agency_id not in agencies:
            raise ForeignPartError(
                f"{one.name} is of an agency that the template does not have: "
                f"{print_id(agency_id)}",
                name=one.name,
            )
        first = given.setdefault(agency_id, one)
        if first is not one:
            agency = agencies[agency_id].name
            raise PartTwiceError(
                f"{first.name} and {one.name} are both the part of {agency}",
                agency=agency, name=first.name, other=one.name,
            )  # fmt: skip
    missing = [agency.name for agency_id, agency in agencies.items() if agency_id not in given]
    if missing:
        names = ", ".join(missing)
        raise PartMissingError(
            f"parts given: {len(given)} of {len(agencies)}; missing: {names}", agency=names
        )
    owners: dict[bytes, PartFile] = {}
    for one in files:
        for named in _named(one.part):
            first = owners.setdefault(named, one)
            if first is not one:
                reason = f"{first.name} and {one.name} name the same key, office or officer"
                raise InvalidInputError(reason, name=one.name)


def _named(part: FoundingPart) -> Iterator[bytes]:
    """Yield ids of keys, office and officers, which nobody else may have."""
    yield from {key.key_id for key in part.all_keys}
    yield part.office.office_id
    yield from {officer.identity_id for officer in part.officers}


def check_signatures(template_raw: bytes, one: PartFile, agency: str, *, needed: int) -> None:
    """Check the signatures of a part.

    Args:
        template_raw: The template that was signed with it.
        one: The part.
        agency: What its agency is called.
        needed: How many governors must have signed by now.

    Raises:
        PartUnsignedError: Too few have signed, or somebody who does not govern the agency.
        PartSignatureError: A signature does not verify.
    """
    governors = {key.key_id: key for key in one.part.governance_keys}
    must = one.part.governance_k
    details: dict[str, int | str] = {"name": one.name, "agency": agency, "needed": must}
    signed = {signature.key_id for signature in one.signatures}
    for key_id in sorted(signed - governors.keys()):
        reason = f"{one.name}: the key {key_id.hex()} signed, which does not govern {agency}"
        raise PartUnsignedError(reason, **details)
    if len(signed) < needed:
        silent = "; ".join([fingerprint(key) for key_id, key in governors.items()
                            if key_id not in signed])  # fmt: skip
        raise PartUnsignedError(
            f"{one.name}: {len(signed)} governors of {agency} have signed of {needed} that must;"
            f" not signed have {silent}",
            **details,
        )
    message = part_message(template_raw, one.raw)
    for key_id, signature in one.signatures:
        try:
            verify(governors[key_id], message, signature)
        except BadSignatureError as error:
            raise PartSignatureError(
                f"{one.name}: what {fingerprint(governors[key_id])} signed for {agency} is not this"
                " part with this template",
                name=one.name,
                agency=agency,
            ) from error
