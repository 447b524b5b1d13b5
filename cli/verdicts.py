"""One word about a document, and the checks behind it: what `civreg verify` decides, without I/O.

FORGED is said only if well-formed parts contradict each other under a validator set that the trust
bundle knows. What it does not know is CANNOT CHECK NOW, and so is what is only too late for it;
bytes that are no document at all are UNREADABLE.

Source: docs/formats.md, section 11; the design's users.md, section 2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Final

from cli.exit_codes import ExitCode, exit_code_of
from keys.errors import CivregError
from ledger.errors import InvalidDataError, UntrustedError
from ledger.receipts import Receipt, WrongNetworkError, examine_receipt, parse_receipt
from ledger.trust import OldHeaderError, StaleTrustError, TrustBundle

_LATE: Final = (OldHeaderError, StaleTrustError)
_NO_FORGERY_CODES: Final = frozenset({ExitCode.SIGNATURE_BAD, ExitCode.QUORUM_MISSING})


class Word(Enum):
    """The answer in one word."""

    GENUINE = "GENUINE"
    NOT_FOUND = "NOT FOUND"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    CHANGED = "CHANGED"
    FORGED = "FORGED"
    UNREADABLE = "UNREADABLE"
    SIGNER_COMPROMISED = "SIGNER COMPROMISED"
    CANNOT_CHECK = "CANNOT CHECK NOW"


EXIT_OF_WORD: Final[Mapping[Word, ExitCode]] = MappingProxyType(
    {
        Word.GENUINE: ExitCode.OK,
        Word.NOT_FOUND: ExitCode.NOT_FOUND,
        Word.REVOKED: ExitCode.REVOKED,
        Word.EXPIRED: ExitCode.EXPIRED,
        Word.CHANGED: ExitCode.CHANGED,
        Word.FORGED: ExitCode.FORGED,
        Word.UNREADABLE: ExitCode.INVALID_INPUT,
        Word.SIGNER_COMPROMISED: ExitCode.REVOKED,
        Word.CANNOT_CHECK: ExitCode.CANNOT_CHECK,
    }
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of a document.

    Attributes:
        word: The answer.
        checks: Name and failure (None if it passed) of each check, in order.
        receipt: The receipt, if the bytes had the form of one.
        fields: What the openings of a certificate show; only of a document that holds.
    """

    word: Word
    checks: tuple[tuple[str, CivregError | None], ...]
    receipt: Receipt | None = None
    fields: Mapping[str, object] = field(default_factory=dict)

    @property
    def exit_code(self) -> ExitCode:
        """The exit status; a forgery by a bad signature or a missing quorum has that one's."""
        if self.word is Word.FORGED:
            failure = next(one for _, one in self.checks if one is not None and _forged(one))
            code = exit_code_of(failure.code)
            return code if code in _NO_FORGERY_CODES else ExitCode.FORGED
        return EXIT_OF_WORD[self.word]


def read_receipt_of(raw: bytes, *, is_certificate: bool) -> Receipt:
    """Return the receipt of a document's bytes; nothing is verified but shapes.

    Raises:
        InvalidDataError: They are no document.
    """
    if is_certificate:
        # Certificates need half the registry; most documents are receipts.
        from registry.certificates import parse_certificate  # noqa: PLC0415

        return parse_certificate(raw).receipt
    return parse_receipt(raw)


def judge_receipt(raw: bytes, trust: TrustBundle, now_ms: int) -> Judgement:
    """Return the answer about the bytes of a receipt.

    Args:
        raw: From anywhere.
        trust: The bundle that the person holds.
        now_ms: The person's time.
    """
    try:
        receipt = parse_receipt(raw)
    except InvalidDataError as error:
        return Judgement(Word.UNREADABLE, (("form", error),))
    examined = examine_receipt(receipt, trust, now_ms).checks
    return judgement_of([(check.name, check.error) for check in examined], receipt)


def judge_certificate(raw: bytes, trust: TrustBundle, now_ms: int) -> Judgement:
    """Return the answer about the bytes of a certificate: its receipt, and its openings."""
    from registry.certificates import WrongOpeningsError, parse_certificate  # noqa: PLC0415

    try:
        certificate = parse_certificate(raw)
    except InvalidDataError as error:
        return Judgement(Word.UNREADABLE, (("form", error),))
    examined = examine_receipt(certificate.receipt, trust, now_ms).checks
    checks: list[tuple[str, CivregError | None]] = [(one.name, one.error) for one in examined]
    fields: Mapping[str, object] = {}
    failure: CivregError | None = None
    try:
        fields = certificate.shown_fields()
    except WrongOpeningsError as error:
        failure = error
    return judgement_of([*checks, ("openings", failure)], certificate.receipt, fields)


def judgement_of(
    checks: Sequence[tuple[str, CivregError | None]],
    receipt: Receipt | None,
    fields: Mapping[str, object] | None = None,
) -> Judgement:
    """Return the word that follows from checks."""
    failures = [error for _, error in checks if error is not None]
    word = Word.GENUINE
    if any(_unknown(error) for error in failures):
        word = Word.CANNOT_CHECK
    elif any(_forged(error) for error in failures):
        word = Word.FORGED
    elif failures:
        word = Word.CANNOT_CHECK
    holds = word is Word.GENUINE
    return Judgement(word, tuple(checks), receipt, fields or {} if holds else {})


def _unknown(error: CivregError) -> bool:
    """Whether the bundle knows nothing about this network or this set."""
    if isinstance(error, WrongNetworkError):
        return True
    return isinstance(error, UntrustedError) and not isinstance(error, _LATE)


def _forged(error: CivregError) -> bool:
    return not _unknown(error) and not isinstance(error, _LATE)
