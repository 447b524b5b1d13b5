"""The machine alone guards each rule too: a rule input that means nothing changes nothing."""

from dataclasses import replace

import pytest

from consensus import machine
from consensus.events import TimerKind
from consensus.machine import RoundState
from consensus.messages import Phase
from tests.consensus.committee import A, B

RULES = [
    machine.StartRound(2, is_proposer=True),
    machine.StartRound(1, is_proposer=False),
    machine.ValueReady(1, A),
    machine.ValueReady(3, A),
    machine.OthersAhead(2),
    machine.OthersAhead(0),
    *(machine.TimerExpired(kind, number) for kind in TimerKind for number in (0, 1, 3)),
]
AT_REST = RoundState(height=1, round=2, phase=Phase.PREVOTE, locked_round=1, locked_block=A)


@pytest.mark.parametrize("phase", [Phase.PROPOSE, Phase.PREVOTE, Phase.PRECOMMIT])
@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_rules_of_other_rounds_mean_nothing(phase, rule):
    state = replace(AT_REST, phase=phase)
    assert machine.step(state, rule) == (state, ())


@pytest.mark.parametrize(
    "rule",
    [
        machine.FirstProposal(B, acceptable=True),
        machine.RepeatedProposal(B, 1, acceptable=True),
        machine.TimerExpired(TimerKind.PROPOSE, 2),
        machine.ValueReady(2, B),
    ],
    ids=repr,
)
def test_what_belongs_to_propose_means_nothing_later(rule):
    for phase in (Phase.PREVOTE, Phase.PRECOMMIT):
        state = replace(AT_REST, phase=phase)
        assert machine.step(state, rule) == (state, ())


def test_once_flags_hold_within_a_round():
    rules: list[tuple[machine.Rule, str]] = [
        (machine.PrevotesForAnything(), "prevote_timer_set"),
        (machine.PolkaForBlock(B), "polka_handled"),
        (machine.PrecommitsForAnything(), "precommit_timer_set"),
    ]
    for rule, flag in rules:
        state, outputs = machine.step(AT_REST, rule)
        assert outputs
        assert getattr(state, flag)
        assert machine.step(state, rule) == (state, ())


@pytest.mark.parametrize("phase", [Phase.WAIT, Phase.DECIDED])
def test_before_the_first_round_and_after_the_decision_no_vote_is_cast(phase):
    state = RoundState(height=1, round=-1 if phase is Phase.WAIT else 0, phase=phase)
    rules: list[machine.Rule] = [
        machine.FirstProposal(A, acceptable=True),
        machine.PolkaForBlock(A),
        machine.PolkaForNil(),
        machine.PrevotesForAnything(),
        machine.PrecommitsForAnything(),
        *(machine.TimerExpired(kind, state.round) for kind in TimerKind),
    ]
    for rule in rules:
        assert machine.step(state, rule) == (state, ())
