"""Act ids, kept until nobody can replay them any more, and then forgotten.

A side act is fresh by its act id, which the state keeps until `not_after_ms` has passed. The acts
of one hour of `not_after_ms` are a chain: `acts, hour` names the newest, and each ActRow the one
before it. `acts` lists the hours that have a chain. So one more act costs two small rows, however
many there are, and forgetting one costs as little.

An entry forgets a few acts of hours that are over, when all its checks have passed: the first entry
of a block more than the others, each more than it can add. So the state holds no more than the acts
of the coming 30 days and a short rest, no block works without bound, and a block without entries
changes nothing.

Source: formats.md, section 4; docs/records.md, section 2.
"""

from dataclasses import replace
from typing import Final

from registry.object_rows import ActHourRow, ActHoursRow, ActRow
from registry.running import Run
from registry.state import State
from registry.state_key_names import ACT_HOURS, act_hour_key, act_key

HOUR_MS: Final = 3_600_000
FORGOTTEN_FIRST_MAX: Final = 16
"""Acts that the first entry of a block forgets."""
FORGOTTEN_MAX: Final = 2
"""Acts that any other entry forgets."""


def remember_act(run: Run) -> None:
    """Keep the act id of the entry until its `not_after_ms` has passed."""
    state, head = run.state, run.head
    hour = head.not_after_ms // HOUR_MS
    key = act_hour_key(hour)
    newest = state.read(key, ActHourRow)
    if newest is None:
        known = state.read(ACT_HOURS, ActHoursRow) or ActHoursRow(())
        state.write(ACT_HOURS, ActHoursRow(tuple(sorted((*known.hours, hour)))))
    before = None if newest is None else newest.newest
    row = ActRow(run.entry.entry_digest, head.not_after_ms, before)
    state.write(act_key(head.act_id), row)
    state.write(key, ActHourRow(head.act_id))


def forget_acts(run: Run) -> None:
    """Forget some acts of hours that are over, the oldest hour first."""
    state, now = run.state, run.block.time_ms // HOUR_MS
    known = state.read(ACT_HOURS, ActHoursRow)
    if known is None or not known.hours or known.hours[0] >= now:
        return
    left = FORGOTTEN_MAX if run.block.index else FORGOTTEN_FIRST_MAX
    hours = known.hours
    while left and hours and hours[0] < now:
        left -= _forget_some(state, hours[0], left)
        if state.read(act_hour_key(hours[0]), ActHourRow) is None:
            hours = hours[1:]
    if hours != known.hours:
        state.write(ACT_HOURS, replace(known, hours=hours))


def _forget_some(state: State, hour: int, most: int) -> int:
    """Forget up to so many acts of an hour, the newest first; return how many it were."""
    key, forgotten = act_hour_key(hour), 0
    head = state.read(key, ActHourRow)
    act_id = None if head is None else head.newest
    while act_id is not None and forgotten < most:
        row = state.read(act_key(act_id), ActRow)
        state.delete(act_key(act_id))
        act_id, forgotten = None if row is None else row.before, forgotten + 1
    if act_id is None:
        state.delete(key)
    else:
        state.write(key, ActHourRow(act_id))
    return forgotten
