"""Nodes asked whether they tell one history: a light client climbs each, then compares headers.

What a node tells is believed only as far as the held bundle reaches: by the light client from its
newest header on. Two nodes that both are believed and show different headers of one height have
proved that more than a third of the weight lies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cli.plain_fetch import fetch
from ledger.blocks import HEADER_BYTES_MAX
from ledger.canonical import decode
from ledger.conflicts import HeaderConflict, conflict_of
from ledger.fields import read_array
from ledger.light_client import (
    LightAnswerError,
    LightBlock,
    LightPolicy,
    TrustedPoint,
    climb,
    trusted_point,
)
from ledger.quorum import QUORUM_CERTIFICATE_BYTES_MAX
from ledger.trust import (
    TRUST_BYTES_MAX,
    CertifiedHeader,
    ForkedTrustError,
    TrustBundle,
    check_certified,
    parse_trust,
    read_certified,
)

TRUST_PATH: Final = "/v1/trust-bundle"
_ANSWER_BYTES_MAX: Final = HEADER_BYTES_MAX + QUORUM_CERTIFICATE_BYTES_MAX + 64


@dataclass(frozen=True, slots=True)
class Witness:
    """A node and what it tells; its bundle holds by itself.

    Attributes:
        source: Its address.
        bundle: As it told it just now.
    """

    source: str
    bundle: TrustBundle

    def light_block(self, height: int) -> LightBlock:
        """Ask for the header of a height; its sets are those of the node's bundle.

        Raises:
            NoNetworkError: The node does not answer.
            LightAnswerError: It has no such header, or answers with another one.
            InvalidDataError: The answer is malformed.
        """
        certified = ask_header(self.source, height)
        sets = (self.bundle.validators_at(height), self.bundle.validators_at(height + 1))
        return LightBlock(certified, *sets)


@dataclass(frozen=True, slots=True)
class Believed:
    """How far a node is believed.

    Attributes:
        witness: The node.
        points: The headers on the way up from the held bundle; empty if it is not ahead.
    """

    witness: Witness
    points: tuple[TrustedPoint, ...]


def ask_witness(source: str) -> Witness:
    """Ask a node for its bundle.

    Raises:
        NoNetworkError: The node does not answer.
        InvalidDataError: The bundle does not hold by itself.
    """
    return Witness(source, parse_trust(fetch(source, TRUST_PATH, TRUST_BYTES_MAX)))


def ask_header(source: str, height: int) -> CertifiedHeader:
    """Ask a node for the certified header of a height; only its shape and height are checked.

    Raises:
        NoNetworkError: The node does not answer.
        LightAnswerError: It has no such header, or answers with another one.
        InvalidDataError: The answer is malformed.
    """
    raw = fetch(source, f"/v1/headers?from={height}&limit=1", _ANSWER_BYTES_MAX)
    pairs = read_array(decode(raw, _ANSWER_BYTES_MAX, limit="answer bytes"), "headers", (0, 1))
    if not pairs:
        raise LightAnswerError(f"{source} has no header {height}", height=0, expected=height)
    header, certificate = read_array(pairs[0], "headers.pair", 2)
    certified = read_certified(header, certificate, "headers")
    if certified.header.height != height:
        raise LightAnswerError(
            f"{source} answers with header {certified.header.height} where {height} was asked for",
            height=certified.header.height,
            expected=height,
        )
    return certified


def believe(held: TrustBundle, witness: Witness, policy: LightPolicy, now_ms: int) -> Believed:
    """Climb from the held bundle to a node's newest header.

    Args:
        held: What is believed beforehand.
        witness: The node.
        policy: How far to trust.
        now_ms: The clock.

    Raises:
        NoNetworkError: The node does not answer.
        InvalidDataError: As `ledger.light_client.climb`: it cannot be believed.
    """
    height = witness.bundle.newest_height
    if height <= held.newest_height:
        return Believed(witness, ())
    going = climb(trusted_point(held), height, policy, now_ms)
    wanted = next(going)
    while True:
        try:
            wanted = going.send(witness.light_block(wanted))
        except StopIteration as stopped:
            return Believed(witness, stopped.value)


def contradicts(held: TrustBundle, witness: Witness) -> HeaderConflict | None:
    """Return the contradiction between the held bundle's newest header and a node's, if any.

    Args:
        held: What is believed beforehand.
        witness: The node.

    Raises:
        NoNetworkError: The node does not answer.
        ForkedTrustError: It tells another history of sets, but no two headers prove it.
        InvalidDataError: Its answer is malformed, or its certificate does not hold.
    """
    height = held.newest_height
    if held.newest is not None and witness.bundle.newest_height >= height:
        told = _certified_block(held, witness, height)
        if told.certified.header.digest != held.newest.header.digest:
            return conflict_of(held.newest, told.certified, told.validators, height)
    pairs = zip(held.changes, witness.bundle.changes, strict=False)
    if any(ours.certified.header.digest != told.certified.header.digest for ours, told in pairs):
        raise ForkedTrustError(f"{witness.source} tells another history of validator sets")
    return None


def contradict_each_other(held: TrustBundle, believed: Sequence[Believed]) -> HeaderConflict | None:
    """Return the contradiction between nodes at the highest header that all have, if any.

    Args:
        held: What is believed beforehand.
        believed: At least one.

    Raises:
        NoNetworkError: A node does not answer.
        InvalidDataError: Its answer is malformed, or its certificate does not hold.
    """
    common = min(one.witness.bundle.newest_height for one in believed)
    if common <= held.newest_height:
        return None
    blocks = [_certified_block(held, one.witness, common) for one in believed]
    known = blocks[0].certified
    for told in blocks[1:]:
        if told.certified.header.digest != known.header.digest:
            set_height = min(common, held.newest_height + 1)
            return conflict_of(known, told.certified, told.validators, set_height)
    return None


def _certified_block(held: TrustBundle, witness: Witness, height: int) -> LightBlock:
    told = witness.light_block(height)
    check_certified(held.network_id, told.validators, told.certified)
    return told
