"""Every address of the public and the private listener, in one table.

Limits, media types, rights and the description of `/openapi.json` come from here; a test walks the
table, so an address that is missing here does not exist. Handlers know nothing of HTTP: they take a
`Call` and return a `Reply`, or raise a CivregError.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Final, TypeAlias

from ledger.limits import REQUEST_BODY_BYTES_MAX, REQUEST_READ_TIMEOUT_MS
from node.request_auth import Asker

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | bool | None"

JSON: Final = "application/json"
MSGPACK: Final = "application/msgpack"
EVENTS: Final = "text/event-stream"
TEXT: Final = "text/plain"
SMALL_BODY_BYTES_MAX: Final = 64 * 1024


@unique
class Rights(StrEnum):
    """Who may ask; the handler may give some askers less than others."""

    ANYONE = "anyone"
    SIGNED = "signed"
    MEMBER = "member"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One address and method.

    Attributes:
        method: In capitals.
        path: With `{names}`.
        name: Of the handler.
        summary: One sentence for the description.
        rights: Who may ask.
        query: Allowed parameters with what they mean.
        takes: Media type of the request's body, "" for none.
        gives: Media type of the answer.
        body_bytes_max: Of the request's body.
        read_timeout_ms: Within which the body must come.
        cors: Whether pages of other origins may read the answer.
        private: Whether it stands on the private listener.
    """

    method: str
    path: str
    name: str
    summary: str
    rights: Rights = Rights.ANYONE
    query: Mapping[str, str] = field(default_factory=dict)
    takes: str = ""
    gives: str = JSON
    body_bytes_max: int = 0
    read_timeout_ms: int = REQUEST_READ_TIMEOUT_MS
    cors: bool = False
    private: bool = False


