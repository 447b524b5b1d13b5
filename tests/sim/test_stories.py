"""Sets that change: each kind of change alone and in calm, and the bound that plans must keep."""

import random

import pytest

from tests.sim.committees import Change, bears, possible_sets
from tests.sim.governance import Story, draw_story
from tests.sim.nemesis import Plan
from tests.sim.simulation import Simulation

pytestmark = pytest.mark.sim
JOINER = 4
ADMIT = Change(0, "admit", JOINER, 2)


def live(*changes, in_order=True):
    """Run a story without faults; return the simulation."""
    story = Story(changes, in_order=in_order)
    simulation = Simulation(3, Plan(4, (), (), (), 1_000, (), story))
    simulation.run()
    return simulation


def weights(simulation):
    """What each member weighs in the newest set."""
    return {one.member: one.weight for one in simulation.checks.committees.newest.seats}


def tagless():
    """A founder that may be removed: its agency makes no tags."""
    from tests.sim.town import member_name  # noqa: PLC0415

    return next(one for one in range(JOINER) if member_name(JOINER, one) == "land")


@pytest.mark.parametrize(
    ("changes", "after"),
    [
        ((ADMIT,), {0: 1, 1: 1, 2: 1, 3: 1, 4: 2}),
        ((Change(0, "weigh", 1, 3),), {0: 1, 1: 3, 2: 1, 3: 1}),
        ((Change(0, "weigh", 1, 3, 7),), {0: 1, 1: 3, 2: 1, 3: 1}),
        ((Change(0, "rotate", 1),), {0: 1, 1: 1, 2: 1, 3: 1}),
        ((ADMIT, Change(1, "rotate", JOINER)), {0: 1, 1: 1, 2: 1, 3: 1, 4: 2}),
        ((ADMIT, Change(1, "remove", JOINER)), {0: 1, 1: 1, 2: 1, 3: 1}),
    ],
    ids=["admit", "weigh", "weigh at a height", "rotate", "rotate a joiner", "remove a joiner"],
)
def test_each_change_comes_into_force_in_calm(changes, after):
    assert weights(live(*changes)) == after


def test_a_removed_founder_stops_and_the_others_go_on():
    simulation = live(Change(0, "remove", tagless()))
    checks = simulation.checks
    assert tagless() not in weights(simulation)
    last = checks.witness.voted_at[simulation.town.public(tagless()).public]
    assert last < checks.committees.since <= len(checks.decided)


def test_who_left_comes_back_when_it_has_a_weight_again_and_is_ready():
    member = tagless()
    simulation = live(Change(0, "weigh", member, 0), Change(1, "weigh", member, 2))
    assert weights(simulation)[member] == 2
    assert simulation.faults["declared ready"] >= 1


def test_a_plan_in_which_liars_may_weigh_a_third_is_refused():
    story = Story((Change(0, "weigh", 0, 2),))
    with pytest.raises(AssertionError, match="a third or more"):
        Plan(4, (0,), (), (), 1_000, (), story)
    Plan(4, (1,), (), (), 1_000, (), story)


def test_all_orders_of_a_story_without_order_are_looked_at():
    story = (Change(0, "remove", 0), Change(1, "admit", JOINER, 1))
    founders = dict.fromkeys(range(4), 1)
    liar = (1,)
    assert not bears(possible_sets(founders, story, in_order=False), liar)
    assert bears(possible_sets(founders, reversed(story), in_order=True), liar)


def test_every_drawn_story_keeps_the_bound_and_all_kinds_are_drawn():
    kinds = set()
    for seed in range(2_000):
        story = draw_story(random.Random(seed), 4, ((seed % 4,), (JOINER,)))
        assert story.bears(4, (seed % 4,))
        assert story.bears(4, (JOINER,))
        kinds |= {(one.kind, bool(one.weight)) for one in story.changes}
    assert kinds == {
        ("admit", True), ("weigh", True), ("weigh", False), ("remove", False), ("rotate", False),
    }  # fmt: skip
