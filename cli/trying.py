"""Trying an entry on the state that a node tells, with the validators' own rules; nothing is sent.

The signatures that are missing are taken as given: who must sign is checked, that they did is not.
"""

from collections.abc import Callable
from typing import Final

from cli.client import Call
from cli.errors import RemoteRefusalError
from cli.network_view import FORBIDDEN, NetworkView
from ledger.canonical import decode
from ledger.outcomes import Outcome
from ledger.parts import CustodySigner, Head
from registry.apply import BlockContext, VerifiedEntry, apply
from registry.claims import tag_checks
from registry.drafts import Draft
from registry.state import State
from registry.state_key_names import ACT_HOURS

PLACEHOLDER: Final = bytes(64)
"""Stands where a signature is taken as given."""
_MADE_KINDS: Final = frozenset({"act", "grant"})
"""Rows under ids that are drawn by chance: a node tells a person of no other's, nor of new ones."""


def try_entry(view: NetworkView, draft: Draft) -> Outcome:
    """Return what an entry would do, were all its signatures there.

    Raises:
        RuleError: Why the ledger would refuse it.
        RemoteRefusalError: The node does not show the asker all that the rules look at.
        KeyNeededError: No key is at hand that a node would answer.
        NoNetworkError: No node answers.
    """
    entry = draft.entry.signed(placeholders(draft.entry.head))
    status = view.ask_any(Call(address="", path="/v1/status")).json
    block = BlockContext(
        height=int(status["height"]) + 1,
        index=0,
        time_ms=max(view.now_ms, int(status["time_ms"]) + 1),
        network_id=view.genesis.network_id,
    )
    state = State(rule_reader(view))
    tag_keys = tuple([check[0] for check in tag_checks(state, entry)])
    return apply(state, VerifiedEntry(entry, tag_keys), block)


def placeholders(head: Head) -> list[bytes | tuple[bytes, ...]]:
    """Return what stands in the place of an entry's signatures."""
    return [
        tuple([PLACEHOLDER for _ in signer.officers])
        if isinstance(signer, CustodySigner)
        else PLACEHOLDER
        for signer in head.signers
    ]


def rule_reader(view: NetworkView) -> Callable[[bytes], bytes | None]:
    """Return a reader of the state as far as it decides whether an entry passes.

    Which acts of others are to be forgotten decides nothing, so it is not asked for.
    """

    def read(raw_key: bytes) -> bytes | None:
        key = decode(raw_key, len(raw_key))
        kind = key[0] if isinstance(key, tuple) else None
        if kind == ACT_HOURS[0]:
            return None
        try:
            return view.remote.read(raw_key)
        except RemoteRefusalError as error:
            if error.remote_code != FORBIDDEN or kind not in _MADE_KINDS:
                raise
            return None

    return read
