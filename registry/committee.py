"""The validator sets of the heights to come, and the changes that entries make to them.

The state holds the set of the next height and those already decided for later ones. A change counts
from a height on, two after its entry at the earliest: it is done to the set in force there and to
every set that was decided for later. No change may leave a set in which no network could be.

Source: the design's consensus.md, section Rules, Membership; docs/protocol.md, Membership.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeAlias

from keys.signing import PublicKey
from ledger.canonical import Value
from ledger.errors import InvalidDataError
from ledger.genesis import VALIDATORS_MIN
from ledger.ids import AgencyId
from ledger.validators import Validator, ValidatorSet, validator_set
from registry import parameters
from registry.authority_errors import CommitteeError, GovernanceConflictError
from registry.rows import ValidatorsRow
from registry.running import Run
from registry.state import State
from registry.state_key_names import VALIDATORS

IN_FORCE_AFTER_HEIGHTS: Final = 2
"""What an entry of height h changes, counts from h + 2 on: header h + 1 names that set."""
PENDING_MAX: Final = 64
"""Sets that may be decided ahead of time."""
Members: TypeAlias = dict[AgencyId, Validator]


def validator_set_at(state: State, height: int) -> ValidatorSet:
    """Return the validators that decide a height.

    Args:
        state: After any height from `height - 2` to `height`.
        height: From 1.
    """
    found = [value for from_height, value in _sets(state) if from_height <= height]
    return ValidatorSet.from_value(found[-1])


def last_set(state: State) -> ValidatorSet:
    """Return the set that is decided for the farthest future."""
    return ValidatorSet.from_value(_sets(state)[-1][1])


def change_sets(run: Run, from_height: int, change: Callable[[Members], None]) -> None:
    """Change the set of a height, and all sets that were decided for later ones.

    Args:
        run: The entry that does it.
        from_height: At least two after the entry's.
        change: Changes the members by agency.

    Raises:
        CommitteeError: One of these sets would have too few members.
        GovernanceConflictError: One would be no set, or too many are decided ahead of time.
    """
    assert from_height >= run.block.height + IN_FORCE_AFTER_HEIGHTS, "nodes know sets beforehand"
    sets = [(first, ValidatorSet.from_value(value)) for first, value in _sets(run.state)]
    before = [one for one in sets if one[0] <= from_height]
    after = [one for one in sets if one[0] > from_height]
    changed = [(from_height, _changed(run, before[-1][1], change))]
    changed += [(first, _changed(run, one, change)) for first, one in after]
    kept = [one for one in before if one[0] < from_height]
    present = [one for one in kept if one[0] <= run.block.height][-1:]
    ahead = [one for one in kept if one[0] > run.block.height]
    found = _without_repetition([*present, *ahead, *changed])
    if len(found) > PENDING_MAX:
        raise GovernanceConflictError("too many sets of validators are decided ahead of time")
    values = tuple([(first, one.to_value()) for first, one in found])
    run.state.write(VALIDATORS, ValidatorsRow(values))


def put(agency: AgencyId, key: PublicKey, weight: int) -> Callable[[Members], None]:
    """Return the change by which a validator comes into the set."""

    def change(members: Members) -> None:
        members[agency] = Validator(agency, key, weight)

    return change


def weigh(agency: AgencyId, weight: int) -> Callable[[Members], None]:
    """Return the change by which a member weighs otherwise, or with 0 leaves the set."""

    def change(members: Members) -> None:
        if agency in members and weight:
            members[agency] = replace(members[agency], weight=weight)
        else:
            members.pop(agency, None)

    return change


def rekey(agency: AgencyId, key: PublicKey) -> Callable[[Members], None]:
    """Return the change by which a member votes with another key."""

    def change(members: Members) -> None:
        if agency in members:
            members[agency] = replace(members[agency], key=key)

    return change


def _sets(state: State) -> tuple[tuple[int, Value], ...]:
    row = state.read(VALIDATORS, ValidatorsRow)
    assert row is not None, "genesis wrote it"
    return row.sets


def _changed(run: Run, before: ValidatorSet, change: Callable[[Members], None]) -> ValidatorSet:
    members = {one.agency_id: one for one in before.validators}
    change(members)
    least = 1 if parameters.is_development(run.state) else VALIDATORS_MIN
    if len(members) < least:
        raise CommitteeError(
            f"{len(members)} validators would be left; a network needs {least}",
            validators=len(members),
            minimum=least,
        )
    try:
        return validator_set(tuple(members.values()))
    except InvalidDataError as error:
        raise GovernanceConflictError(f"this would be no set of validators: {error}") from error


def _without_repetition(sets: list[tuple[int, ValidatorSet]]) -> list[tuple[int, ValidatorSet]]:
    found: list[tuple[int, ValidatorSet]] = []
    for one in sets:
        if not found or found[-1][1] != one[1]:
            found.append(one)
    return found
