"""Replays the published traces: what one file says, fed to the engine, the machine and the tally.

The rules of replay are those of the vectors' README. Values become 32-byte digests of their names;
`"invalid"` is the invalid one. Times are all equal, so that every proposal is timely.
"""

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from consensus import engine
from consensus.events import (
    BlockVerdict,
    BodiesHeld,
    CastVote,
    Decide,
    Event,
    PolkaProofReceived,
    PoolNotEmpty,
    ProposalReceived,
    Propose,
    QuorumCertificateReceived,
    StartHeight,
    TimerFired,
    TimerKind,
    ValueBuilt,
    VoteReceived,
)
from consensus.messages import (
    Phase,
    Proposal,
    SignedProposal,
    SignedVote,
    Vote,
    VoteType,
)
from consensus.parameters import DEFAULT
from consensus.proofs import Quorum
from consensus.state import Identity, State
from ledger.validators import Validator, ValidatorSet
from tests.consensus.committee import NO_SIGNATURE, agency, key

TIME_MS = 1_000_000
TYPES = {"Prevote": VoteType.PREVOTE, "Precommit": VoteType.PRECOMMIT}
TIMERS = {
    "ProposeTimeout": TimerKind.PROPOSE,
    "PrevoteTimeout": TimerKind.PREVOTE,
    "PrecommitTimeout": TimerKind.PRECOMMIT,
}
PHASES = {
    "Propose": Phase.PROPOSE,
    "Prevote": Phase.PREVOTE,
    "Precommit": Phase.PRECOMMIT,
    "Commit": Phase.DECIDED,
}
INTERNAL = ("PendingDInput", "StepChangeDInput")


def traces_in(folder: Path) -> dict[str, dict[str, Any]]:
    """All traces by their paths; no folder of traces skips, one without any trace is an error."""
    topic = folder / "consensus"
    if not topic.is_dir():
        pytest.skip(f"{folder} has no folder `consensus`")
    paths = sorted(topic.rglob("*.json"))
    assert paths, f"{topic} is empty"
    return {
        path.relative_to(topic).as_posix(): json.loads(path.read_text("utf-8")) for path in paths
    }


def digest_of(value: str | None) -> bytes | None:
    return None if value is None else hashlib.sha256(b"value " + value.encode()).digest()


@dataclass
class World:
    """The validators of a trace and the names behind digests."""

    weights: dict[str, int]
    names: list[str] = field(init=False)
    validators: ValidatorSet = field(init=False)

    def __post_init__(self) -> None:
        self.names = sorted(self.weights)
        self.validators = ValidatorSet(
            tuple(
                Validator(agency(index), key(index).public, self.weights[name])
                for index, name in enumerate(self.names)
            )
        )

    def proposer_of(self, validators: ValidatorSet, _height: int, round_number: int) -> int:
        return (round_number + 1) % len(validators)

    def signed(self, raw: dict[str, Any]) -> SignedVote:
        return SignedVote(
            TYPES[raw["voteType"]],
            raw["height"],
            raw["round"],
            digest_of(raw["valueId"]),
            self.names.index(raw["srcAddress"]),
            NO_SIGNATURE,
        )

    def vote(self, raw: dict[str, Any]) -> Vote:
        return Vote(self.signed(raw), self.validators.digest)

    def proposal(self, raw: dict[str, Any]) -> Proposal:
        value = digest_of(raw["proposal"])
        assert value is not None
        proposer = self.names.index(raw["srcAddress"])
        place = (raw["height"], raw["round"], value, raw["validRound"])
        signed = SignedProposal(*place, TIME_MS, proposer, NO_SIGNATURE)
        return Proposal(signed, self.validators.digest)

    def quorum(self, raw: list[dict[str, Any]]) -> Quorum:
        votes = sorted((self.signed(one) for one in raw), key=lambda one: one.validator)
        first = votes[0]
        return Quorum(
            first.type,
            first.height,
            first.round,
            first.block_id,
            tuple((one.validator, one.signature) for one in votes),
            self.validators.digest,
        )


