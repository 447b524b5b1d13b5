"""Every published trace of a machine-checked specification, replayed by the production code.

`CIVREG_VECTORS` may name other files of the same shape: every file is read, and a kind of trace
that has no rule of replay is an error. What may differ is in `tests/consensus/trace_comparison.py`
by its rule, and here by its steps for the usual files.
"""

import copy
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consensus.messages import Phase
from tests.consensus.trace_comparison import (
    EARLY_PREVOTE,
    LATE_START,
    Comparison,
    compare,
    compare_folder,
)
from tests.consensus.traces import INTERNAL, Replay, traces_in

ROOT = Path(__file__).parents[2]

# The three legitimate differences of a machine that handles enabled rules at once: see the README
# of the vectors.
DEVIATIONS: dict[str, list[tuple[str, Any]]] = {
    # v4 holds the proposal of round 1 when it skips there, so it prevotes before it decides.
    "multi-round_DecideFutureRoundTest_1": [(EARLY_PREVOTE, 76), (EARLY_PREVOTE, "v4")],
    # v4 decides from preloaded votes: at round 0 here, still at round -1 in the specification.
    "newheightlogic_fastProcessesDecidesAtHeight0SlowOneCatchesUpTest_0": [
        (LATE_START, 36),
        (LATE_START, 37),
    ],
    # The same, at height 1.
    "newheightlogic_slowProcessAtHeight1Test_3": [(LATE_START, 92), (LATE_START, 93)],
}


@pytest.fixture(scope="module")
def traces(vectors_folder) -> dict[str, dict[str, Any]]:
    return traces_in(vectors_folder)


@pytest.fixture(scope="module")
def comparisons(traces) -> list[Comparison]:
    """One for each file: none is passed over."""
    return [compare(trace) for trace in traces.values()]


@pytest.fixture(scope="module")
def replays(comparisons) -> list[Replay]:
    return [one.replay for one in comparisons if one.replay is not None]


def test_every_trace_agrees_with_the_specification_at_every_comparable_step(comparisons):
    """Messages, decisions, states, thresholds; what deviates does so by one of two rules."""
    assert {one.name: one.differences for one in comparisons if one.differences} == {}
    assert [one.name for one in comparisons if not one.compared] == []


def test_the_deviations_of_the_usual_traces_are_those_three_and_no_other(
    comparisons, usual_vectors
):
    found = {one.name: one.deviations for one in comparisons if one.deviations}
    present = {one.name for one in comparisons}
    for name in DEVIATIONS.keys() & present:
        assert found.pop(name) == DEVIATIONS[name]
    if usual_vectors:
        assert found == {}


def test_the_states_that_differ_in_a_trace_differ_in_round_and_phase_only(replays):
    """The late starter is at round 0 where the specification has not started its round."""
    for replay in replays:
        name = replay.trace["trace"]
        if name.startswith("newheightlogic") and name in DEVIATIONS:
            first, second = (replay.trace["steps"][number] for _, number in DEVIATIONS[name])
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
    for replay in replays:
        liars = sum(
            weight
            for name, weight in replay.trace["validators"].items()
            if name not in replay.trace["correct"]
        )
        many = 3 * liars >= sum(replay.trace["validators"].values())
        assert many or replay.trace["trace"] not in split
    present = {replay.trace["trace"] for replay in replays}
    assert split >= {"disagreement_disagreementTest_0"} & present


def test_the_usual_traces_are_all_there(comparisons, usual_vectors):
    if not usual_vectors:
        pytest.skip("CIVREG_VECTORS names other files: their number is unknown")
    kinds = [one.kind for one in comparisons]
    count = {kind: kinds.count(kind) for kind in ("network", "statemachine", "votekeeper")}
    assert count == {"network": 15, "statemachine": 2, "votekeeper": 10}
    assert sum(one.compared for one in comparisons if one.kind == "network") == 587


# --- tests of the test ---------------------------------------------------------------------------


