"""Trying an entry on the state that a node tells, with the validators' own rules; nothing is sent.

The signatures that are missing are taken as given: who must sign is checked, that they did is not.
"""

from cli.client import Call
from cli.network_view import NetworkView
from ledger.outcomes import Outcome
from ledger.parts import CustodySigner
from registry.apply import BlockContext, VerifiedEntry, apply
from registry.claims import tag_checks
from registry.drafts import Draft

_PLACEHOLDER = bytes(64)


def try_entry(view: NetworkView, draft: Draft) -> Outcome:
    """Return what an entry would do, were all its signatures there.

    Raises:
        RuleError: Why the ledger would refuse it.
        NoNetworkError: No node answers.
    """
    slots: list[bytes | tuple[bytes, ...]] = []
    for signer in draft.entry.head.signers:
        if isinstance(signer, CustodySigner):
            slots.append(tuple([_PLACEHOLDER for _ in signer.officers]))
        else:
            slots.append(_PLACEHOLDER)
    entry = draft.entry.signed(slots)
    status = view.ask_any(Call(address="", path="/v1/status")).json
    block = BlockContext(
        height=int(status["height"]) + 1,
        index=0,
        time_ms=max(view.now_ms, int(status["time_ms"]) + 1),
        network_id=view.genesis.network_id,
    )
    state = view.state.fork()
    tag_keys = tuple([check[0] for check in tag_checks(state, entry)])
    return apply(state, VerifiedEntry(entry, tag_keys), block)
