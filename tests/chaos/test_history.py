"""The checker of histories takes what a register does, refuses the rest, and has a naive twin."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.chaos.history import (
    FOREVER_NS,
    HistoryViolationError,
    Kind,
    Operation,
    Outcome,
    Step,
    check_history,
    check_order,
    check_record,
    is_answered_read,
    node_steps,
    parse_history,
    print_history,
    write_steps,
)

NODES = 3
RECORD = "record"


def operation(kind, value, node, times, outcome=Outcome.OK):
    return Operation(
        client="client",
        record=RECORD,
        kind=kind,
        value=value,
        node=node,
        invoked_ns=times[0],
        returned_ns=times[1],
        outcome=outcome,
    )


def write(value, times, node=0, outcome=Outcome.OK):
    return operation(Kind.WRITE, value, node, times, outcome)


def read(value, times, node=0):
    return operation(Kind.READ, value, node, times)


def rule_of(history, order):
    with pytest.raises(HistoryViolationError) as caught:
        check_record(history, order)
    return caught.value.rule


# --- the naive twin: every order of the steps is tried --------------------------------------------


def is_linearizable(steps, now=0):
    """Whether one of the steps may come first and the rest after it."""
    return not steps or any(
        all(step.invoked_ns <= other.returned_ns for other in steps)
        and step.place == now + step.is_write
        and is_linearizable([*steps[:at], *steps[at + 1 :]], now + step.is_write)
        for at, step in enumerate(steps)
    )


@st.composite
def small_steps(draw):
    """A few writes and reads of one register, right or wrong."""
    writes = draw(st.integers(0, 3))
    places = [(number, True) for number in range(1, writes + 1)]
    places += [(draw(st.integers(0, writes)), False) for _ in range(draw(st.integers(0, 3)))]
    steps = []
    for place, is_write in places:
        begin, length = draw(st.integers(0, 8)), draw(st.integers(0, 4) | st.just(FOREVER_NS))
        if not is_write:
            length = min(length, 4)
        steps.append(Step(place, is_write, begin, begin + length))
    return draw(st.permutations(steps))


@given(small_steps())
def test_a_sequence_of_steps_is_taken_exactly_if_some_order_of_them_is_a_registers(steps):
    try:
        check_order(steps)
    except HistoryViolationError:
        assert not is_linearizable(steps)
    else:
        assert is_linearizable(steps)


@given(small_steps(), st.data())
def test_a_whole_record_is_taken_exactly_if_the_naive_twin_takes_every_node(steps, data):
    history = []
    for step in steps:
        times = (step.invoked_ns, step.returned_ns)
        value = f"w{step.place}" if step.place else None
        kind = Kind.WRITE if step.is_write else Kind.READ
        outcome = Outcome.OK if step.returned_ns < FOREVER_NS else Outcome.UNKNOWN
        history.append(operation(kind, value, data.draw(st.integers(0, 1)), times, outcome))
    order = [f"w{number}" for number in range(1, 1 + sum(step.is_write for step in steps))]
    nodes = {one.node for one in history if is_answered_read(one)}
    parts = [write_steps(history, order), *[node_steps(history, order, node) for node in nodes]]
    try:
        check_record(history, order)
    except HistoryViolationError:
        assert not all(map(is_linearizable, parts))
    else:
        assert all(map(is_linearizable, parts))


# --- histories of a chain and nodes that follow it -----------------------------------------------


@st.composite
def true_histories(draw):
    """What clients see of nodes that follow one chain, each as late as it likes."""
    count = draw(st.integers(1, 8))
    moments = sorted(draw(st.sets(st.integers(0, 1_000), min_size=count, max_size=count)))
    order = [f"w{number}" for number in range(1, count + 1)]
    learned = []  # for each node, when it learns of each write
    for _node in range(NODES):
        late, seen = [], 0
        for moment in moments:
            seen = max(seen, moment + draw(st.integers(0, 300)))
            late.append(seen)
        learned.append(late)
    history = []
    for number, value in enumerate(order):
        node = draw(st.integers(0, NODES - 1))
        begun = moments[number] - draw(st.integers(0, 50))
        answered = learned[node][number] + draw(st.integers(0, 50))
        outcome = draw(st.sampled_from([Outcome.OK, Outcome.OK, Outcome.UNKNOWN]))
        history.append(write(value, (begun, answered), node, outcome))
    for number in range(draw(st.integers(0, 4))):
        times = (draw(st.integers(0, 1_000)), 1_000)
        outcome = draw(st.sampled_from([Outcome.FAIL, Outcome.UNKNOWN]))
        history.append(write(f"never {number}", times, 0, outcome))
    for _ in range(draw(st.integers(0, 12))):
        node, moment = draw(st.integers(0, NODES - 1)), draw(st.integers(0, 1_500))
        seen = sum(one <= moment for one in learned[node])
        times = (moment - draw(st.integers(0, 50)), moment + draw(st.integers(0, 50)))
        history.append(read(order[seen - 1] if seen else None, times, node))
    return history, order


@given(true_histories())
def test_what_nodes_show_that_follow_one_chain_is_taken(true_history):
    history, order = true_history
    check_history(history, {RECORD: order})
    again, chain = parse_history(print_history(history, {RECORD: order}))
    assert (again, chain) == (history, {RECORD: order})


def acknowledged(history, order):
    return [one for one in history if one.outcome is Outcome.OK and one.value in order]


@given(true_histories(), st.data())
def test_an_acknowledged_write_that_is_lost_is_found(true_history, data):
    history, order = true_history
    written = [one for one in acknowledged(history, order) if one.kind is Kind.WRITE]
    assume(written)
    gone = data.draw(st.sampled_from(written)).value
    assert rule_of(history, [value for value in order if value != gone]) == "lost"


@given(true_histories(), st.data())
def test_a_write_that_stands_twice_or_that_nobody_made_or_that_was_refused_is_found(
    true_history, data
):
    history, order = true_history
    at = data.draw(st.integers(0, len(order)))
    twice = data.draw(st.sampled_from(order))
    assert rule_of(history, [*order[:at], twice, *order[at:]]) == "twice"
    assert rule_of(history, [*order[:at], "of nobody", *order[at:]]) == "invented"
    refused = write("refused", (0, 2_000), 0, Outcome.FAIL)
    wrong = [*order[:at], "refused", *order[at:]]
    assert rule_of([*history, refused], wrong) == "refused_but_present"
    assert rule_of([*history, read("of nobody", (0, 2_000))], order) == "read_of_nothing"


@given(true_histories(), st.data())
def test_two_writes_one_after_the_other_that_changed_places_are_found(true_history, data):
    history, order = true_history
    pairs = [
        (one, other)
        for one, other in itertools.permutations(acknowledged(history, order), 2)
        if one.kind is other.kind is Kind.WRITE and one.returned_ns < other.invoked_ns
    ]
    assume(pairs)
    one, other = data.draw(st.sampled_from(pairs))
    swap = {one.value: other.value, other.value: one.value}
    assert rule_of(history, [swap.get(value, value) for value in order]) == "order"


@given(true_histories(), st.data())
def test_a_read_of_the_future_or_of_what_its_node_had_left_behind_is_found(true_history, data):
    history, order = true_history
    (newest,) = [one for one in history if one.value == order[-1] and one.kind is Kind.WRITE]
    early = read(order[-1], (newest.invoked_ns - 9, newest.invoked_ns - 1))
    assert rule_of([*history, early], order) == "order"

    node = data.draw(st.integers(0, NODES - 1))
    seen = read(order[-1], (5_000, 5_001), node)
    back = data.draw(st.sampled_from([None, *order[:-1]]))
    check_record([*history, seen, read(back, (6_000, 6_001), NODES + node)], order)
    check_record([*history, seen, read(back, (5_000, 5_001), node + NODES)], order)
    assert rule_of([*history, seen, read(back, (6_000, 6_001), node)], order) == "order"


@given(true_histories(), st.data())
def test_a_node_that_forgets_what_it_has_acknowledged_is_found(true_history, data):
    history, order = true_history
    written = [one for one in acknowledged(history, order) if one.kind is Kind.WRITE]
    assume(written)
    one = data.draw(st.sampled_from(written))
    at = order.index(one.value)
    stale = read(order[at - 1] if at else None, (9_000, 9_001), one.node)
    assert rule_of([*history, stale], order) == "order"
    elsewhere = replace(stale, node=NODES)
    check_record([*history, elsewhere], order)
