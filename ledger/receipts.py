"""Receipts: a part's way to a header, and why to believe the header, without asking anybody.

A receipt shows some parts of an entry, hides the others behind their hashes, and leads from the
entry's digest through the log leaf to `entries_root`, from the outcome to `outcomes_root`, and by a
quorum certificate to a validator set that a trust bundle vouches for. An old one has an anchor: its
header is in the `headers_root` of a newer header that is certified.

`examine_receipt` does every check and reports them one by one; `check_receipt` raises the first
failure. Each kind of mismatch has an error of its own, so that nobody has to guess what was forged.

Source: docs/formats.md, section 11.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from keys.hashing import Digest
from ledger import merkle
from ledger.entries import Context, Head, Part, log_leaf, parse_part
from ledger.errors import InvalidDataError, InvalidProofError
from ledger.receipt_form import (
    Anchor,
    Receipt,
    Shown,
    build_receipt,
    hide_parts,
    parse_receipt,
    print_receipt,
)
from ledger.trust import CertifiedHeader, TrustBundle

__all__ = [
    "Anchor", "Check", "CheckedReceipt", "Examination", "Receipt", "Shown", "build_receipt",
    "check_receipt", "examine_receipt", "hide_parts", "parse_receipt", "print_receipt",
]  # fmt: skip


class WrongPartError(InvalidProofError):
    """A shown part stands where an entry has no such part."""

    code = "ledger.receipt_wrong_part"


class WrongNetworkError(InvalidProofError):
    """The receipt, its head or its anchor is of another network than the trust bundle."""

    code = "ledger.receipt_wrong_network"


class WrongEntryError(InvalidProofError):
    """The outcome is of another entry than the one whose parts are shown."""

    code = "ledger.receipt_wrong_entry"


class WrongIndexError(InvalidProofError):
    """The header counts fewer entries than the receipt's index needs."""

    code = "ledger.receipt_wrong_index"


class NotIncludedError(InvalidProofError):
    """The entry, with these signatures, is not at this place of the block."""

    code = "ledger.receipt_not_included"


class WrongOutcomeError(InvalidProofError):
    """The outcome is not at this place of the block."""

    code = "ledger.receipt_wrong_outcome"


class WrongHeightError(InvalidProofError):
    """The quorum certificate is for another height than the header's."""

    code = "ledger.receipt_wrong_height"


class WrongHeaderError(InvalidProofError):
    """The quorum certificate is for another header of the same height."""

    code = "ledger.receipt_wrong_header"


class WrongAnchorError(InvalidProofError):
    """The anchor's header does not hold the receipt's header among its earlier ones."""

    code = "ledger.receipt_wrong_anchor"


class Check(NamedTuple):
    """One thing that was checked: its name, and why it failed, or None."""

    name: str
    error: InvalidDataError | None


@dataclass(frozen=True, slots=True)
class Examination:
    """What came of each check of a receipt, in the order in which `check_receipt` raises.

    The names are network, entry, inclusion, outcome, quorum, trust. That the bytes have the shape
    of a receipt was checked when it was parsed.
    """

    checks: tuple[Check, ...]

    def error_of(self, name: str) -> InvalidDataError | None:
        """Return why a check failed, or None."""
        return dict(self.checks)[name]

    def require(self) -> None:
        """Raise the first failure, if there is one.

        Raises:
            InvalidDataError: As the failed check did.
        """
        for check in self.checks:
            if check.error is not None:
                raise check.error


@dataclass(frozen=True, slots=True)
class CheckedReceipt:
    """A receipt that passed every check; only `check_receipt` makes it.

    Attributes:
        receipt: With the shown parts.
        entry_digest: Of the registered entry.
        signers: How many validators signed the header's certificate.
    """

    receipt: Receipt
    entry_digest: Digest
    signers: int


def examine_receipt(receipt: Receipt, trust: TrustBundle, now_ms: int) -> Examination:
    """Do every check of a receipt and report each one by its name.

    Args:
        receipt: From `parse_receipt`.
        trust: The bundle that the verifier holds.
        now_ms: The verifier's time, for the end of the bundle's time.
    """
    checks: tuple[tuple[str, Callable[[], None]], ...] = (
        ("network", lambda: _check_network(receipt, trust.network_id)),
        ("entry", lambda: _check_entry(receipt)),
        ("inclusion", lambda: _check_inclusion(receipt)),
        ("outcome", lambda: _check_outcome(receipt)),
        ("quorum", lambda: _check_quorum(receipt, trust)),
        ("trust", lambda: _check_trust(receipt, trust, now_ms)),
    )
    return Examination(tuple([Check(name, _failure_of(check)) for name, check in checks]))


