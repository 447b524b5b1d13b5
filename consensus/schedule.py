"""Who proposes; how long a phase waits, in ms, from the round; who is behind.

Source: arXiv:1807.04938, section "Preliminaries" (proposer, timeouts); the design's consensus.md.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from consensus.events import TimerKind
from consensus.messages import Status
from consensus.parameters import Parameters
from ledger.validators import ValidatorSet

ProposerFunction: TypeAlias = Callable[[ValidatorSet, int, int], int]
"""(validators, height, round) -> index of the proposer; equal on all nodes."""


def round_robin(validators: ValidatorSet, height: int, round_number: int) -> int:
    """Return the index of the proposer of a round: (height + round) mod n over the sorted set."""
    return (height + round_number) % len(validators)


def timeout_ms(parameters: Parameters, kind: TimerKind, round_number: int) -> int:
    """Return how long a timer of a round runs: linear in the round, up to the ceiling.

    Args:
        parameters: The durations in force.
        kind: IDLE and REBROADCAST do not depend on the round.
        round_number: From 0.
    """
    base, step = _base_and_step(parameters, kind)
    return min(base + step * round_number, max(base, parameters.timeout_max_ms))


def _base_and_step(parameters: Parameters, kind: TimerKind) -> tuple[int, int]:
    match kind:
        case TimerKind.IDLE:
            return parameters.idle_ms, 0
        case TimerKind.REBROADCAST:
            return parameters.rebroadcast_ms, 0
        case TimerKind.PROPOSE:
            return parameters.propose_ms, parameters.propose_step_ms
        case TimerKind.PREVOTE:
            return parameters.prevote_ms, parameters.prevote_step_ms
        case TimerKind.PRECOMMIT:
            return parameters.precommit_ms, parameters.precommit_step_ms


def delay_max_ms(parameters: Parameters, round_number: int) -> int:
    """Return how long a proposal of a round may travel: delay(r), 2000 + 500 * r up to 10,000."""
    linear = parameters.delay_ms + parameters.delay_step_ms * round_number
    return min(linear, parameters.delay_max_ms)


def is_timely(parameters: Parameters, time_ms: int, received_ms: int, round_number: int) -> bool:
    """Tell whether a proposal's time fits the moment it came.

    `received - delay(r) - precision <= time <= received + precision`, bounds included.
    """
    earliest = received_ms - delay_max_ms(parameters, round_number) - parameters.precision_ms
    return earliest <= time_ms <= received_ms + parameters.precision_ms


def idle_delay_ms(parameters: Parameters, previous_time_ms: int, now_ms: int) -> int:
    """Return how long to WAIT for entries: until idle_ms after the block before, by our clock."""
    return min(max(previous_time_ms + parameters.idle_ms - now_ms, 0), parameters.idle_ms)


def height_reached_by_some_honest(statuses: Mapping[int, Status], validators: ValidatorSet) -> int:
    """Return the highest height that more than one third of the weight says it has stored.

    A node that is two heights behind this leaves voting, syncs, and comes back by itself.

    Args:
        statuses: The latest of each validator, by index, from its authenticated connection.
        validators: The present set.

    Returns:
        The height, 0 if there is none.
    """
    weight = 0
    reached = sorted(
        ((status.last_committed, index) for index, status in statuses.items()), reverse=True
    )
    for last_committed, index in reached:
        if 0 <= index < len(validators):
            weight += validators[index].weight
            if validators.is_skip(weight):
                return last_committed
    return 0
