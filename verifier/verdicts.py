"""One word about a document, and the checks behind it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from verifier.refusals import CannotCheckError, MismatchError, RefusedError


class Word(Enum):
    """The answer in one word, as `civreg verify` prints it."""

    GENUINE = "GENUINE"
    FORGED = "FORGED"
    UNREADABLE = "UNREADABLE"
    EXPIRED = "EXPIRED"
    CANNOT_CHECK = "CANNOT CHECK NOW"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked.

    Attributes:
        name: Of section 11 of the document, such as `inclusion`.
        failure: Why it failed, or None.
    """

    name: str
    failure: RefusedError | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a document.

    Attributes:
        word: The answer.
        checks: Each check, in the order of the document.
        fields: What the openings of a certificate show, path -> value; empty otherwise.
    """

    word: Word
    checks: tuple[Check, ...]
    fields: dict[str, object] = field(default_factory=dict)


def verdict_of(checks: tuple[Check, ...], fields: dict[str, object] | None = None) -> Verdict:
    """Return the word that follows from checks.

    What a bundle cannot judge is never called forged: an unknown network or validator set comes
    first, then contradictions, then a bundle that is over or a header too old for it.
    """
    failures = [check.failure for check in checks if check.failure is not None]
    unknown = [
        one
        for one in failures
        if isinstance(one, CannotCheckError) and one.reason not in {"trust_over", "needs_anchor"}
    ]
    word = Word.GENUINE
    if unknown:
        word = Word.CANNOT_CHECK
    elif any(isinstance(one, MismatchError) for one in failures):
        word = Word.FORGED
    elif failures:
        word = Word.CANNOT_CHECK
    return Verdict(word, checks, fields or {} if word is Word.GENUINE else {})


def unreadable(error: RefusedError) -> Verdict:
    """Return the verdict about bytes that are not of the format."""
    return Verdict(Word.UNREADABLE, (Check("form", error),))


def attempt(name: str, check: Callable[[], None]) -> Check:
    """Do a check and keep why it failed."""
    try:
        check()
    except RefusedError as error:
        return Check(name, error)
    return Check(name, None)