def check_receipt(receipt: Receipt, trust: TrustBundle, now_ms: int) -> CheckedReceipt:
    """Accept only a receipt whose every part is bound to every other and to the trust bundle.

    Raises:
        InvalidProofError: Its subclasses say which two parts do not belong together.
        InvalidQuorumError: The quorum certificate does not hold.
        WrongValidatorsError: The header names another validator set than the one of its height.
        UntrustedError: The trust bundle does not vouch for the validator set, or is over.
    """
    examine_receipt(receipt, trust, now_ms).require()
    signers = len(receipt.certified.quorum_certificate.signatures)
    return CheckedReceipt(receipt, receipt.entry_digest, signers)


def _failure_of(check: Callable[[], None]) -> InvalidDataError | None:
    try:
        check()
    except InvalidDataError as error:
        return error
    return None


def _check_network(receipt: Receipt, network_id: Digest) -> None:
    certified = [receipt.certified, *([receipt.anchor.certified] if receipt.anchor else [])]
    if any(one.header.network_id != network_id for one in certified):
        raise WrongNetworkError("a header of the receipt is of another network")
    first = receipt.shown[0]
    head = parse_part(first.raw) if isinstance(first, Part) else None
    if isinstance(head, Head) and head.network_id != network_id:
        raise WrongNetworkError("the entry of the receipt is of another network")


def _check_entry(receipt: Receipt) -> None:
    last = len(receipt.shown) - 1
    for position, shown in enumerate(receipt.shown):
        if isinstance(shown, Part):
            part = parse_part(shown.raw)
            if isinstance(part, Head) != (position == 0):
                raise WrongPartError(f"part {position} is a head or should be one", index=position)
            if isinstance(part, Context) != (position == last):
                raise WrongPartError(
                    f"part {position} is a context or should be one", index=position
                )
    if receipt.outcome.entry_digest != receipt.entry_digest:
        raise WrongEntryError("the outcome of the receipt is of another entry")


def _check_inclusion(receipt: Receipt) -> None:
    header = receipt.header
    if receipt.index >= header.entries_count:
        raise WrongIndexError(
            f"the block has {header.entries_count} entries, none at {receipt.index}",
            index=receipt.index,
            entries=header.entries_count,
        )
    leaf = merkle.leaf_hash(log_leaf(receipt.entry_digest, receipt.signatures_digest))
    try:
        place = (receipt.index, header.entries_count, receipt.entry_path, header.entries_root)
        merkle.check_inclusion(leaf, *place)
    except InvalidProofError as error:
        raise NotIncludedError("the entry is not at this place of the block") from error


def _check_outcome(receipt: Receipt) -> None:
    header = receipt.header
    leaf = merkle.leaf_hash(receipt.outcome.to_bytes())
    try:
        place = (receipt.index, header.entries_count, receipt.outcome_path, header.outcomes_root)
        merkle.check_inclusion(leaf, *place)
    except InvalidProofError as error:
        raise WrongOutcomeError("the outcome is not at this place of the block") from error


def _check_quorum(receipt: Receipt, trust: TrustBundle) -> None:
    _check_certified(receipt.certified, trust)
    if receipt.anchor is not None:
        _check_certified(receipt.anchor.certified, trust)


def _check_certified(certified: CertifiedHeader, trust: TrustBundle) -> None:
    header, quorum_certificate = certified
    if quorum_certificate.height != header.height:
        raise WrongHeightError(
            f"the certificate of height {header.height} is for {quorum_certificate.height}",
            height=header.height,
        )
    if quorum_certificate.block_id != header.digest:
        raise WrongHeaderError("the quorum certificate is for another header of this height")
    quorum_certificate.check(trust.network_id, trust.check_header(header))


def _check_trust(receipt: Receipt, trust: TrustBundle, now_ms: int) -> None:
    trust.check_fresh(now_ms)
    header, anchor = receipt.header, receipt.anchor
    trust.check_header(header)
    if anchor is None:
        trust.check_young(header)
        return
    newer = anchor.certified.header
    trust.check_header(newer)
    trust.check_young(newer)
    try:
        leaf = merkle.leaf_hash(header.digest)
        place = (header.height - 1, newer.height - 1, anchor.path, newer.headers_root)
        merkle.check_inclusion(leaf, *place)
    except InvalidProofError as error:
        raise WrongAnchorError("the anchor does not hold the receipt's header") from error