def mutated(trace: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each expectation of a trace that is compared, wrong, one at a time."""
    for number, step in enumerate(trace["steps"]):
        for place, change in _changes(trace, number, step):
            other = {**trace, "steps": list(trace["steps"])}
            other["steps"][number] = copy.deepcopy(step)
            change(other["steps"][number])
            yield f"{number}: {place}", other


def _changes(trace, number, step):
    output = step["output"]
    if trace["kind"] == "network":
        match output["tag"]:
            case "VoteOutput" | "ProposalOutput":
                yield "message", lambda one: one["output"]["value"].update(round=99)
                yield "silence", lambda one: one.update(output={"tag": "NoConsensusOutput"})
            case "DecidedOutput":
                yield "decision", lambda one: one["output"]["value"].__setitem__(1, "another")
            case _:
                pass
        yield "chain", lambda one: one["chain"].append("another")
        if _is_comparable(trace["steps"], number):
            yield "locked", lambda one: one["state"].update(lockedValue="another")
            yield "valid", lambda one: one["state"].update(validRound=99)
            yield "round", lambda one: one["state"].update(round=99)
    elif number:  # The first step has no input.
        yield "output", lambda one: one.update(output={"tag": "SkipVKOutput", "value": 99})
        if trace["kind"] == "statemachine" and step["state"]["step"] != "Unstarted":
            yield "locked", lambda one: one["state"].update(lockedRound=99)


def _is_comparable(steps, number):
    later = [one for one in steps[number + 1 :] if one["validator"] == steps[number]["validator"]]
    return not steps[number]["pending"] and (not later or later[0]["input"]["tag"] not in INTERNAL)


def test_a_changed_expectation_is_found_in_whatever_file(traces):
    """A copy with one wrong expectation fails: of each file, one of each kind of expectation."""
    missed, seen = [], set()
    for at, (name, trace) in enumerate(traces.items()):
        by_kind: dict[str, list[dict[str, Any]]] = {}
        for place, other in mutated(trace):
            by_kind.setdefault(place.partition(": ")[2], []).append(other)
        for kind, others in by_kind.items():
            seen.add((trace["kind"], kind))
            if not _is_noticed(others[at % len(others)]):
                missed.append((name, kind))
    assert missed == []
    assert len(seen) >= 10 or len(traces) < 27


@pytest.mark.slow
def test_a_changed_expectation_is_found_at_whatever_step(traces):
    """As above, but every step of every file."""
    assert [
        (name, place)
        for name, trace in traces.items()
        for place, other in mutated(trace)
        if not _is_noticed(other)
    ] == []


def _is_noticed(trace: dict[str, Any]) -> bool:
    try:
        return bool(compare(trace).differences)
    except (AssertionError, KeyError):  # What cannot even be replayed is noticed, too.
        return True


def test_a_file_of_an_unknown_kind_is_never_passed_over(tmp_path, traces):
    name, trace = next(iter(traces.items()))
    folder = tmp_path / "deeper" / "still"
    folder.mkdir(parents=True)
    (folder / name).write_text(json.dumps(trace), "utf-8")
    assert len(compare_folder(tmp_path)) == 1
    (folder / "more.json").write_text(json.dumps({**trace, "kind": "another"}), "utf-8")
    with pytest.raises(AssertionError, match="no rule of replay"):
        compare_folder(tmp_path)


def test_a_deviation_outside_its_rule_is_a_difference(traces):
    """The late start must be late: without the preload nothing excuses another round."""
    late = {
        name: trace
        for name, trace in traces.items()
        if trace["trace"] in DEVIATIONS and trace["trace"].startswith("newheightlogic")
    }
    for trace in late.values():
        _, number = DEVIATIONS[trace["trace"]][0]
        assert isinstance(number, int)
        for field, value in (("lockedValue", "b"), ("height", 7), ("round", -2)):
            other = copy.deepcopy(trace)
            other["steps"][number]["state"][field] = value
            assert _is_noticed(other), (trace["trace"], field)


@pytest.mark.slow
def test_other_files_named_by_the_environment_are_read_and_their_faults_found(
    tmp_path, vectors_folder
):
    """The whole way: a copy elsewhere, one expectation changed in each topic, pytest run on it."""
    for topic in ("consensus", "lightclient"):
        if not (vectors_folder / topic).is_dir():
            pytest.skip(f"no folder {topic} among the vectors")
        shutil.copytree(vectors_folder / topic, tmp_path / topic)
    assert _outcome_of(tmp_path) == 0
    _change_one(tmp_path / "consensus", lambda trace: trace["steps"][-1]["chain"].append("lie"))
    assert _outcome_of(tmp_path) == 1
    shutil.copytree(vectors_folder / "consensus", tmp_path / "consensus", dirs_exist_ok=True)
    _change_one(tmp_path / "lightclient", lambda case: case["steps"][-1].update(verdict="SUCCESS"))
    assert _outcome_of(tmp_path) == 1


def _change_one(topic: Path, change) -> None:
    for path in sorted(topic.glob("*.json")):
        content = json.loads(path.read_text("utf-8"))
        if content.get("kind") == "network" or _ends_in_a_refusal_by_rule(content):
            change(content)
            path.chmod(0o600)
            path.write_text(json.dumps(content), "utf-8")
            return
    raise AssertionError("no file to change")


def _ends_in_a_refusal_by_rule(case: dict[str, Any]) -> bool:
    """Whether a light-client case ends INVALID though our format has all its sets."""
    steps = case["steps"]
    names = ("validators", "next_validators")
    sets = [step.get("block", {}).get(name, ()) for step in steps for name in names]
    return steps[-1].get("verdict") == "INVALID" and all(len(one) in range(1, 65) for one in sets)


def _outcome_of(folder: Path) -> int:
    tests = ["tests/consensus/test_traces.py", "tests/ledger/test_published_light_client.py"]
    chosen = ["-m", "not slow", "-k", "not changed_expectation"]
    command = [sys.executable, "-m", "pytest", "-q", "-x", *chosen, *tests]
    environment = {**os.environ, "CIVREG_VECTORS": str(folder), "PYTEST_ADDOPTS": ""}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    return done.returncode
