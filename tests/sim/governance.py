"""The story of a run: who is admitted, weighed, removed, who changes its key; and its entries.

Stories are drawn by the seed. All entries are real governance entries and go through the production
registry; each stands for an `Act`, by which the model in `committees` follows. Agencies vote yes on
everything; a Byzantine validator's agency is honest, it is its node that lies. What an admitted
validator says of itself (`validator/ready`) its own node makes, see `machine`.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from ledger import genesis
from ledger.entries import Entry, ObjectPart
from ledger.membership import print_application, sign_application
from node.submissions import Submission
from tests.registry.town import Hand, by, founding_part, identifier, key
from tests.sim.committees import Act, Change, bears, possible_sets
from tests.sim.town import InventedKey, consensus_public, member_name, new_town

CHANGES_MAX = 3
MANY = 7
"""Founders with whom a story is shorter, because each height costs so much more."""
STORY_SHARE = 0.3
"""Of runs in which the set changes."""
ADMIT_SHARE = 0.4
WEIGHTS = (1, 1, 2, 3)
NAMED_HEIGHTS = (0, 0, 4, 7)
OPENER = "justice"
"""Opens all ballots, so it always stays in the set."""
TAGGING = ("justice", "police")
"""Agencies that the network cannot do without: they make the tags."""


@dataclass(frozen=True, slots=True)
class Story:
    """What happens to the sets of a run.

    Attributes:
        changes: In the order in which they were drawn.
        in_order: Whether one begins only when the one before it counts; else all at any time.
    """

    changes: tuple[Change, ...] = ()
    in_order: bool = True

    @property
    def has_joiner(self) -> bool:
        """Whether a member is admitted."""
        return any(one.kind == "admit" for one in self.changes)

    @property
    def rotating(self) -> frozenset[int]:
        """Members that change their keys."""
        return frozenset(one.member for one in self.changes if one.kind == "rotate")

    def bears(self, founders: int, members: tuple[int, ...]) -> bool:
        """Tell whether members are less than a third of the weight, whatever comes first."""
        weights = dict.fromkeys(range(founders), 1)
        return bears(possible_sets(weights, self.changes, in_order=self.in_order), members)


def draw_story(dice: random.Random, founders: int, faulty: tuple[tuple[int, ...], ...]) -> Story:
    """Draw a story that leaves each of some groups of members below a third in every set.

    Args:
        dice: The simulation's.
        founders: How many validators genesis has; the next number is who may be admitted.
        faulty: Groups of members.
    """
    if dice.random() >= STORY_SHARE:
        return Story()
    story = Story(in_order=dice.random() < 0.6)
    weights = dict.fromkeys(range(founders), 1)
    gone: set[int] = set()
    for stage in range(dice.randrange(1, CHANGES_MAX + (founders < MANY))):
        change = _draw_change(dice, founders, weights, stage)
        touched = {one.member for one in story.changes}
        twice = {one.member for one in story.changes if one.kind == change.kind == "rotate"}
        is_free = story.in_order or change.member not in touched
        longer = replace(story, changes=(*story.changes, change))
        if not is_free or change.member in gone | twice:
            continue
        if all(longer.bears(founders, group) for group in faulty):
            story = longer
            if change.kind == "remove":
                gone.add(change.member)
            if change.kind != "rotate":
                weights[change.member] = change.weight
    return story


def _draw_change(
    dice: random.Random, founders: int, weights: Mapping[int, int], stage: int
) -> Change:
    """Draw a change that could be decided where members have these weights."""
    joiner = founders
    if joiner not in weights and dice.random() < ADMIT_SHARE:
        return Change(stage, "admit", joiner, dice.choice(WEIGHTS[:3]))
    member = dice.choice(sorted(weights))
    kind = dice.choice(("weigh", "leave", "remove", "rotate", "rotate"))
    name = member_name(founders, member)
    if not weights[member]:
        return Change(stage, "weigh", member, dice.choice(WEIGHTS))
    if kind == "rotate":
        return Change(stage, "rotate", member)
    if kind == "remove" and name not in TAGGING:
        return Change(stage, "remove", member)
    named = dice.choice(NAMED_HEIGHTS)
    if kind == "leave" and name != OPENER:
        return Change(stage, "weigh", member, 0, named)
    others = [one for one in WEIGHTS if one != weights[member]]
    return Change(stage, "weigh", member, dice.choice(others), named)


# --- entries --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Prepared:
    """An entry that may be submitted."""

    submission: Submission
    digest: bytes
    act: Act


@cache
def entries_of(founders: int, change: Change) -> tuple[Prepared, ...]:
    """Return the entries that bring a change about; the first one opens the ballot, if any."""
    town = new_town(founders)
    name = member_name(founders, change.member)
    if change.kind == "rotate":
        return (_prepared(_rotation(town, name, change), Act("rotate", change.member, change)),)
    names = [member_name(founders, member) for member in range(founders + 1)]
    opened = _opening(town, name, change)
    found = [_prepared(opened, Act("yes", names.index(OPENER), change))]
    for member, voter in enumerate(names):
        if voter != OPENER:
            item = ObjectPart("vote", {"ballot": opened.created_record_id, "yes": True})
            act = _act_id(change, "vote", voter)
            given: dict[str, Any] = {"objects": [item], "office": None, "act": act}
            entry = town.entry("ballot/vote", _governors(voter), **given)
            found.append(_prepared(entry, Act("yes", member, change)))
    return tuple(found)


def _prepared(entry: Entry, act: Act) -> Prepared:
    return Prepared(Submission(entry.raw, ()), bytes(entry.entry_digest), act)


def _governors(name: str) -> list[Hand]:
    return [by("agency", name, "govern", number) for number in range(2)]


def _act_id(change: Change, *names: object) -> Any:
    return identifier("act", change, *names)


def _opening(town: Any, name: str, change: Change) -> Entry:
    agency = identifier("agency", name)
    action, fields = change.kind, {"agency": agency}
    if change.kind == "admit":
        fields = {"name": name, "kind": "bank", "weight": change.weight}
        fields["application"] = application(town.network_id, name)
    elif change.kind == "weigh":
        action, fields = "validator", {**fields, "weight": change.weight}
        if change.from_height:
            fields["height"] = change.from_height
    item = ObjectPart("ballot", {"action": action, "fields": fields})
    given: dict[str, Any] = {"objects": [item], "office": None, "act": _act_id(change, "open")}
    entry: Entry = town.entry("ballot/open", _governors(OPENER), **given)
    return entry


def application(network_id: bytes, name: str) -> bytes:
    """Return what an agency that wants to join says of itself, signed by its governors."""
    part = founding_part(name)
    part = replace(part, keys={**part.keys, "consensus": consensus_public(name)})
    raw = genesis.print_part(part)
    hands = [key(name, "govern", number) for number in range(2)]
    return print_application(raw, [sign_application(network_id, raw, one) for one in hands])


def _rotation(town: Any, name: str, change: Change) -> Entry:
    """The entry by which governors give their validator another consensus key; it signs, too."""
    fresh: Any = InventedKey(consensus_public(f"{name} next"))
    public = {"algorithm": int(fresh.public.algorithm), "public": fresh.public.public}
    item = ObjectPart("key", {"purpose": "consensus", **public})
    hands = [*_governors(name), Hand("new_key", (fresh,))]
    given: dict[str, Any] = {"objects": [item], "office": None, "act": _act_id(change, "rotate")}
    entry: Entry = town.entry("agency/change_key", hands, **given)
    return entry
