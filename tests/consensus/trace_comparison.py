"""Compares whole files of published traces with the production code, step by step.

What differs is either a *deviation*, one of the two that handling enabled rules at once brings by
the README of the vectors, recognised by its rule and named by step; or a *difference*, a fault.

1. *late start*: a validator that starts a height late decides from what was preloaded. Here it is
   at round 0, the specification still at round -1, which it never leaves at that height.
2. *prevote before the decision*: it skips to a round whose proposal it holds. Here it prevotes at
   once, the specification decides first. One prevote more, and the phase between.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consensus import machine
from consensus.events import CastVote, TimerKind
from consensus.machine import RoundState
from consensus.messages import Phase, VoteType
from consensus.tally import Tally, add_vote
from tests.consensus.traces import PHASES, TIMERS, TYPES, Replay, World, digest_of

LATE_START = "late start"
EARLY_PREVOTE = "prevote before the decision"


@dataclass
class Comparison:
    """What came of one file.

    Attributes:
        name: Of the trace.
        kind: Of the trace.
        compared: Steps whose outcome was compared.
        differences: Faults, each with its step.
        deviations: (what, step or validator) of those that the README names.
    """

    name: str
    kind: str
    compared: int = 0
    differences: list[str] = field(default_factory=list)
    deviations: list[tuple[str, int | str]] = field(default_factory=list)
    replay: Replay | None = None


def compare_folder(topic: Path) -> list[Comparison]:
    """Compare every file below a folder; one that is no trace of a known kind is an error."""
    paths = sorted(path for path in topic.rglob("*") if path.suffix == ".json")
    return [compare(json.loads(path.read_text("utf-8"))) for path in paths]


def compare(trace: dict[str, Any]) -> Comparison:
    """Replay one trace and compare it at each comparable step."""
    match trace["kind"]:
        case "network":
            return _compare_network(trace)
        case "statemachine":
            return _compare_statemachine(trace)
        case "votekeeper":
            return _compare_votekeeper(trace)
        case unknown:
            raise AssertionError(f"{trace['trace']}: no rule of replay for kind {unknown!r}")


def _compare_network(trace: dict[str, Any]) -> Comparison:
    found = Comparison(trace["trace"], "network")
    found.replay = replay = Replay(trace).run()
    found.compared = replay.states_compared
    for number in replay.differing_chains:
        found.differences.append(f"step {number}: another chain")
    for number, ours, theirs in replay.differing_states:
        if kind := _deviation(trace, number, ours, theirs):
            found.deviations.append((kind, number))
        else:
            found.differences.append(f"step {number}: {ours}, expected {theirs}")
    for who in trace["correct"]:
        for what in _message_differences(replay.said[who], replay.expected[who]):
            if what is None:
                found.deviations.append((EARLY_PREVOTE, who))
            else:
                found.differences.append(f"{who}: {what}")
    spoken = {step["validator"] for step in trace["steps"]}
    if not spoken <= set(trace["correct"]):
        found.differences.append("a step of a validator that is not correct")
    return found


def _deviation(
    trace: dict[str, Any], number: int, ours: tuple[Any, ...], theirs: tuple[Any, ...]
) -> str | None:
    """Name the one of the two deviations that two states show, or None."""
    height, round_number, phase, *locks = ours
    their_height, their_round, their_phase, *their_locks = theirs
    if (height, locks) != (their_height, their_locks):
        return None
    phases = (phase, their_phase)
    if (round_number, their_round) == (0, -1):
        who = trace["steps"][number]["validator"]
        late = any(
            step["validator"] == who and step["state"]["height"] == height and "preload" in step
            for step in trace["steps"][: number + 1]
        )
        undecided = (Phase.PROPOSE, Phase.WAIT)
        return LATE_START if late and phases in {undecided, (Phase.DECIDED,) * 2} else None
    if round_number == their_round and phases == (Phase.PREVOTE, Phase.PROPOSE):
        decides = ("DecidedOutput", round_number)
        later = [
            (step["output"]["tag"], (step["output"].get("value") or [None])[0])
            for step in trace["steps"][number + 1 :]
            if step["validator"] == trace["steps"][number]["validator"]
            and step["output"]["tag"] != "NoConsensusOutput"
        ]
        return EARLY_PREVOTE if later[:1] == [decides] else None
    return None


def _message_differences(said: list[Any], expected: list[Any]) -> Iterator[str | None]:
    """Yield what differs; None for a prevote of the value and round decided next."""
    wanted = list(expected)
    for message in said:
        if wanted and message == wanted[0]:
            del wanted[0]
        elif (
            wanted
            and message[:2] == ("vote", VoteType.PREVOTE)
            and wanted[0] == ("decision", *message[3:])
        ):
            yield None
        else:
            yield f"said {message}, expected {wanted[:1]}"
            return
    if wanted:
        yield f"never said {wanted[0]}"


def _compare_statemachine(trace: dict[str, Any]) -> Comparison:
    found = Comparison(trace["trace"], "statemachine")
    state = RoundState(height=trace["steps"][0]["state"]["height"])
    for number, step in enumerate(trace["steps"][1:], start=1):
        state, outputs = machine.step(state, _rule(step["input"]))
        shown, wanted = _shown(outputs, state.height), _wanted(step["output"])
        if shown != wanted:
            found.differences.append(f"step {number}: {shown}, expected {wanted}")
        if step["state"]["step"] != "Unstarted":  # the first half of a round change
            place, wanted_place = _place(state), _wanted_place(step["state"])
            if place != wanted_place:
                found.differences.append(f"step {number}: {place}, expected {wanted_place}")
        found.compared += 1
    return found


def _compare_votekeeper(trace: dict[str, Any]) -> Comparison:
    found = Comparison(trace["trace"], "votekeeper")
    world = World(trace["validators"])
    tally = Tally(world.validators)
    for number, step in enumerate(trace["steps"][1:], start=1):
        raw, weight, current_round = step["vote"]["value"]
        assert weight == trace["validators"][raw["srcAddress"]]
        before = tally
        tally, _evidence, _is_new = add_vote(before, world.signed(raw), current_round)
        reached = _reached(tally, raw, current_round)
        shown: tuple[str, Any] = ("NoVKOutput", None)
        if reached and reached != _reached(before, raw, current_round):
            shown = reached
        wanted = (step["output"]["tag"], step["output"].get("value"))
        if shown != wanted:
            found.differences.append(f"step {number}: {shown}, expected {wanted}")
        found.compared += 1
    return found


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
