"""Which entries are under review, because a key that signed them was in foreign hands.

Revoking an officer's key may say since when it was compromised. From then on every entry that it
signed is under review. That is read from the key's row whenever someone asks; no record is written
for it, so it costs nothing however much the key has signed.

Source: records.md, section 3, *a stolen officer key*.
"""

from keys.signing import KeyId
from ledger.parts import Head, KeySigner
from registry.authority_rows import KeyRow
from registry.state import State
from registry.state_key_names import key_key


def signing_keys(head: Head) -> tuple[KeyId, ...]:
    """Return the keys that signed an entry: of its signers, and of custody forms the officers'."""
    found: list[KeyId] = []
    for signer in head.signers:
        found += (signer.key_id,) if isinstance(signer, KeySigner) else signer.officers
    return tuple(found)


def compromised_keys(state: State, key_ids: tuple[KeyId, ...], time_ms: int) -> tuple[KeyId, ...]:
    """Return those keys that were in foreign hands at a block time.

    Args:
        state: As of now: a key may be revoked long after it signed.
        key_ids: Keys that signed an entry, see `signing_keys`.
        time_ms: Block time of that entry.
    """
    found: list[KeyId] = []
    for key_id in key_ids:
        row = state.read(key_key(key_id), KeyRow)
        since = None if row is None else row.compromised_since_ms
        if since is not None and time_ms >= since:
            found.append(key_id)
    return tuple(found)


def is_under_review(state: State, head: Head, time_ms: int) -> bool:
    """Tell whether an entry of a block time was signed by a key that was in foreign hands then."""
    return bool(compromised_keys(state, signing_keys(head), time_ms))