def _free(tokens: int) -> None:
    """Have nobody pay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a handler is given.

    Attributes:
        path: The values of the path's names.
        query: Parameters, only those that the route allows.
        body: The whole body, at most `body_bytes_max`.
        asker: Who signed the request, or None.
        source: Where it came from, for fairness between sources; "" for the node itself.
        charge: Has the source pay for what it cost, in tokens of its rate.
    """

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    asker: Asker | None = None
    source: str = ""
    charge: Callable[[int], None] = _free


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a handler returns.

    Attributes:
        status: Of HTTP.
        body: The bytes, unless there is a stream.
        media: Their media type.
        headers: Further headers.
        stream: Pieces that come bit by bit.
    """

    status: int = 200
    body: bytes = b""
    media: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: AsyncIterator[bytes] | None = None


Handler = Callable[[Call], Awaitable[Reply]]


def _read(path: str, name: str, summary: str, **more: object) -> Route:
    return Route(method="GET", path=path, name=name, summary=summary, cors=True, **more)  # type: ignore[arg-type]


_HEIGHT: Final = {"height": "after which block, among the newest 1,000; default: the newest"}
_RANGE: Final = {"from": "first height", "limit": "how many, at most 64"}
_EVIDENCE: Final = {
    "before": "only of blocks below this height",
    "limit": "how many, at most 64",
}
_RECORDS: Final = {"from": "how many to leave out", "limit": "how many, at most 256"}
_VERSIONS: Final = {"from": "first version", "limit": "how many, at most 256"}

ROUTES: Final[tuple[Route, ...]] = (
    Route(
        method="POST",
        path="/v1/entries",
        name="submit_entries",
        summary="Submit one entry or many with their sealed bodies; idempotent by entry digest.",
        query={"wait": "`commit`: answer when the entries stand in the chain, or after 30 s"},
        takes=MSGPACK,
        body_bytes_max=REQUEST_BODY_BYTES_MAX,
    ),
    _read("/v1/entries/{digest}", "entry_status", "Whether an entry waits or where it stands."),
    _read(
        "/v1/entries/{digest}/receipt",
        "entry_receipt",
        "The receipt of an entry; its parts are shown to those entitled, else only their hashes.",
        gives=MSGPACK,
    ),
    _read(
        "/v1/entries/{digest}/content",
        "entry_content",
        "The whole entry, for those entitled.",
        gives=MSGPACK,
        rights=Rights.SIGNED,
    ),
    _read("/v1/records/{id}", "record", "What a record is now: as much as the asker may see."),
    _read(
        "/v1/records/{id}/history",
        "record_history",
        "Which entries wrote a record or are about it, oldest first.",
        query=_VERSIONS,
    ),
    _read(
        "/v1/records/{id}/proof",
        "record_proof",
        "The state of a record with its proof under a certified header, for members and owners.",
        query=_HEIGHT,
        gives=MSGPACK,
    ),
    _read(
        "/v1/records/{id}/body",
        "record_body",
        "The sealed body of the current version, for owners, and for officers after an access act.",
        rights=Rights.SIGNED,
        gives=MSGPACK,
    ),
    _read(
        "/v1/records/{id}/keys",
        "record_keys",
        "The current version's data key wrapped to the asker, where this agency has the wraps.",
        rights=Rights.SIGNED,
        gives=MSGPACK,
    ),
    _read(
        "/v1/records/{id}/accesses",
        "record_accesses",
        "Who had the record shown, newest first, at most 256, with the salted digest of why; "
        "for its owner.",
        rights=Rights.SIGNED,
    ),
    _read(
        "/v1/owners/{id}/records",
        "owner_records",
        "Which records are a person's, and whom the person represents; for the person.",
        query=_RECORDS,
        rights=Rights.SIGNED,
    ),
    _read(
        "/v1/numbers/{office}/{series}/{number}/{year}",
        "numbered_record",
        "Which record has a registration number in the books of an office; for members and the "
        "record's owner.",
        rights=Rights.SIGNED,
    ),
    _read(
        "/v1/certificates/{id}",
        "certificate",
        "Whether a certificate is valid, replaced or revoked, since which height, "
        "and whether a key that signed it was in foreign hands.",
    ),
    _read(
        "/v1/certificates/{id}/proof",
        "certificate_proof",
        "The state of a certificate with its proof, or the proof that there is none.",
        query=_HEIGHT,
        gives=MSGPACK,
    ),
    _read(
        "/v1/blocks/{height}",
        "block",
        "canonical([block bin, quorum certificate bin]), for member agencies.",
        rights=Rights.MEMBER,
        gives=MSGPACK,
    ),
    _read(
        "/v1/headers",
        "headers",
        "canonical([[header bin, quorum certificate bin] ...]).",
        query=_RANGE,
        gives=MSGPACK,
    ),
    _read(
        "/v1/evidence",
        "evidence",
        "Which validators contradicted themselves, as blocks hold it, the newest first.",
        query=_EVIDENCE,
    ),
    _read(
        "/v1/trust-bundle",
        "trust_bundle",
        "What an offline verifier needs; compare its fingerprint with an official source.",
        gives=MSGPACK,
    ),
    _read("/v1/status", "status", "Network, height, time and health in one word."),
    _read(
        "/v1/state/{kind}",
        "state_list",
        "All rows of one kind of public administration: agency, office, officer, type, ...",
        rights=Rights.MEMBER,
    ),
    Route(
        method="POST",
        path="/v1/state",
        name="state_values",
        summary="Stored values of up to 256 state keys, for programs that draft entries.",
        rights=Rights.SIGNED,
        takes=MSGPACK,
        gives=MSGPACK,
        body_bytes_max=SMALL_BODY_BYTES_MAX,
    ),
    _read(
        "/v1/events",
        "events",
        "One event for each block, from a height on (Last-Event-ID works too).",
        query={"from": "first height; default: the next one"},
        gives=EVENTS,
    ),
    Route(
        method="POST",
        path="/v1/drafts",
        name="hold_draft",
        summary="Leave a draft here for its other signers.",
        rights=Rights.SIGNED,
        takes=MSGPACK,
        body_bytes_max=REQUEST_BODY_BYTES_MAX,
    ),
    Route(
        method="GET",
        path="/v1/drafts",
        name="list_drafts",
        summary="Drafts that still lack a signature of the asker.",
        rights=Rights.SIGNED,
    ),
    Route(
        method="GET",
        path="/v1/drafts/{digest}",
        name="draft",
        summary="A held draft, for its signers and its office.",
        rights=Rights.SIGNED,
        gives=MSGPACK,
    ),
    Route(
        method="POST",
        path="/v1/drafts/{digest}/signatures",
        name="sign_draft",
        summary="canonical([key_id bin 16, signature bin]): add a signature to a held draft.",
        rights=Rights.SIGNED,
        takes=MSGPACK,
        body_bytes_max=SMALL_BODY_BYTES_MAX,
    ),
    Route(
        method="POST",
        path="/v1/custodian/prepare",
        name="custodian_prepare",
        summary="Give record parts their wraps, and tags where an officer of this agency asks.",
        rights=Rights.SIGNED,
        takes=MSGPACK,
        gives=MSGPACK,
        body_bytes_max=REQUEST_BODY_BYTES_MAX,
    ),
    Route(
        method="POST",
        path="/v1/custodian/sign",
        name="custodian_sign",
        summary="The custodian's signature over a draft that all others have signed.",
        rights=Rights.SIGNED,
        takes=MSGPACK,
        gives=MSGPACK,
        body_bytes_max=REQUEST_BODY_BYTES_MAX,
    ),
    _read("/openapi.json", "openapi", "This description."),
    _read("/healthz", "healthz", "Whether the process lives."),
    _read("/readyz", "readyz", "Whether the node serves: 503 while it does not."),
    Route(
        method="GET",
        path="/metrics",
        name="metrics",
        summary="Counters for Prometheus.",
        gives=TEXT,
        private=True,
    ),
    Route(
        method="GET",
        path="/status",
        name="details",
        summary="Health in detail: findings with causes and what to do.",
        private=True,
    ),
    Route(
        method="GET",
        path="/healthz",
        name="healthz",
        summary="Whether the process lives.",
        private=True,
    ),
)
