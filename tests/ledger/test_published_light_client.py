"""Every published light-client step, rebuilt with P-256 keys and our headers: the same verdicts.

The files give names, powers, seconds and who signed; `tests/ledger/light_blocks.py` makes headers,
certificates and sets of them, and what it makes goes through the parser, as a stranger's bytes do.

One deviation, by our format: a set has 1 ... 64 members. A light block with another one is INVALID
here, whatever else it says; and a trusted set that cannot exist ends the replay of its file. None
of the 51 usual steps changes its verdict by that, and their replay never ends early.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

import verifier
from keys.hashing import Digest
from ledger.errors import InvalidDataError
from ledger.light_client import (
    LightPolicy,
    NotEnoughTrustError,
    TrustedPoint,
    check_light,
    parse_light_block,
)
from ledger.limits import VALIDATORS_MAX
from ledger.validators import print_validator_set
from tests.ledger.light_blocks import (
    NETWORK_ID,
    NOWHERE,
    header_of,
    light_bytes,
    validators_of,
)
from verifier.encoding import decode as verifier_decode
from verifier.headers import read_validator_set
from verifier.light import Point, Policy

VERDICTS = ("SUCCESS", "NOT_ENOUGH_TRUST", "INVALID")


def fits(powers: dict[str, int]) -> bool:
    return 1 <= len(powers) <= VALIDATORS_MAX


@dataclass
class LightReplay:
    """One file, step by step; `verdicts` are ours, `expected` the file's or the deviation."""

    case: dict[str, Any]
    verdicts: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    deviations: list[int] = field(default_factory=list)
    asks_both: bool = False
    opinions: list[str] = field(default_factory=list)

    def run(self) -> "LightReplay":
        first = self.case["trusted"]
        if not fits(first["next_validators"]):
            self.deviations = list(range(len(self.case["steps"])))
            return self
        trusted = self._point({**first, "validators": first["next_validators"]})
        for number, step in enumerate(self.case["steps"]):
            block = step["block"]
            before = trusted
            verdict, trusted = self._verdict(trusted, step)
            if self.asks_both:
                self.opinions.append(self.second_opinion(before, step))
            self.verdicts.append(verdict)
            self.expected.append(step["verdict"])
            possible = fits(block["validators"]) and fits(block["next_validators"])
            if not possible and step["verdict"] != "INVALID":
                self.expected[-1] = "INVALID"
                self.deviations.append(number)
                if step["verdict"] == "SUCCESS":
                    self.deviations += range(number + 1, len(self.case["steps"]))
                    break
        return self

    def _verdict(self, trusted: TrustedPoint, step: dict[str, Any]) -> tuple[str, TrustedPoint]:
        raw = light_bytes(step["block"], self._parent_of(step["block"]["height"]))
        try:
            light = parse_light_block(raw)
            assert light.to_bytes() == raw
            return "SUCCESS", check_light(trusted, light, self._policy(), step["now"] * 1_000)
        except NotEnoughTrustError:
            return "NOT_ENOUGH_TRUST", trusted
        except InvalidDataError:
            return "INVALID", trusted

    def second_opinion(self, trusted: TrustedPoint, step: dict[str, Any]) -> str:
        """The verdict of the second implementation, which reads the same bytes."""
        raw = light_bytes(step["block"], self._parent_of(step["block"]["height"]))
        known = trusted.next_validators
        point = Point(
            trusted.network_id,
            trusted.height,
            trusted.time_ms,
            trusted.block_id,
            read_validator_set(verifier_decode(print_validator_set(known), 1 << 20)),
        )
        policy = self._policy()
        theirs = Policy(policy.trusting_period_ms, policy.clock_drift_ms, policy.trust_part)
        try:
            verifier.check_light(point, verifier.read_light(raw), theirs, step["now"] * 1_000)
        except verifier.RefusedError as refusal:
            return "NOT_ENOUGH_TRUST" if refusal.reason == "not_enough_trust" else "INVALID"
        return "SUCCESS"

    def _policy(self) -> LightPolicy:
        level = Fraction(self.case["trust_level"])
        return LightPolicy(
            trusting_period_ms=self.case["trusting_period"] * 1_000,
            clock_drift_ms=self.case["clock_drift"] * 1_000,
            trust_part=(level.numerator, level.denominator),
        )

    def _point(self, block: dict[str, Any]) -> TrustedPoint:
        return TrustedPoint(
            network_id=NETWORK_ID,
            height=block["height"],
            time_ms=block["time"] * 1_000,
            block_id=header_of(block, NOWHERE).digest,
            next_validators=validators_of(block["next_validators"]),
        )

    def _parent_of(self, height: int) -> Digest:
        """The digest of the believed block below; one block of a file is always the same bytes."""
        first = self.case["trusted"]
        if height == first["height"] + 1:
            return self._point({**first, "validators": first["next_validators"]}).block_id
        for step in self.case["steps"]:
            if step["block"]["height"] == height - 1 and step["verdict"] == "SUCCESS":
                return header_of(step["block"], self._parent_of(height - 1)).digest
        return NOWHERE


@pytest.fixture(scope="module")
def replays(vector_files) -> dict[str, LightReplay]:
    """All files of the topic; none is passed over."""
    files = vector_files("lightclient")
    replays = {name: LightReplay(case, asks_both=True).run() for name, case in files}
    assert len(replays) == len(files)
    return replays


def test_every_published_step_has_the_verdict_of_its_file(replays):
    assert {name: one.verdicts for name, one in replays.items()} == {
        name: one.expected for name, one in replays.items()
    }
    for name, one in replays.items():
        assert set(one.expected) <= set(VERDICTS), name
        left = set(range(len(one.case["steps"]))) - set(range(len(one.verdicts)))
        assert left <= set(one.deviations), name


