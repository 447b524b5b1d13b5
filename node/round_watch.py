"""Where the present round stands, since when, and whose proposal or vote it waits for.

Reads the state of the core and changes nothing. The core knows no time, so the watch notes when it
first saw a height and a round; whoever looks every second knows it to the second.
"""

from dataclasses import dataclass
from enum import StrEnum, unique

from consensus.messages import Phase, VoteType
from consensus.state import State, facts_of


@unique
class Awaited(StrEnum):
    """What a round waits for."""

    ENTRIES = "entries"
    PROPOSAL = "proposal"
    BLOCK = "block"
    PREVOTES = "prevotes"
    PRECOMMITS = "precommits"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class RoundView:
    """A round as an operator sees it.

    Attributes:
        height: That is worked on.
        round: The present one, -1 while the height waits for entries.
        phase: The name of the phase, in small letters.
        height_ms: How long this height has been worked on; 0 while it waits for entries.
        round_ms: How long this round has lasted.
        waits_for: What comes next.
        missing: Indexes of the validators that it waits for: the proposer, or all whose vote of the
            phase is not here.
        weight: Of the votes that are here.
        weight_needed: More than two thirds.
        may_vote: Whether this node votes in this height.
    """

    height: int
    round: int
    phase: str
    height_ms: int
    round_ms: int
    waits_for: Awaited
    missing: tuple[int, ...]
    weight: int
    weight_needed: int
    may_vote: bool


class RoundWatch:
    """Knows since when a height and a round stand."""

    def __init__(self) -> None:
        self._height = (0, 0)
        self._round = (-1, 0)

    def look(self, state: State, now_ms: int) -> RoundView:
        """Return how the round stands.

        Args:
            state: Of the core.
            now_ms: Monotonic time.
        """
        is_idle = state.round < 0
        if self._height[0] != state.height or is_idle:
            self._height, self._round = (state.height, now_ms), (state.round, now_ms)
        if self._round[0] != state.round:
            self._round = (state.round, now_ms)
        waits_for, missing, weight = _waiting(state)
        return RoundView(
            height=state.height,
            round=state.round,
            phase=state.phase.name.lower(),
            height_ms=now_ms - self._height[1],
            round_ms=now_ms - self._round[1],
            waits_for=waits_for,
            missing=missing,
            weight=weight,
            weight_needed=state.start.validators.quorum_weight,
            may_vote=state.may_speak(),
        )


def _waiting(state: State) -> tuple[Awaited, tuple[int, ...], int]:
    match state.phase:
        case Phase.WAIT:
            return Awaited.ENTRIES, (), 0
        case Phase.PROPOSE:
            held = state.proposals.get(state.round, ())
            if not held:
                return Awaited.PROPOSAL, (state.proposer(state.round),), 0
            facts = facts_of(state, held[0].proposal.block_id)
            is_here = facts.verdict is not None and facts.bodies_held
            return (Awaited.NOTHING if is_here else Awaited.BLOCK), (), 0
        case Phase.PREVOTE:
            return _votes(state, Awaited.PREVOTES, VoteType.PREVOTE)
        case Phase.PRECOMMIT:
            return _votes(state, Awaited.PRECOMMITS, VoteType.PRECOMMIT)
        case Phase.DECIDED:
            return Awaited.NOTHING, (), 0


def _votes(
    state: State, waits_for: Awaited, vote_type: VoteType
) -> tuple[Awaited, tuple[int, ...], int]:
    count = state.tally.count(state.round, vote_type)
    here = count.effective()
    missing = tuple(index for index in range(len(state.start.validators)) if index not in here)
    return waits_for, missing, count.weight
