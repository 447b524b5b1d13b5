"""How often an agency may change a key of its node.

Each new consensus key makes a validator set, and a trust bundle holds all sets since genesis: an
agency that changed its key in every block would make the bundle longer than anybody reads it. A key
that leaked is changed at once all the same, and so is the wrong one that was put in its place.

A consensus key that replaces itself counts apart from the changes by governors, and does so once:
otherwise a thief of the key could use up the changes with which the governors get rid of him.

Source: decision 0011.
"""

from typing import Final

from keys.signing import Purpose
from ledger.ids import AgencyId
from registry import parameters
from registry.authority_errors import KeyChangedTooOftenError
from registry.authority_rows import KeyChangesRow
from registry.civil_calendar import add_days, days_between
from registry.running import Run
from registry.state_key_names import key_changes_key

BY_ITSELF_MAX: Final = 1
"""How often in `key_change_days` a key may be replaced without the governors."""


def count_key_change(run: Run, agency: AgencyId, purpose: Purpose, *, by_governors: bool) -> None:
    """Note one more change of a key, and forget those that count no more.

    Raises:
        KeyChangedTooOftenError: It was changed as often as it may be in `key_change_days`: by
            governors `key_changes` times, by itself once.
    """
    height = run.block.height
    most = parameters.number(run.state, "key_changes", height) if by_governors else BY_ITSELF_MAX
    days = parameters.number(run.state, "key_change_days", height)
    key = key_changes_key(agency, purpose, by_governors=by_governors)
    row = run.state.read(key, KeyChangesRow) or KeyChangesRow(())
    recent = tuple([date for date in row.dates if days_between(date, run.day) < days])
    if len(recent) >= most:
        raise KeyChangedTooOftenError(
            f"the {purpose} key was changed {len(recent)} times within {days} days",
            purpose=purpose.value,
            count=len(recent),
            days=days,
            from_date=add_days(recent[-most], days),
        )
    run.state.write(key, KeyChangesRow((*recent, run.day)))
