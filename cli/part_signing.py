"""Adding a governor's signature to a part of genesis that another governor has made and signed.

Governors of one agency have keys and machines of their own. The first makes the part file, the next
reads in words what it says and signs the same bytes: made again it would be another part, with
other ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cli.ceremony import governors
from cli.ceremony_checks import check_own
from cli.ceremony_parts import (
    PartFile,
    check_signatures,
    print_part_file,
    read_part_file,
    read_template_file,
)
from cli.errors import AlreadySignedError, ForeignPartError, InvalidInputError
from cli.output import Context
from cli.passphrases import key_opener
from keys.did import fingerprint
from keys.signing import KeyId
from ledger.genesis import Agency, sign_part, template_digest
from ledger.ids import print_id


@dataclass(frozen=True, slots=True)
class SignedPart:
    """A part file that fits its template; each signature so far verifies.

    Attributes:
        template_raw: Bytes of the template that is signed with it.
        agency: Whose part it is, as the template has it.
        file: The part with its signatures.
    """

    template_raw: bytes
    agency: Agency
    file: PartFile

    @property
    def signed(self) -> frozenset[KeyId]:
        """Who has signed."""
        return frozenset(one.key_id for one in self.file.signatures)

    @property
    def content(self) -> bytes:
        """Bytes of the part file."""
        return print_part_file(self.file.raw, self.file.signatures)


def read_signed_part(template: Path, path: Path) -> SignedPart:
    """Read a part that somebody else has made, and check it before it is signed.

    Raises:
        InvalidInputError: One of the two files is none, or the part does not fit its agency.
        ForeignPartError: The template has no such agency.
        PartUnsignedError: A stranger has signed it.
        PartSignatureError: A signature does not verify: it is of another template or another part.
    """
    template_raw, agreed = read_template_file(template)
    file = read_part_file(path)
    found = [one for one in agreed.agencies if one.agency_id == file.part.agency_id]
    if not found:
        shown = print_id(file.part.agency_id)
        raise ForeignPartError(
            f"{file.name} is of an agency that the template does not have: {shown}", name=file.name
        )
    check_signatures(template_raw, file, found[0].name, needed=0)
    try:
        check_own(file.part, found[0])
    except ValueError as error:
        raise InvalidInputError(f"{file.name}: {error}", name=file.name) from error
    return SignedPart(template_raw, found[0], file)


def add_signatures(context: Context, part: SignedPart, signers: Sequence[str]) -> SignedPart:
    """Sign a part with further governance keys.

    Args:
        context: For key names and passphrases.
        part: What was read.
        signers: Names or files of governance keys.

    Raises:
        InvalidInputError: Who signs is no governor of the part.
        AlreadySignedError: All who would sign have signed.
        NotFoundError: There is no such key.
    """
    keys = governors(context, part.file.part, signers)
    fresh = {key_id: path for key_id, path in keys.items() if key_id not in part.signed}
    if not fresh:
        raise AlreadySignedError("these governors have signed the part", names=", ".join(signers))
    opener = key_opener(context)
    made = [
        sign_part(part.template_raw, part.file.raw, opener.open(path)) for path in fresh.values()
    ]
    return replace(part, file=replace(part.file, signatures=(*part.file.signatures, *made)))


def part_lines(context: Context, part: SignedPart) -> list[str]:
    """Say in words what a governor signs."""
    content = part.file.part
    keys = content.governance_keys
    return [
        context.say("network.part_of", agency=part.agency.name, address=content.peer_address),
        context.say("network.part_template", digest=template_digest(part.template_raw).hex()),
        context.say("network.part_office", office=content.office.name, unit=content.office.unit),
        context.say("network.part_governors", needed=content.governance_k, count=len(keys)),
        *[
            context.say(
                "network.part_governor_signed" if key.key_id in part.signed
                else "network.part_governor",
                fingerprint=fingerprint(key),
            )
            for key in keys
        ],
        *[
            context.say("network.part_key", purpose=name, fingerprint=fingerprint(key))
            for name, key in sorted(content.keys.items())
        ],
        *[
            context.say(
                "network.part_officer",
                roles=", ".join(role.role for role in officer.roles),
                fingerprint=fingerprint(officer.sign_key),
            )
            for officer in content.officers
        ],
    ]  # fmt: skip
