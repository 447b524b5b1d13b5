"""Refusals as problem documents (RFC 9457): a status for each code, nothing personal, no traceback.

    {"type": "urn:civreg:problem:node.pool_full", "title": "...", "status": 503, "detail": "...",
     "code": "node.pool_full", "limit": "pool entries", "value": 50000, "maximum": 50000}

`code` never changes, and programs act on it; `title` says the class of refusals, `detail` this one.
The other members are the details of the error. Status codes follow from the class of the error, the
nearest first.
"""

import json
from dataclasses import dataclass
from typing import Final

from keys.errors import BadSignatureError, CivregError
from ledger.errors import (
    CorruptStoreError,
    DiskRefusedError,
    HistoryMissingError,
    InvalidDataError,
    LimitExceededError,
    PurgedError,
)
from node.errors import (
    AdmissionError,
    NodeError,
    PeerUnreachableError,
    PoolFullError,
)
from node.public_errors import (
    BodyTooLargeError,
    ForbiddenError,
    HeaderTooLargeError,
    InternalError,
    NotFoundError,
    RequestError,
    TooManyRequestsError,
    TooSlowError,
    UnauthenticatedError,
    UnavailableError,
    WrongMediaTypeError,
    WrongMethodError,
)
from registry.authority_errors import AuthorityRefusedError, SignerRefusedError
from registry.content_errors import TakenError
from registry.errors import (
    CorruptStateError,
    ObjectUnknownError,
    RecordUnknownError,
    RegistryError,
    ReplayedError,
    RuleError,
    StaleVersionError,
    WrongStatusError,
)

PROBLEM_TYPE: Final = "application/problem+json"
RETRY_SECONDS: Final = {503: 2, 429: 1}
_STATUS: Final[dict[type[CivregError], int]] = {
    InvalidDataError: 400,
    LimitExceededError: 413,
    PurgedError: 410,
    HistoryMissingError: 404,
    CorruptStoreError: 500,
    DiskRefusedError: 503,
    BadSignatureError: 403,
    RuleError: 422,
    SignerRefusedError: 403,
    AuthorityRefusedError: 403,
    StaleVersionError: 409,
    ReplayedError: 409,
    TakenError: 409,
    WrongStatusError: 409,
    RecordUnknownError: 404,
    ObjectUnknownError: 404,
    CorruptStateError: 500,
    RegistryError: 422,
    AdmissionError: 429,
    PoolFullError: 503,
    PeerUnreachableError: 503,
    RequestError: 400,
    WrongMediaTypeError: 415,
    BodyTooLargeError: 413,
    HeaderTooLargeError: 431,
    TooSlowError: 408,
    NotFoundError: 404,
    WrongMethodError: 405,
    UnauthenticatedError: 401,
    ForbiddenError: 403,
    TooManyRequestsError: 429,
    UnavailableError: 503,
    InternalError: 500,
    NodeError: 503,
    CivregError: 400,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A refusal, ready to be sent.

    Attributes:
        status: Of HTTP.
        document: The members of the problem document.
        headers: `Retry-After` and the like.
    """

    status: int
    document: dict[str, int | str]
    headers: dict[str, str]

    @property
    def body(self) -> bytes:
        """The document as JSON."""
        return json.dumps(self.document, ensure_ascii=False).encode()


def problem_of(error: CivregError) -> Problem:
    """Return the problem document of an error that was raised on purpose."""
    status = status_of(error)
    headers = {}
    if status in RETRY_SECONDS:
        wait = error.details.get("retry_after_s", RETRY_SECONDS[status])
        headers["Retry-After"] = str(wait)
    if status == _STATUS[UnauthenticatedError]:
        headers["Accept-Signature"] = (
            'sig1=("@method" "@authority" "@path" "@query" "civreg-network" "content-digest")'
            ";created;keyid;nonce"
        )
    fixed: dict[str, int | str] = {
        "type": f"urn:civreg:problem:{error.code}",
        "title": title_of(type(error)),
        "status": status,
        "detail": str(error),
        "code": error.code,
    }
    return Problem(status, {**error.details, **fixed}, headers)


def status_of(error: CivregError) -> int:
    """Return the HTTP status of an error: that of the nearest class which has one."""
    return next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)


def title_of(kind: type[CivregError]) -> str:
    """Return the sentence that says what a class of refusals is: the first of its docstring."""
    return (kind.__doc__ or kind.__name__).partition("\n")[0]
