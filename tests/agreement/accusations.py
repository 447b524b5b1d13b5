"""Files of evidence of every kind over the small world: good ones by name."""

from dataclasses import replace

from consensus.accusations import Equivocation
from consensus.evidence import evidence_of
from consensus.messages import SignedProposal, SignedVote, VoteType, proposal_message, vote_message
from keys.hashing import Digest
from ledger.conflicts import HeaderConflict, conflict_of
from ledger.quorum import QuorumCertificate, precommit_message
from ledger.trust import CertifiedHeader
from ledger.validators import Validator, ValidatorSet
from tests.agreement.documents import World, certified, p256_key
from tests.networks import Network, seed


def votes(
    network: Network, validators: ValidatorSet, index: int, height: int, vote_type: VoteType
) -> tuple[SignedVote, SignedVote]:
    """Two votes of one validator for one place."""
    made = []
    for block_id in (Digest(seed("one")), None):
        message = vote_message(network.genesis.network_id, vote_type, height, 1, block_id)
        signature = network.consensus[validators[index].key.key_id].sign(message)
        made.append(SignedVote(vote_type, height, 1, block_id, index, signature))
    return made[0], made[1]


def proposals(
    network: Network, validators: ValidatorSet, index: int, height: int
) -> tuple[SignedProposal, SignedProposal]:
    """Two proposals of one block with different times."""
    made = []
    for time_ms in (1_000, 1_001):
        place = (height, 2, Digest(seed("proposed")), 1, time_ms, index)
        message = proposal_message(
            network.genesis.network_id, SignedProposal(*place, signature=bytes(64))
        )
        signature = network.consensus[validators[index].key.key_id].sign(message)
        made.append(SignedProposal(*place, signature=signature))
    return made[0], made[1]


def equivocations(world: World) -> dict[str, Equivocation]:
    network, trust = world.network, world.young_trust
    first, later = trust.validators_at(1), trust.validators_at(3)
    headers = [certified(pair) for pair in world.blocks]
    prevotes = evidence_of(*votes(network, first, 2, 1, VoteType.PREVOTE))
    precommits = evidence_of(*votes(network, later, 4, 3, VoteType.PRECOMMIT))
    return {
        "prevotes": Equivocation(prevotes, headers[0], first),
        "precommits of the new set": Equivocation(precommits, headers[2], later),
        "by the header before": Equivocation(precommits, headers[1], later),
        "proposals": Equivocation(evidence_of(*proposals(network, first, 0, 2)), headers[1], first),
    }


def signed_header(
    network: Network, header, validators: ValidatorSet, indexes, round_number: int = 0
) -> CertifiedHeader:
    """A header with precommits of these validators."""
    message = precommit_message(header.network_id, header.height, round_number, header.digest)
    signatures = tuple(
        (index, network.consensus[validators[index].key.key_id].sign(message)) for index in indexes
    )
    return CertifiedHeader(
        header, QuorumCertificate(header.height, round_number, header.digest, signatures)
    )


def conflicts(world: World) -> dict[str, HeaderConflict]:
    network = world.network
    known = certified(world.blocks[0])
    first = network.genesis.validator_set
    other = replace(known.header, state_root=Digest(seed("another state")))
    stranger = Validator(type(first[0].agency_id)(b"\xfe" * 16), p256_key("stranger").public, 2)
    made_up = ValidatorSet((*first.validators[:2], stranger))
    lied = replace(certified(world.blocks[3]).header, validators=made_up.digest)
    return {
        "equivocation": conflict_of(
            known, signed_header(network, other, first, (1, 2, 3)), None, 1
        ),
        "amnesia": conflict_of(known, signed_header(network, other, first, (0, 1, 3), 4), None, 1),
        "made up": conflict_of(
            certified(world.blocks[3]),
            signed_header(network, lied, made_up, (0, 1, 2)),
            made_up,
            2,
        ),
    }
