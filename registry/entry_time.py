"""How long an entry may stay valid: `not_after_ms` is at most so far ahead of the block.

Whoever finds a signed entry that was kept may submit it later. So what one person signs is over
within a day; only a draft that goes from signer to signer has a month.

Source: formats.md, section 4.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from ledger.parts import CUSTODIAN_TERM, CustodySigner, Signer
from registry.schema import Operation

if TYPE_CHECKING:
    from keys.signing import KeyId

ALONE_HOURS: Final = 24
"""Of an entry that one person, officer or service signs."""
TOGETHER_HOURS: Final = 720
"""Of an entry for which a draft collects the signatures of several."""


def hours_ahead(operation: Operation, signers: Iterable[Signer]) -> int:
    """Return how many hours ahead `not_after_ms` may be.

    The operation's own number, if it has one (imports, courts); else by how many keys sign beside
    the custodian's, each counted once, with those of the officers of a custody form.
    """
    if operation.not_after_hours is not None:
        return operation.not_after_hours
    keys: set[KeyId] = set()
    for signer in signers:
        if isinstance(signer, CustodySigner):
            keys.update(signer.officers)
        elif signer.term != CUSTODIAN_TERM:
            keys.add(signer.key_id)
    return TOGETHER_HOURS if len(keys) > 1 else ALONE_HOURS
