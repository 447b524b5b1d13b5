"""Who is whose relative, from the family links of the ledger, within the step limit.

Relatives (HNGĐ 3.19) are spouses, adoptive links, the direct line, and kin within three
generations: people with a common ancestor at most two steps above each of them.

Source: records.md, principle 11; Marriage and Family Law 52/2014/QH13, art. 3.
"""

from typing import Final

from ledger.ids import RecordId
from ledger.limits import ENTRY_STEPS_MAX
from registry.rows import FamilyRow
from registry.state import State
from registry.state_key_names import family_key
from registry.work_limits import check_work

KIN_STEPS_MAX: Final = 2
"""Steps up to a common ancestor, the first generation, within three generations."""


class Steps:
    """How many family links an entry has followed."""

    __slots__ = ("_taken",)

    def __init__(self) -> None:
        self._taken = 0

    def take(self, count: int) -> None:
        """Take some steps.

        Raises:
            TooMuchWorkError: So many are not left.
        """
        self._taken += count
        check_work("family steps", self._taken, ENTRY_STEPS_MAX)


def are_relatives(state: State, first: RecordId, second: RecordId, day: str, steps: Steps) -> bool:
    """Tell whether two people are one, or relatives of each other on a day.

    Args:
        state: Where the family links lie.
        first: One identity.
        second: Another, or the same.
        day: For marriages.
        steps: What the entry may still cost.

    Raises:
        TooMuchWorkError: The links go on beyond the limit.
    """
    if first == second or _are_spouses(state, first, second, day, steps):
        return True
    above_first = _ancestors(state, first, steps)
    above_second = _ancestors(state, second, steps)
    if second in above_first or first in above_second:
        return True
    return any(
        above <= KIN_STEPS_MAX and above_second.get(ancestor, KIN_STEPS_MAX + 1) <= KIN_STEPS_MAX
        for ancestor, above in above_first.items()
    )


def _are_spouses(state: State, first: RecordId, second: RecordId, day: str, steps: Steps) -> bool:
    family = state.read(family_key(first), FamilyRow)
    if family is None:
        return False
    steps.take(len(family.spouses))
    return any(
        spouse == second and (until is None or day < until)
        for spouse, _record, _since, until in family.spouses
    )


def _ancestors(state: State, person: RecordId, steps: Steps) -> dict[RecordId, int]:
    """Return all known ancestors with the fewest steps up to each; nearest first."""
    found: dict[RecordId, int] = {}
    level = [person]
    above = 0
    while level:
        above += 1
        upper: list[RecordId] = []
        for one in level:
            family = state.read(family_key(one), FamilyRow)
            parents = () if family is None else family.parents
            steps.take(len(parents) + 1)
            for parent, _kind, _record in parents:
                if parent not in found:
                    found[parent] = above
                    upper.append(parent)
        level = upper
    return found
