"""What of a fetched block can be verified, before its turn and when its turn has come."""

from ledger.blocks import Block, parse_block, parse_header, split_block
from ledger.errors import InvalidDataError
from ledger.quorum import QuorumCertificate
from node.application import Application


def check_ahead(
    application: Application, height: int, block_raw: bytes, certificate: QuorumCertificate
) -> None:
    """Verify what can be verified of a later block; see `sync.SyncTarget`.

    Raises:
        InvalidDataError: It is another block than was asked for, or not certified.
        BadSignatureError: Likewise.
    """
    header = parse_header(split_block(block_raw)[0])
    named = (header.height, certificate.height, certificate.block_id, header.network_id)
    if named != (height, height, header.digest, application.network_id):
        raise InvalidDataError("a block is not the one that was asked for, or not certified")
    validators = application.validators_at(application.tip_height + 1)
    if header.validators == validators.digest:
        certificate.check(application.network_id, validators)


def open_certified(
    application: Application, block_raw: bytes, certificate: QuorumCertificate
) -> Block:
    """Return the block after the tip, entries and all; its certificate holds.

    Raises:
        InvalidDataError: The bytes are not what they claim to be, or the certificate is not theirs.
        BadSignatureError: Likewise.
    """
    block = parse_block(block_raw, application.entries.parse)
    height = application.tip_height + 1
    if (certificate.height, certificate.block_id) != (height, block.header.digest):
        raise InvalidDataError("a certificate is for another block than it came with")
    certificate.check(application.network_id, application.validators_at(height))
    return block
