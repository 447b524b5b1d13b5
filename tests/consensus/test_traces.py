"""Every published trace of a machine-checked specification, replayed by the production code."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from consensus import machine
from consensus.events import CastVote, TimerKind
from consensus.machine import RoundState
from consensus.messages import Phase, VoteType
from consensus.tally import Tally, add_vote
from tests.consensus.traces import PHASES, TIMERS, TYPES, Replay, World, digest_of, load

IS_DEFAULT_FOLDER = not os.environ.get("CIVREG_VECTORS")

# The three legitimate differences of a machine that handles enabled rules at once: see the README
# of the vectors. Extra messages by validator, and the steps whose state differs.
EXTRA_MESSAGES = {
    # v4 holds the proposal of round 1 when it skips there, so it prevotes before it decides.
    "multi-round_DecideFutureRoundTest_1": {
        "v4": [("vote", VoteType.PREVOTE, 0, 1, "green")],
    },
}
OTHER_STATES = {
    # The state between the skip and the decision of that v4.
    "multi-round_DecideFutureRoundTest_1": [76],
    # v4 decides from preloaded votes: at round 0 here, still at round -1 in the specification.
    "newheightlogic_fastProcessesDecidesAtHeight0SlowOneCatchesUpTest_0": [36, 37],
    # The same, at height 1.
    "newheightlogic_slowProcessAtHeight1Test_3": [92, 93],
}


@pytest.fixture(scope="module")
def replays(vectors_folder) -> list[Replay]:
    return [Replay(trace).run() for trace in load(vectors_folder, "network")]


def test_every_network_trace_gives_the_messages_of_the_specification(replays):
    differences = {}
    for replay in replays:
        extra = EXTRA_MESSAGES.get(replay.trace["trace"], {})
        for who in replay.trace["correct"]:
            expected = list(replay.expected[who])
            for message in extra.get(who, ()):
                expected.insert(len(expected) - 1, message)
            if replay.said[who] != expected:
                differences[replay.trace["trace"], who] = (replay.said[who], expected)
    assert differences == {}


def test_every_network_trace_gives_the_decisions_of_the_specification_at_every_step(replays):
    differing = {r.trace["trace"]: r.differing_chains for r in replays if r.differing_chains}
    assert differing == {}


def test_every_network_trace_gives_the_states_of_the_specification_at_comparable_steps(replays):
    differing = {r.trace["trace"]: r.differing_states for r in replays if r.differing_states}
    present = {replay.trace["trace"] for replay in replays}
    assert differing == {name: steps for name, steps in OTHER_STATES.items() if name in present}


def test_the_states_that_differ_in_a_trace_differ_in_round_and_phase_only(replays):
    """The late starter is at round 0 where the specification has not started its round."""
    for replay in replays:
        name = replay.trace["trace"]
        if name.startswith("newheightlogic") and name in OTHER_STATES:
            first, second = (replay.trace["steps"][number] for number in OTHER_STATES[name])
            assert (first["state"]["round"], first["state"]["step"]) == (-1, "No")
            assert (second["state"]["round"], second["state"]["step"]) == (-1, "Commit")
            final = replay.states[first["validator"]]
            assert (final.round, final.phase) == (0, Phase.DECIDED)


def test_a_trace_with_too_many_liars_ends_in_disagreement_and_all_others_agree(replays):
    """A replay that never sees disagreement would be blind; one that sees it elsewhere, wrong."""
    split = set()
    for replay in replays:
        decided: dict[int, set[str]] = {}
        for chain in replay.chains.values():
            for height, value in enumerate(chain):
                decided.setdefault(height, set()).add(value)
        if any(len(values) > 1 for values in decided.values()):
            split.add(replay.trace["trace"])
    present = {replay.trace["trace"] for replay in replays}
    assert split == {"disagreement_disagreementTest_0"} & present


@pytest.mark.skipif(not IS_DEFAULT_FOLDER, reason="another folder of vectors: its size is unknown")
def test_the_traces_are_all_there(replays, vectors_folder):
    assert len(replays) == 15
    assert len(load(vectors_folder, "statemachine")) == 2
    assert len(load(vectors_folder, "votekeeper")) == 10
    assert sum(replay.states_compared for replay in replays) == 587


def test_every_statemachine_trace_gives_the_outputs_and_states_of_the_specification(
    vectors_folder,
):
    for trace in load(vectors_folder, "statemachine"):
        first = trace["steps"][0]["state"]
        state = RoundState(height=first["height"])
        for number, step in enumerate(trace["steps"][1:], start=1):
            state, outputs = machine.step(state, _rule(step["input"]))
            where = (trace["trace"], number)
            assert _shown(outputs, state.height) == _wanted(step["output"]), where
            if step["state"]["step"] != "Unstarted":  # the first half of a round change
                assert _place(state) == _wanted_place(step["state"]), where


def _block(value: str) -> bytes:
    digest = digest_of(value)
    assert digest is not None
    return digest


RULES: dict[str, Callable[[Any], machine.Rule]] = {
    "NewRoundCInput": lambda number: machine.StartRound(number, is_proposer=False),
    "NewRoundProposerCInput": lambda number: machine.StartRound(number, is_proposer=True),
    "ProposeValueCInput": lambda value: machine.ValueReady(0, _block(value)),
    "ProposalCInput": lambda place: machine.FirstProposal(_block(place[1]), acceptable=True),
    "ProposalInvalidCInput": lambda _: machine.FirstProposal(b"", acceptable=False),
    "PolkaAnyCInput": lambda _: machine.PrevotesForAnything(),
    "PolkaNilCInput": lambda _: machine.PolkaForNil(),
    "PrecommitAnyCInput": lambda _: machine.PrecommitsForAnything(),
    "ProposalAndPolkaAndValidCInput": lambda value: machine.PolkaForBlock(_block(value)),
    "ProposalAndCommitAndValidCInput": lambda place: machine.CommitForBlock(
        place[0], _block(place[1])
    ),
    "TimeoutProposeCInput": lambda place: machine.TimerExpired(TimerKind.PROPOSE, place[1]),
    "TimeoutPrevoteCInput": lambda place: machine.TimerExpired(TimerKind.PREVOTE, place[1]),
    "TimeoutPrecommitCInput": lambda place: machine.TimerExpired(TimerKind.PRECOMMIT, place[1]),
}


def _rule(given: dict[str, Any]) -> machine.Rule:
    return RULES[given["tag"]](given.get("value"))


def _shown(outputs: tuple[machine.Output, ...], height: int) -> list[tuple[Any, ...]]:
    shown: list[tuple[Any, ...]] = []
    for output in outputs:
        match output:
            case CastVote():
                shown.append(("vote", output.type, output.height, output.round, output.block_id))
            case machine.GiveProposal():
                shown.append(("proposal", height, output.round, output.pol_round, output.block_id))
            case machine.NeedValue():
                shown.append(("value", height, output.round))
            case machine.StartTimer():
                shown.append(("timer", output.kind, output.round))
            case machine.EnterRound():
                shown.append(("enter", output.round))
            case machine.Decided():
                shown.append(("decided", output.round, output.block_id))
    return shown


def _wanted(output: dict[str, Any]) -> list[tuple[Any, ...]]:
    value: Any = output.get("value")
    match output["tag"]:
        case "NoConsensusOutput":
            return []
        case "VoteOutput":
            place = (TYPES[value["voteType"]], value["height"], value["round"])
            return [("vote", *place, digest_of(value["valueId"]))]
        case "ProposalOutput":
            place = (value["height"], value["round"], value["validRound"])
            return [("proposal", *place, digest_of(value["proposal"]))]
        case "GetValueAndScheduleTimeoutOutput":
            height, round_number, timer = value
            kind = TIMERS[timer["tag"]]
            return [("value", height, round_number), ("timer", kind, round_number)]
        case "TimeoutOutput":
            return [("timer", TIMERS[value[1]["tag"]], value[0])]
        case "SkipRoundOutput":
            return [("enter", value)]
        case "DecidedOutput":
            return [("decided", value[0], digest_of(value[1]))]
        case unknown:
            raise AssertionError(unknown)


def _place(state: RoundState) -> tuple[Any, ...]:
    locked = (state.locked_round, state.locked_block)
    return (state.height, state.round, state.phase, *locked, state.valid_round, state.valid_block)


def _wanted_place(state: dict[str, Any]) -> tuple[Any, ...]:
    phase = PHASES.get(state["step"], Phase.WAIT)
    locked = (state["lockedRound"], digest_of(state["lockedValue"]))
    valid = (state["validRound"], digest_of(state["validValue"]))
    return (state["height"], state["round"], phase, *locked, *valid)


def test_every_votekeeper_trace_reaches_the_thresholds_of_the_specification(vectors_folder):
    for trace in load(vectors_folder, "votekeeper"):
        world = World(trace["validators"])
        tally = Tally(world.validators)
        for number, step in enumerate(trace["steps"][1:], start=1):
            raw, weight, current_round = step["vote"]["value"]
            assert weight == trace["validators"][raw["srcAddress"]]
            before = tally
            tally, evidence, _is_new = add_vote(before, world.signed(raw), current_round)
            assert evidence is None
            reached = _reached(tally, raw, current_round)
            shown = ("NoVKOutput", None)
            if reached and reached != _reached(before, raw, current_round):
                shown = reached
            wanted = (step["output"]["tag"], step["output"].get("value"))
            assert shown == wanted, (trace["trace"], number)


def _reached(tally: Tally, raw: dict[str, Any], current_round: int) -> tuple[str, Any] | None:
    """The threshold that stands, as the vectors' README ranks them for one vote."""
    number, value = raw["round"], raw["valueId"]
    vote_type = TYPES[raw["voteType"]]
    if number > current_round and (ahead := tally.skip_round(current_round)) is not None:
        return ("SkipVKOutput", ahead)
    is_prevote = vote_type is VoteType.PREVOTE
    for_value = tally.has_quorum_for(number, vote_type, digest_of(value))
    if for_value and value is not None:
        name = "PolkaValueVKOutput" if is_prevote else "PrecommitValueVKOutput"
        return (name, [number, value])
    if for_value and is_prevote:
        return ("PolkaNilVKOutput", number)
    if tally.has_quorum(number, vote_type):
        return ("PolkaAnyVKOutput" if is_prevote else "PrecommitAnyVKOutput", number)
    return None