@dataclass
class Replay:
    """One network trace: what was said, decided and where each validator stood, theirs and ours."""

    trace: dict[str, Any]
    world: World = field(init=False)
    names: dict[bytes | None, str | None] = field(default_factory=lambda: {None: None})
    states: dict[str, State] = field(default_factory=dict)
    said: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    expected: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    chains: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    differing_states: list[tuple[int, Any, Any]] = field(default_factory=list)
    differing_chains: list[int] = field(default_factory=list)
    states_compared: int = 0

    def __post_init__(self) -> None:
        self.world = World(self.trace["validators"])

    def run(self) -> "Replay":
        for number, step in enumerate(self.trace["steps"]):
            self._enter(step)
            if step["input"]["tag"] not in INTERNAL:
                for event in self._events(step):
                    self._give(step["validator"], event)
            self._note_expected(step)
            if self.chains[step["validator"]] != step["chain"]:
                self.differing_chains.append(number)
            if self._is_comparable(number):
                self.states_compared += 1
                ours, theirs = self._ours(step["validator"]), self._theirs(step)
                if ours != theirs:
                    self.differing_states.append((number, ours, theirs))
        return self

    def _enter(self, step: dict[str, Any]) -> None:
        """Begin a height when the environment did, with what was preloaded."""
        who, height = step["validator"], step["state"]["height"]
        state = self.states.get(who)
        if state is not None and state.height >= height:
            assert "preload" not in step
            return
        preload = step.get("preload", {})
        for raw in preload.get("votes", ()):
            self._id(raw["valueId"])
        kept: list[Any] = [self.world.vote(raw) for raw in preload.get("votes", ())]
        kept += [self.world.quorum(raw) for raw in preload.get("certificates", ())]
        start = StartHeight(
            height=height,
            validators=self.world.validators,
            parameters=DEFAULT,
            previous_time_ms=TIME_MS - 1,
            now_ms=TIME_MS,
            kept=tuple(kept),
        )
        if state is None:
            index = self.world.names.index(who)
            identity = Identity(agency(index), self.world.proposer_of)
            self.states[who], effects = engine.begin(identity, start)
            self._note(who, effects)
        else:
            self._give(who, start)

    def _give(self, who: str, event: Event) -> None:
        self.states[who], effects = engine.step(self.states[who], event)
        self._note(who, effects)

    def _events(self, step: dict[str, Any]) -> list[Event]:
        state, value = self.states[step["validator"]], step["input"].get("value")
        match step["input"]["tag"]:
            case "StartDInput":
                return [PoolNotEmpty(state.height)]
            case "ProposeValueDInput":
                return [ValueBuilt(state.height, state.round, self._id(value), TIME_MS)]
            case "VoteDInput":
                self._id(value["valueId"])
                return [VoteReceived(self.world.vote(value))]
            case "ProposalDInput":
                return [*self._block(value), ProposalReceived(self.world.proposal(value), TIME_MS)]
            case "CertificateDInput":
                quorum = self.world.quorum(value)
                if quorum.type is VoteType.PREVOTE:
                    return [PolkaProofReceived(quorum)]
                return [QuorumCertificateReceived(quorum)]
            case "TimeoutDInput":
                return [TimerFired(TIMERS[value["tag"]], state.height, state.round)]
            case unknown:
                raise AssertionError(unknown)

    def _block(self, raw: dict[str, Any]) -> list[Event]:
        header_round = raw["round"] if raw["validRound"] == -1 else self._first_round(raw)
        value = self._id(raw["proposal"])
        found = BlockVerdict(
            height=raw["height"],
            block_id=value,
            valid=raw["proposal"] != "invalid",
            header_round=header_round,
            time_ms=TIME_MS,
            proposer=self.world.proposer_of(self.world.validators, raw["height"], header_round),
        )
        return [found, BodiesHeld(raw["height"], value)]

    def _first_round(self, raw: dict[str, Any]) -> int:
        """The round in which a value that is proposed again was proposed first."""
        for step in self.trace["steps"]:
            other = step["input"].get("value")
            if (
                step["input"]["tag"] == "ProposalDInput"
                and (other["height"], other["proposal"]) == (raw["height"], raw["proposal"])
                and other["validRound"] == -1
            ):
                return int(other["round"])
        return int(raw["validRound"])

    def _id(self, value: str | None) -> bytes:
        digest = digest_of(value)
        self.names[digest] = value
        return digest or b""

    def _note(self, who: str, effects: tuple[Any, ...]) -> None:
        for effect in effects:
            match effect:
                case CastVote():
                    name = self.names[effect.block_id]
                    said = ("vote", effect.type, effect.height, effect.round, name)
                    self.said[who].append(said)
                case Propose():
                    place = (effect.height, effect.round, effect.pol_round)
                    self.said[who].append(("proposal", *place, self.names[effect.block_id]))
                case Decide():
                    value = self.names[effect.block_id]
                    assert value is not None
                    self.said[who].append(("decision", effect.certificate.round, value))
                    self.chains[who].append(value)
                case _:
                    pass

    def _note_expected(self, step: dict[str, Any]) -> None:
        who, value = step["validator"], step["output"].get("value")
        match step["output"]["tag"]:
            case "VoteOutput":
                place = (TYPES[value["voteType"]], value["height"], value["round"])
                assert value["srcAddress"] == who
                self.expected[who].append(("vote", *place, value["valueId"]))
            case "ProposalOutput":
                place = (value["height"], value["round"], value["validRound"])
                assert value["srcAddress"] == who
                self.expected[who].append(("proposal", *place, value["proposal"]))
            case "DecidedOutput":
                self.expected[who].append(("decision", *value))
            case _:
                pass

    def _is_comparable(self, number: int) -> bool:
        steps = self.trace["steps"]
        if steps[number]["pending"]:
            return False
        who = steps[number]["validator"]
        later = (step for step in steps[number + 1 :] if step["validator"] == who)
        following = next(later, None)
        return following is None or following["input"]["tag"] not in INTERNAL

    def _ours(self, who: str) -> tuple[Any, ...]:
        core = self.states[who].core
        locked = (core.locked_round, self.names.get(core.locked_block))
        valid = (core.valid_round, self.names.get(core.valid_block))
        return (core.height, core.round, core.phase, *locked, *valid)

    def _theirs(self, step: dict[str, Any]) -> tuple[Any, ...]:
        state = step["state"]
        place = (state["height"], state["round"], PHASES.get(state["step"], Phase.WAIT))
        locked = (state["lockedRound"], state["lockedValue"])
        return (*place, *locked, state["validRound"], state["validValue"])
