"""No read without a trace: the access that an officer's program files before it opens a record.

A node gives a sealed body to an officer only after that officer's access act stands in the chain;
the owner sees who it was, for which office and when. Asking to see a record is the wish to file it.
"""

from typing import Final

from cli.acting import Actor, Order
from cli.errors import NoNetworkError
from keys.errors import CivregError
from keys.hashing import Digest
from keys.signing import KeyId, Signer
from ledger.ids import OfficeId, RecordId
from ledger.parts import ObjectPart
from registry.acts import Act
from registry.authority_rows import KeyRow, OfficerRow
from registry.civil_calendar import in_range
from registry.rows import RecordRow
from registry.signer_plan import Hands
from registry.state_key_names import key_key, officer_key

UNLOGGED: Final = "node.access_unlogged"
"""The code with which a node asks for an access first."""
ROLES: Final = ("declare", "register")
_SALT_BYTES: Final = 32


def file_access(
    actor: Actor, record_id: RecordId, row: RecordRow, asker: Signer, address: str
) -> bool:
    """Put an access of a record on record, for the officer whose auth key asks.

    Args:
        actor: With the officer's signing key on its ring.
        record_id: The record.
        row: Its row.
        asker: The auth key.
        address: Of the node that will be asked, which must know of the access.

    Returns:
        Whether the access stands in the chain; False where no key at hand may file one, or a rule
        refuses it.

    Raises:
        NoNetworkError: No node answers.
    """
    found = _role(actor, asker)
    if found is None:
        return False
    term, key_id, office = found
    logged = ObjectPart("logged", {"digest": Digest(actor.draw(_SALT_BYTES))})
    act = Act(kind=f"{row.type_name}/access", event_date=actor.today, records=(), objects=(logged,))
    order = Order(act=act, hands=Hands(officers={term: key_id}), office=office, target=record_id)
    try:
        (result,) = actor.submit([actor.make_entry(order)], address=address)
    except NoNetworkError:
        raise
    except CivregError:
        return False  # what the officer may not see is refused by the node, in its own words
    return result.committed


def _role(actor: Actor, asker: Signer) -> tuple[str, KeyId, OfficeId] | None:
    """Return term, key and office with which the holder of an auth key may file an access."""
    key = actor.state.read(key_key(asker.public.key_id), KeyRow)
    if key is None or key.holder_kind != "officer":
        return None
    officer = actor.state.read(officer_key(RecordId(key.holder)), OfficerRow)
    for role in () if officer is None else officer.roles:
        is_fit = role.role in ROLES and role.office == key.office and role.key_id in actor.ring
        if is_fit and in_range(actor.today, role.from_date, role.to_date):
            return f"officer({role.role})", role.key_id, OfficeId(role.office)
    return None
