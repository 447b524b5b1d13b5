"""For whom a draft carries wraps: everybody who signs it, so that each program shows what it says.

The seal keys of citizens stand in the state, those of officers in `network.toml`, and those that
are only being enrolled in the act itself: who enrols keys sees the own record before signing.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from cli.network_view import NetworkView
from keys.errors import InvalidKeyError
from keys.signing import KeyId, Purpose, parse_public_key
from ledger.entries import KeySigner, Signer
from ledger.ids import RecordId
from ledger.parts import ObjectPart
from registry.authority_rows import KeyRow
from registry.readers import seal_keys
from registry.state_key_names import key_key
from registry.wraps import Reader

KEY: Final = "key"


def readers_of(
    view: NetworkView, signers: Sequence[Signer], objects: Iterable[ObjectPart]
) -> tuple[Reader, ...]:
    """Return the seal keys of the people who sign an act, officers behind custody forms too.

    Args:
        view: The network and its state.
        signers: Of the act.
        objects: What the act makes, keys among it.
    """
    key_ids: list[KeyId] = []
    for signer in signers:
        key_ids += (signer.key_id,) if isinstance(signer, KeySigner) else signer.officers
    view.remote.prefetch([key_key(key_id) for key_id in key_ids])
    found: list[Reader] = []
    for key_id in key_ids:
        row = view.state.read(key_key(key_id), KeyRow)
        if row is None:
            continue
        if row.holder_kind == "identity":
            keys = seal_keys(view.state, RecordId(row.holder), view.today)
            found += [Reader(key, "owner") for key in keys]
        found += [
            Reader(officer.seal, "representative")
            for officer in view.network.officers
            if officer.seal is not None and officer.identity == row.holder
        ]
    return (*found, *enrolled_readers(objects))


def enrolled_readers(objects: Iterable[ObjectPart]) -> list[Reader]:
    """Return the seal keys that an act enrols."""
    found: list[Reader] = []
    for item in objects:
        algorithm, public = item.fields.get("algorithm"), item.fields.get("public")
        if item.kind != KEY or item.fields.get("purpose") != Purpose.SEAL:
            continue
        if isinstance(algorithm, int) and isinstance(public, bytes):
            try:
                found.append(Reader(parse_public_key(algorithm, public), "owner"))
            except InvalidKeyError:
                continue  # The ledger refuses it, with a code of its own.
    return found
