"""How often an agency may change a key of its node.

Each new consensus key makes a validator set, and a trust bundle holds all sets since genesis: an
agency that changed its key in every block would make the bundle longer than anybody reads it. A key
that leaked is changed at once all the same, and so is the wrong one that was put in its place.

Source: decision 0011.
"""

from keys.signing import Purpose
from ledger.ids import AgencyId
from registry import parameters
from registry.authority_errors import KeyChangedTooOftenError
from registry.authority_rows import KeyChangesRow
from registry.civil_calendar import add_days, days_between
from registry.running import Run
from registry.state_key_names import key_changes_key


def count_key_change(run: Run, agency: AgencyId, purpose: Purpose) -> None:
    """Note one more change of a key, and forget those that count no more.

    Raises:
        KeyChangedTooOftenError: It was changed `key_changes` times in the last `key_change_days`.
    """
    height = run.block.height
    most = parameters.number(run.state, "key_changes", height)
    days = parameters.number(run.state, "key_change_days", height)
    key = key_changes_key(agency, purpose)
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
