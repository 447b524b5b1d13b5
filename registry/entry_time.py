"""How long an entry may stay valid: `not_after_ms` is at most so far ahead of the block.

Whoever finds a signed entry that was kept may submit it later. So what one person signs is over
within a day; only a draft that goes from signer to signer has a month.

Source: formats.md, section 4.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from ledger.parts import CUSTODIAN_TERM, CustodySigner, Head, Signer
from registry.errors import ExpiredError, NotAfterTooFarError
from registry.schema import Operation

if TYPE_CHECKING:
    from keys.signing import KeyId

HOUR_MS: Final = 3_600_000
ALONE_HOURS: Final = 24
"""Of an entry that one person, officer or service signs."""
TOGETHER_HOURS: Final = 720
"""Of an entry for which a draft collects the signatures of several."""


def check_not_after(operation: Operation, head: Head, now_ms: int) -> None:
    """Refuse an entry that is over, or that would be valid for too long.

    Raises:
        ExpiredError: `not_after_ms` is before the block's time.
        NotAfterTooFarError: It is too far ahead; details: hours.
    """
    ahead_ms = head.not_after_ms - now_ms
    if ahead_ms < 0:
        raise ExpiredError("the entry was valid until an earlier time", not_after=head.not_after_ms)
    if ahead_ms <= ALONE_HOURS * HOUR_MS and operation.not_after_hours is None:
        return  # allowed whoever signs, so the signers need not be counted
    hours = hours_ahead(operation, head.signers)
    if ahead_ms > hours * HOUR_MS:
        raise NotAfterTooFarError(f"the entry says a time over {hours} hours ahead", hours=hours)


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
