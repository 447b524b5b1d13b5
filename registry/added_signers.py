"""Who must sign beside the policy's terms, because of what this act is: very late, or weighty.

A late act may need one more signer from some day on. A change of certain fields, such as a date of
birth, needs one too: of member fields the ledger sees the change itself; of sealed ones the
custodian does, and the ledger takes the signer where the entry names one.

Source: records.md, sections 3, 6.1 and 9.
"""

from collections.abc import Mapping
from functools import lru_cache

from ledger.canonical import Value
from registry.policies import Policy, compile_policy
from registry.running import Run
from registry.schema import Operation, Senior


def policy_of(run: Run) -> Policy:
    """Return the policy of an entry: the operation's, with the signers that this act adds."""
    operation = run.operation
    policy, late, days = operation.signers, operation.late, run.is_late_by
    if late is not None and days is not None and late.adds_signer is not None:
        assert late.after_days is not None, "the loader wants both or none"
        if days > late.after_days:
            policy = _joined(policy.text, late.adds_signer.text)
    senior = operation.senior
    if senior is None:
        return policy
    before = None if run.subject.before is None else run.subject.before.member
    labels = {signer.term for signer in run.head.signers}
    if labels & senior.adds_signer.labels or changes_weighty(
        operation, before, run.subject.part.member
    ):
        return _joined(policy.text, senior.adds_signer.text)
    return policy


def changes_weighty(
    operation: Operation, before: Mapping[str, Value] | None, after: Mapping[str, Value]
) -> bool:
    """Tell whether a member field changes for which one more signer is needed."""
    if operation.senior is None or before is None:
        return False
    return any(before.get(name) != after.get(name) for name in operation.senior.fields)


def weighty_changes(
    senior: Senior, before: Mapping[str, Value], after: Mapping[str, Value]
) -> list[str]:
    """Return the paths of sealed fields that change and for which one more signer is needed."""
    paths = sorted(before.keys() | after.keys())
    weighty = [path for path in paths if path.partition(".")[0] in senior.sealed]
    return [path for path in weighty if before.get(path) != after.get(path)]


@lru_cache(maxsize=256)
def _joined(first: str, second: str) -> Policy:
    return compile_policy(f"({first}) and ({second})")
