"""Counts the votes of one height, whole certificates included.

A loose vote counts once for each (validator, type, round): the first. A different second one
becomes evidence. A quorum (an opened polka proof or quorum certificate) counts as a whole and takes
the place of its signers' loose votes of that type and round: without this a single equivocator, who
shows one vote to us and another to the others, can stall four nodes for ever.

Memory stays bounded: votes up to the round after the present one are kept all, of later rounds only
each validator's highest vote of each type. Votes of rounds gone by are kept, for a decision may
still come for them. A quorum of a later round is always kept: more than a third of its signers are
honest, so nobody can invent many.

Tallies are values: adding returns another one. Dicts in here are never changed after they are made.

Source: the design's consensus.md (Rules); arXiv:1807.04938, section "Algorithm".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from consensus.evidence import Evidence, evidence_of
from consensus.messages import BlockId, SignedVote, VoteType
from consensus.proofs import Quorum, SignedPolkaProof, SignedRoundProof
from ledger.quorum import QuorumCertificate
from ledger.validators import ValidatorSet

CountKey: TypeAlias = tuple[int, VoteType]
"""(round, type)."""


@dataclass(frozen=True, slots=True)
class Count:
    """The votes of one type in one round.

    Attributes:
        loose: The first vote of each validator, by its index.
        quorums: What counts as a whole, at most one for each value.
        accused: Validators whose equivocation here was reported, ascending.
        weight: Of all who voted, for whatever.
        reached: Values that more than two thirds voted for; None is nil. A quorum that was there
            stays, even if a contradicting one comes: then more than a third are liars.
    """

    loose: Mapping[int, SignedVote] = field(default_factory=dict)
    quorums: tuple[Quorum, ...] = ()
    accused: tuple[int, ...] = ()
    weight: int = 0
    reached: tuple[BlockId | None, ...] = ()

    def effective(self) -> dict[int, SignedVote]:
        """Return the one vote that counts for each validator, ascending; quorums come first."""
        votes: dict[int, SignedVote] = {}
        for quorum in self.quorums:
            for vote in quorum.votes():
                votes.setdefault(vote.validator, vote)
        for validator, vote in self.loose.items():
            votes.setdefault(validator, vote)
        return {validator: votes[validator] for validator in sorted(votes)}

    def has_whole(self, vote: SignedVote) -> bool:
        """Tell whether a vote is part of a quorum that counts as a whole."""
        return any(
            vote.block_id == quorum.block_id
            and any(validator == vote.validator for validator, _signature in quorum.signatures)
            for quorum in self.quorums
        )

    def signatures_for(self, block_id: BlockId | None) -> tuple[tuple[int, bytes], ...]:
        """Return (validator, signature) of all that are known to have voted for a value."""
        found: dict[int, bytes] = {}
        for quorum in self.quorums:
            if quorum.block_id == block_id:
                found.update(quorum.signatures)
        for validator, vote in self.loose.items():
            if vote.block_id == block_id:
                found.setdefault(validator, vote.signature)
        return tuple((validator, found[validator]) for validator in sorted(found))


_NO_VOTES = Count()


@dataclass(frozen=True, slots=True)
class Tally:
    """All votes of one height.

    Attributes:
        validators: The set of the height.
        counts: By (round, type), for rounds with at least one vote.
        commits: (round, block) for which more than two thirds precommitted, in the order seen.
    """

    validators: ValidatorSet
    counts: Mapping[CountKey, Count] = field(default_factory=dict)
    commits: tuple[tuple[int, BlockId], ...] = ()

    def count(self, round_number: int, vote_type: VoteType) -> Count:
        """Return the votes of a type in a round, empty where there are none."""
        return self.counts.get((round_number, vote_type), _NO_VOTES)

    def has_quorum_for(
        self, round_number: int, vote_type: VoteType, block_id: BlockId | None
    ) -> bool:
        """Tell whether more than two thirds voted for one value (None is nil)."""
        return block_id in self.count(round_number, vote_type).reached

    def has_quorum(self, round_number: int, vote_type: VoteType) -> bool:
        """Tell whether more than two thirds voted for anything."""
        return self.validators.is_quorum(self.count(round_number, vote_type).weight)

    def blocks_reached(self, round_number: int, vote_type: VoteType) -> tuple[BlockId, ...]:
        """Return the blocks, not nil, that more than two thirds voted for."""
        reached = self.count(round_number, vote_type).reached
        return tuple(block_id for block_id in reached if block_id is not None)

    def skip_round(self, round_number: int) -> int | None:
        """Return the highest r' > round such that S senders voted in rounds >= r' [L55].

        None where too few are that far. Both types count together; one validator counts once, with
        its highest round.
        """
        highest: dict[int, int] = {}
        for (voted_round, _type), count in self.counts.items():
            if voted_round > round_number:
                for validator in count.effective():
                    highest[validator] = max(voted_round, highest.get(validator, -1))
        weight = 0
        for voted_round, validator in sorted(
            ((voted, validator) for validator, voted in highest.items()), reverse=True
        ):
            weight += self.validators[validator].weight
            if self.validators.is_skip(weight):
                return voted_round
        return None

    def knows(self, vote: SignedVote, round_number: int) -> bool:
        """Tell whether a vote would change nothing; asked before its signature is checked.

        Args:
            vote: Of this height; the signature plays no part.
            round_number: The present round.
        """
        count = self.count(vote.round, vote.type)
        held = count.loose.get(vote.validator)
        if held is not None:
            return held.block_id == vote.block_id or vote.validator in count.accused
        return count.has_whole(vote) or self._is_surpassed(vote, round_number)

    def _is_surpassed(self, vote: SignedVote, round_number: int) -> bool:
        """Tell whether a vote of a far round is below the one we keep of its validator."""
        return vote.round > round_number + 1 and any(
            voted_round > vote.round and vote_type is vote.type and vote.validator in count.loose
            for (voted_round, vote_type), count in self.counts.items()
        )


def add_vote(
    tally: Tally, vote: SignedVote, round_number: int
) -> tuple[Tally, Evidence | None, bool]:
    """Count one verified vote.

    Args:
        tally: Before.
        vote: Verified under `tally.validators`.
        round_number: The present round, 0 at least.

    Returns:
        The tally after; evidence if the validator said something else before; whether it is new.
    """
    if tally.knows(vote, round_number):
        return tally, None, False
    key = (vote.round, vote.type)
    count = tally.count(*key)
    held = count.loose.get(vote.validator)
    if held is not None:
        accused = tuple(sorted((*count.accused, vote.validator)))
        return (
            _with_count(tally, key, replace(count, accused=accused)),
            evidence_of(held, vote),
            False,
        )
    evidence = _against_quorums(count, vote)
    accused = (*count.accused, vote.validator) if evidence is not None else count.accused
    counted = replace(
        count, loose={**count.loose, vote.validator: vote}, accused=tuple(sorted(accused))
    )
    if vote.round > round_number + 1:
        tally = _without_lower(tally, vote, round_number)
    return _with_count(tally, key, counted), evidence, True


def add_quorum(tally: Tally, quorum: Quorum) -> tuple[Tally, tuple[Evidence, ...]]:
    """Count a quorum as a whole, in place of its signers' loose votes.

    Args:
        tally: Before.
        quorum: Verified under `tally.validators`.

    Returns:
        The tally after, and evidence against each signer that is known to have said otherwise.
    """
    key = (quorum.round, quorum.type)
    count = tally.count(*key)
    if any(held.block_id == quorum.block_id for held in count.quorums):
        return tally, ()
    found: dict[int, Evidence] = {}
    for vote in quorum.votes():
        if vote.validator in count.accused:
            continue
        held = count.loose.get(vote.validator)
        if held is not None and held.block_id != vote.block_id:
            found[vote.validator] = evidence_of(held, vote)
        elif (against := _against_quorums(count, vote)) is not None:
            found[vote.validator] = against
    counted = replace(
        count,
        quorums=(*count.quorums, quorum),
        accused=tuple(sorted((*count.accused, *found))),
    )
    return _with_count(tally, key, counted), tuple(found.values())


def polka_proof(
    tally: Tally, height: int, round_number: int, block_id: BlockId
) -> SignedPolkaProof | None:
    """Return the prevotes that prove a polka, or None if there was none."""
    if not tally.has_quorum_for(round_number, VoteType.PREVOTE, block_id):
        return None
    count = tally.count(round_number, VoteType.PREVOTE)
    return SignedPolkaProof(height, round_number, block_id, count.signatures_for(block_id))


def quorum_certificate(
    tally: Tally, height: int, round_number: int, block_id: BlockId
) -> QuorumCertificate:
    """Return all known precommits for a block that more than two thirds precommitted."""
    assert tally.has_quorum_for(round_number, VoteType.PRECOMMIT, block_id)
    count = tally.count(round_number, VoteType.PRECOMMIT)
    return QuorumCertificate(height, round_number, block_id, count.signatures_for(block_id))


def round_proof(tally: Tally, height: int, round_number: int) -> SignedRoundProof | None:
    """Return votes that justify a round > 0 to others, or None if we know too few.

    Precommits of the round before by more than two thirds, else the highest vote of each validator
    of rounds >= this one by more than one third.
    """
    if tally.has_quorum(round_number - 1, VoteType.PRECOMMIT):
        ended = tally.count(round_number - 1, VoteType.PRECOMMIT).effective()
        return SignedRoundProof(height, round_number, tuple(ended.values()))
    highest: dict[int, SignedVote] = {}
    for key in sorted(tally.counts):
        if key[0] >= round_number:
            highest.update(tally.counts[key].effective())
    weight = sum(tally.validators[validator].weight for validator in highest)
    if not tally.validators.is_skip(weight):
        return None
    votes = tuple(highest[validator] for validator in sorted(highest))
    return SignedRoundProof(height, round_number, votes)


def _against_quorums(count: Count, vote: SignedVote) -> Evidence | None:
    if vote.validator in count.accused:
        return None
    for quorum in count.quorums:
        for other in quorum.votes():
            if other.validator == vote.validator and other.block_id != vote.block_id:
                return evidence_of(other, vote)
    return None


def _without_lower(tally: Tally, vote: SignedVote, round_number: int) -> Tally:
    """Forget the validator's earlier far votes of this type: only its highest is kept.

    Votes of a quorum stay: a quorum needs honest votes, so nobody can invent many.
    """
    counts = dict(tally.counts)
    for key, count in tally.counts.items():
        is_far = key[0] > round_number + 1 and key[1] is vote.type
        if is_far and vote.validator in count.loose and not count.reached:
            loose = {who: held for who, held in count.loose.items() if who != vote.validator}
            if loose or count.quorums:
                counts[key] = _recount(tally.validators, replace(count, loose=loose))
            else:
                del counts[key]
    return replace(tally, counts=counts)


def _with_count(tally: Tally, key: CountKey, count: Count) -> Tally:
    recounted = _recount(tally.validators, count)
    commits = tally.commits
    if key[1] is VoteType.PRECOMMIT:
        commits += tuple(
            (key[0], block_id)
            for block_id in recounted.reached
            if block_id is not None and (key[0], block_id) not in commits
        )
    return Tally(tally.validators, {**tally.counts, key: recounted}, commits)


def _recount(validators: ValidatorSet, count: Count) -> Count:
    """Add up the weights again: of all who voted, and of each value."""
    weights: dict[BlockId | None, int] = {}
    total = 0
    for validator, vote in count.effective().items():
        weight = validators[validator].weight
        total += weight
        weights[vote.block_id] = weights.get(vote.block_id, 0) + weight
    whole = tuple(
        quorum.block_id for quorum in count.quorums if quorum.block_id not in count.reached
    )
    earlier = (*count.reached, *whole)
    by_votes = tuple(
        value
        for value, weight in weights.items()
        if validators.is_quorum(weight) and value not in earlier
    )
    return replace(count, weight=total, reached=(*earlier, *by_votes))
