"""Drafts that wait at the node of their office, beside those that travel as files.

    POST /v1/drafts                          leave a draft; signatures held already are kept
    GET  /v1/drafts                          what lacks a signature of mine, or is of my office
    GET  /v1/drafts/{entry}                  one of them
    POST /v1/drafts/{entry}/signatures       canonical([key_id, signature])

A node gives a draft to its signers and its office only. What it gives is checked like a file from
anybody: each program opens it, recomputes commitment and digest and runs the office rules again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from cli.acting import Actor
from cli.client import MSGPACK, Call
from cli.custodians import custodian_of, node_address
from cli.errors import BadParameterError, NoNetworkError, NoSuchFileError, NotFoundError
from cli.errors import RemoteRefusalError as Refusal
from keys.hashing import DIGEST_BYTES, Digest
from keys.signing import KeyId
from ledger.canonical import encode
from ledger.errors import InvalidDataError
from registry.drafts import Draft, parse_draft, print_draft

NOT_HELD: Final = "node.not_found"
FILE_OR_ENTRY: Final = "FILE|ENTRY"
PATH: Final = "/v1/drafts"

Listed: TypeAlias = Mapping[str, Any]
"""What a node says of a held draft: entry, kind, not_after_ms, missing, custodian_next."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a draft is: in a file, or at a node.

    Attributes:
        path: The file, or None.
        address: Base address of the node, empty for a file.
        name: What people type for it.
    """

    path: Path | None
    address: str
    name: str


def find_draft(actor: Actor, word: str, node: str = "") -> tuple[Draft, Place]:
    """Return the draft that a word means: a file, or the digest of an entry held by a node.

    Args:
        actor: With an auth key, if it is held by a node.
        word: Name of a file, or 64 hexadecimal digits.
        node: Agency whose node is asked; empty: all of them.

    Raises:
        NoSuchFileError: It is neither.
        NotFoundError: No node that answers holds it for whoever asks.
        InvalidDataError: It is no draft, or another one.
    """
    path = Path(word)
    digest = _digest(word)
    if digest is None or path.is_file():
        try:
            return parse_draft(path.read_bytes()), Place(path, "", word)
        except (FileNotFoundError, IsADirectoryError) as error:
            raise NoSuchFileError("there is no such file", name=word) from error
    for _agency, address in nodes(actor, node):
        call = Call(
            address=address, path=f"{PATH}/{word}", accept=MSGPACK, signer=actor.auth_key(),
            tries_s=0.0,
        )  # fmt: skip
        try:
            draft = parse_draft(actor.client.send(call).body)
        except NoNetworkError:
            continue
        except Refusal as refusal:
            if refusal.remote_code != NOT_HELD:
                raise
            continue
        if draft.entry.entry_digest != digest:
            raise InvalidDataError("the node gave another draft than the one asked for")
        return draft, Place(None, address, word)
    raise NotFoundError("no node holds this draft for you", name=word)


def _digest(word: str) -> Digest | None:
    try:
        raw = bytes.fromhex(word)
    except ValueError:
        return None
    return Digest(raw) if len(raw) == DIGEST_BYTES else None


def nodes(actor: Actor, agency: str = "") -> Iterator[tuple[str, str]]:
    """Yield agency and address of the nodes to ask.

    Raises:
        NotFoundError: There is no node of that agency.
    """
    if agency:
        place = actor.network.node_of(agency)
        yield place.agency, place.address
        return
    for place in actor.network.nodes:
        if place.address:
            yield place.agency, place.address


def keeper(actor: Actor, draft: Draft, agency: str = "") -> str:
    """Return the address of the node where a draft is left: that of its office.

    Raises:
        BadParameterError: The act is of no office, and no node is named.
        NoNetworkError: That node's address is not known.
    """
    if agency:
        return actor.network.node_of(agency).address
    office = draft.entry.head.office
    if office is None:
        raise BadParameterError("an act of no office: name the node that holds it", name="--node")
    custodian = custodian_of(actor.genesis, actor.state, office)
    return node_address(actor.network, custodian.agency_id)


def leave(actor: Actor, draft: Draft, address: str) -> Listed:
    """Leave a draft at a node for its other signers; return what the node says of it.

    Raises:
        Refusal: The node does not take it.
    """
    call = Call(
        address=address, path=PATH, method="POST", body=print_draft(draft), signer=actor.auth_key()
    )
    said: Listed = actor.client.send(call).json
    return said


def sign_there(actor: Actor, draft: Draft, address: str, keys: Sequence[KeyId]) -> None:
    """Add signatures of a draft to the one that a node holds."""
    path = f"{PATH}/{draft.entry.entry_digest.hex()}/signatures"
    for key_id in keys:
        body = encode((key_id, draft.signatures[key_id]))
        actor.client.send(
            Call(address=address, path=path, method="POST", body=body, signer=actor.auth_key())
        )


def list_drafts(actor: Actor, node: str = "") -> list[tuple[str, Listed]]:
    """Return agency and draft for each draft that lacks a signature of the asker, or of the office.

    Nodes that do not answer are left out, unless none does.

    Raises:
        NoNetworkError: No node answers.
        Refusal: A node does not know the asker.
    """
    found: list[tuple[str, Listed]] = []
    silent: list[str] = []
    answered = 0
    for agency, address in nodes(actor, node):
        call = Call(address=address, path=PATH, signer=actor.auth_key(), tries_s=0.0)
        try:
            listed = actor.client.send(call).json["drafts"]
        except NoNetworkError:
            silent.append(address)
            continue
        answered += 1
        found += [(agency, one) for one in listed]
    if not answered:
        raise NoNetworkError("no node answers", address=", ".join(silent) or "-")
    return found