def test_the_second_implementation_has_the_same_verdict_at_every_step(replays):
    assert {name: one.opinions for name, one in replays.items()} == {
        name: one.verdicts for name, one in replays.items()
    }


def test_the_usual_files_have_all_their_steps_compared_without_a_deviation(replays, usual_vectors):
    if not usual_vectors:
        pytest.skip("CIVREG_VECTORS names other files")
    assert len(replays) == 21
    assert [one.deviations for one in replays.values()] == [[]] * 21
    verdicts = Counter(verdict for one in replays.values() for verdict in one.verdicts)
    assert verdicts == {"SUCCESS": 24, "NOT_ENOUGH_TRUST": 21, "INVALID": 6}


def test_a_changed_expectation_would_be_noticed(replays):
    """Each file, each step, each other verdict: the comparison above cannot be satisfied."""
    noticed = 0
    for one in replays.values():
        for number, verdict in enumerate(one.verdicts):
            for other in set(VERDICTS) - {verdict}:
                case = json.loads(json.dumps(one.case))
                case["steps"][number]["verdict"] = other
                again = LightReplay(case).run()
                differs = again.verdicts != again.expected or again.deviations != one.deviations
                noticed += differs
                assert differs, (case["name"], number, other)
    assert noticed == 2 * sum(len(one.verdicts) for one in replays.values())


def test_a_set_that_cannot_exist_is_invalid_here_and_named_as_a_deviation():
    """Made up, of the published shape: no usual file has one with another verdict."""
    many = {f"n{number}": 50 for number in range(VALIDATORS_MAX + 1)}
    four = {f"n{number}": 50 for number in range(4)}
    block = {"height": 2, "time": 2, "validators": four, "signers": list(four)}
    trusted = {"height": 1, "time": 1, "next_validators": four, "signers": list(four)}
    case = {"name": "made up", "trusting_period": 1400, "clock_drift": 0, "trust_level": "1/3"}
    step: dict[str, Any] = {}
    for following in (many, {}):
        step = {"now": 10, "block": {**block, "next_validators": following}, "verdict": "SUCCESS"}
        replay = LightReplay({**case, "trusted": trusted, "steps": [step, step]}).run()
        assert (replay.verdicts, replay.expected) == (["INVALID"], ["INVALID"])
        assert replay.deviations == [0, 1]
    nobody = LightReplay({**case, "trusted": {**trusted, "next_validators": {}}, "steps": [step]})
    assert nobody.run().deviations == [0]


# --- cases that nobody published -----------------------------------------------------------------

POWERS = st.dictionaries(st.sampled_from("abcde"), st.integers(1, 3), min_size=1)


@st.composite
def cases(draw) -> dict[str, Any]:
    """A case of the published shape, with unequal powers, drift, and signers from anywhere."""
    level = draw(st.sampled_from(["1/3", "1/2", "2/3", "1/1"]))
    trusted = {"height": 1, "time": 1, "next_validators": draw(POWERS), "signers": []}
    sets, steps = [trusted["next_validators"]], []
    for _ in range(draw(st.integers(1, 4))):
        validators = draw(st.sampled_from(sets) | POWERS)
        some = st.sets(st.sampled_from(sorted(validators)), min_size=1)
        anybody = st.sets(st.sampled_from("abcdef"), min_size=1)
        block = {
            "height": draw(st.integers(1, 6)),
            "time": draw(st.integers(1, 8)),
            "validators": validators,
            "next_validators": draw(POWERS),
            "signers": sorted(draw(st.just(set(validators)) | some | anybody)),
        }
        sets.append(block["next_validators"])
        steps.append({"now": draw(st.integers(6, 14)), "block": block})
    return {
        "name": "drawn",
        "trusting_period": draw(st.integers(6, 30)),
        "clock_drift": draw(st.integers(0, 2)),
        "trust_level": level,
        "trusted": trusted,
        "steps": steps,
    }


def verdict_of_the_readme(case, trusted, step) -> str:
    """The three rules of the vectors' README, word for word, on names and powers."""
    block, now = step["block"], step["now"]
    validators, signers = block["validators"], block["signers"]
    signed = sum(validators.get(name, 0) for name in signers)
    is_next = block["height"] == trusted["height"] + 1
    if not (
        trusted["time"] + case["trusting_period"] > now
        and block["height"] > trusted["height"]
        and block["time"] > trusted["time"]
        and block["time"] < now + case["clock_drift"]
        and set(signers) <= set(validators)
        and signed * 3 > sum(validators.values()) * 2
        and (not is_next or validators == trusted["next_validators"])
    ):
        return "INVALID"
    known = trusted["next_validators"]
    share = Fraction(sum(known.get(name, 0) for name in signers), sum(known.values()))
    return "SUCCESS" if is_next or share > Fraction(case["trust_level"]) else "NOT_ENOUGH_TRUST"


@settings(max_examples=60)
@given(cases())
def test_any_case_has_the_verdicts_of_the_rules_as_they_are_written(case):
    """Our light client, the second implementation and the rules word for word: all three."""
    trusted = case["trusted"]
    for step in case["steps"]:
        step["verdict"] = verdict_of_the_readme(case, trusted, step)
        if step["verdict"] == "SUCCESS":
            trusted = step["block"]
        event(step["verdict"])
    replay = LightReplay(case, asks_both=True).run()
    assert replay.verdicts == replay.opinions == [step["verdict"] for step in case["steps"]]
    assert replay.deviations == []
