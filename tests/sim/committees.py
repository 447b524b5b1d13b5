"""Which validators decide which height, as the checks believe: the naive twin of the registry.

It reads nothing of any node's state. A block is told to it entry by entry as what the entry is
(`Act`), and it counts votes, weights and heights by itself. Every set that comes into force is
asked whether the faulty ones in it are fewer than a third of its weight: a simulation in which they
are not proves nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from keys.hashing import Digest
from keys.signing import PublicKey
from ledger.ids import AgencyId
from ledger.validators import Validator, validator_set

AFTER_HEIGHTS = 2
"""What an entry of height h changes, counts from h + 2 on."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that members decide, or that one of them does, about who validates.

    Attributes:
        stage: Its place in the story; tells changes of one kind apart.
        kind: "admit", "weigh" (0 takes it out of the set), "remove" or "rotate".
        member: Whom it is about.
        weight: Afterwards, of who is admitted or weighed.
        from_height: Named by the ballot; 0 where it names none.
    """

    stage: int
    kind: str
    member: int
    weight: int = 0
    from_height: int = 0


@dataclass(frozen=True, slots=True)
class Act:
    """What a governance entry is.

    Attributes:
        kind: "yes" (opening a ballot is the first yes), "ready" or "rotate".
        member: Whose act.
        change: What is voted on or done; None for "ready".
    """

    kind: str
    member: int
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Seat:
    """A place in a set."""

    member: int
    agency: AgencyId
    public: PublicKey
    weight: int


@dataclass(frozen=True)
class Committee:
    """The set of a height; `seats` ascend by agency id."""

    seats: tuple[Seat, ...]

    @cached_property
    def total(self) -> int:
        """The weight of all."""
        return sum(one.weight for one in self.seats)

    @cached_property
    def indices(self) -> dict[int, int]:
        """Places by member."""
        return {one.member: index for index, one in enumerate(self.seats)}

    @cached_property
    def weights(self) -> dict[bytes, int]:
        """Weights by the bytes of the key."""
        return {one.public.public: one.weight for one in self.seats}

    @cached_property
    def digest(self) -> Digest:
        """What headers name the set by."""
        seats = [Validator(one.agency, one.public, one.weight) for one in self.seats]
        return validator_set(tuple(seats)).digest

    def is_quorum(self, publics: Iterable[bytes]) -> bool:
        """Tell whether the holders of these keys are more than two thirds of the weight."""
        return 3 * sum(self.weights.get(one, 0) for one in publics) > 2 * self.total

    def is_quorum_of(self, members: Iterable[int]) -> bool:
        """Tell whether members are more than two thirds of the weight."""
        weight = sum(one.weight for one in self.seats if one.member in members)
        return 3 * weight > 2 * self.total

    def bears(self, members: Iterable[int]) -> bool:
        """Tell whether members are less than a third of the weight."""
        wrong = sum(one.weight for one in self.seats if one.member in members)
        return 3 * wrong < self.total

    def proposer(self, height: int, round_number: int) -> int:
        """Return the place of whose turn it is."""
        return (height + round_number) % len(self.seats)

    def changed(self, member: int, seat: Seat | None) -> "Committee":
        """Return the set with another seat of a member, or without it."""
        seats = [one for one in self.seats if one.member != member]
        seats += [] if seat is None else [seat]
        return Committee(tuple(sorted(seats, key=lambda one: one.agency)))


class Committees:
    """The sets of all heights up to two above the newest decided one.

    Args:
        founders: The set of genesis.
        publics: The key that a member has, and the one that it changes to.
        agencies: By member.
        on_set: Told each set that comes into force.
    """

    def __init__(
        self,
        founders: Committee,
        publics: Callable[[int, bool], PublicKey],
        agencies: tuple[AgencyId, ...],
        on_set: Callable[[int, Committee], None] = lambda _height, _set: None,
    ) -> None:
        self._sets = [founders] * AFTER_HEIGHTS
        self._publics = publics
        self._agencies = agencies
        self._on_set = on_set
        self._weights: dict[int, int] = {one.member: one.weight for one in founders.seats}
        self._has_rotated: set[int] = set()
        self._yes: dict[Change, set[int]] = {}
        self._since = 1
        self._pending: dict[int, list[Change | int]] = {}
        self.passed: dict[Change, int] = {}

    @property
    def height(self) -> int:
        """The newest height that was decided."""
        return len(self._sets) - AFTER_HEIGHTS

    @property
    def since(self) -> int:
        """The height from which on the newest set is the same."""
        return self._since

    @property
    def newest(self) -> Committee:
        """The set that is known for the highest height."""
        return self._sets[-1]

    def at(self, height: int) -> Committee:
        """Return the set of a height; beyond what is known, the newest."""
        return self._sets[min(max(height, 1), len(self._sets)) - 1]

    def public_of(self, member: int) -> PublicKey:
        """Return the key that the state has of a member now."""
        return self._publics(member, member in self._has_rotated)

    def is_open(self, change: Change) -> bool:
        """Tell whether a change was not yet agreed on."""
        return change not in self.passed

    def is_settled(self, change: Change) -> bool:
        """Tell whether a change counts in the newest set, and nobody is waited for."""
        if change not in self.passed or self.passed[change] > len(self._sets):
            return False
        return not self._is_awaited(change.member)

    def _is_awaited(self, member: int) -> bool:
        """Tell whether a member has a weight and is not in the set: it is not ready yet."""
        return self._weights.get(member, 0) > 0 and member not in self.newest.indices

    def executed(self, height: int, acts: Iterable[Act]) -> None:
        """Learn what the entries of the next block are, in their order."""
        assert height == self.height + 1, "blocks are told in order, once"
        for act in acts:
            self._do(height, act)
        new = self.newest
        for one in self._pending.pop(height + AFTER_HEIGHTS, ()):
            new = self._after(new, one)
        self._sets.append(new)
        if new is not self._sets[-2]:
            self._since = len(self._sets)
            self._on_set(len(self._sets), new)

    def _do(self, height: int, act: Act) -> None:
        at = height + AFTER_HEIGHTS
        if act.kind == "ready":
            self._pending.setdefault(at, []).append(act.member)
            return
        change = act.change
        assert change is not None, "only readiness is about no change"
        if act.kind == "yes":
            yes = self._yes.setdefault(change, set())
            yes.add(act.member)
            if not self.at(height).is_quorum_of(yes):
                return
            at = max(at, change.from_height)
        self.passed[change] = at
        if change.kind == "rotate":
            self._has_rotated.add(change.member)
        else:
            self._weights[change.member] = change.weight
        self._pending.setdefault(at, []).append(change)

    def _after(self, before: Committee, change: Change | int) -> Committee:
        """Return the set after a change, or after a member is ready."""
        if isinstance(change, int):
            agency, weight = self._agencies[change], self._weights[change]
            return before.changed(change, Seat(change, agency, self.public_of(change), weight))
        index = before.indices.get(change.member)
        if index is None:
            return before
        seat = before.seats[index]
        if change.kind == "rotate":
            seat = replace(seat, public=self._publics(change.member, True))  # noqa: FBT003
            return before.changed(change.member, seat)
        return before.changed(
            change.member, replace(seat, weight=change.weight) if change.weight else None
        )


def possible_sets(
    founders: Mapping[int, int], story: Iterable[Change], *, in_order: bool
) -> list[dict[int, int]]:
    """Return every set, as weights by member, that a story may bring into force.

    Args:
        founders: The set of genesis.
        story: What will be decided.
        in_order: Whether a change begins only when the one before it counts. If not, any of them
            may come first, and each is about somebody else.
    """
    found = [dict(founders)]
    for change in story:
        if change.kind == "rotate":
            continue
        before = found[-1:] if in_order else list(found)
        for weights in before:
            after = {**weights, change.member: change.weight}
            found.append({member: weight for member, weight in after.items() if weight})
            if change.weight and change.member not in weights:
                found.append(dict(weights))  # agreed on, and not ready yet
                found[-1], found[-2] = found[-2], found[-1]
    return found


def bears(sets: Iterable[Mapping[int, int]], members: Iterable[int]) -> bool:
    """Tell whether members are less than a third of the weight of each of these sets."""
    wrong = set(members)
    return all(
        weights
        and 3 * sum(weight for one, weight in weights.items() if one in wrong)
        < sum(weights.values())
        for weights in sets
    )
