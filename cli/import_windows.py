"""Opening a window for old books: the agencies' ballot, then the office's announcement.

    ballot/open    by the governance keys of one agency: `import_window` for an office and a source
    ballot/vote    by those of others, until more than two thirds of the weight agree
    <type>/notice  by an officer of the office: a digest of what will come. A window is in force
                   two heights after the ballot, and this is the block between
    import/open    by two officers of the office: how many records will come, and the root of scans

In a real network the three take days and happen on several machines; where all keys are at hand, as
in a development network, one call does it. A window that is open already is left as it is.
"""

import datetime as dt
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cli.acting import Actor, Order
from cli.carrying import wait_for_height
from cli.errors import InvalidInputError
from cli.key_ring import KeyRing
from cli.network_file import GovernancePlace
from cli.packages import Package
from cli.staff import Staff
from keys.hashing import Digest, sha256
from keys.signing import KeyId
from ledger.ids import OfficeId
from ledger.parts import ObjectPart
from registry.acts import Act
from registry.object_rows import ImportRow
from registry.signer_plan import Hands
from registry.state_key_names import import_key

if TYPE_CHECKING:
    from ledger.canonical import Value

WINDOW_DAYS: Final = 365
_SALT_BYTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowWish:
    """Which window is wanted.

    Attributes:
        type_name: Record type that comes in.
        source: Name of the old register, at most 64 letters.
        count: How many records are announced, if the window is to be opened.
        needed: How many must still fit.
        scans_root: Root of the scans, or digest of the file that is imported.
    """

    type_name: str
    source: str
    count: int
    needed: int
    scans_root: Digest


def window_of(actor: Actor, office: OfficeId, source: str) -> ImportRow | None:
    """Return the window of an office for a source as the state has it now."""
    actor.refresh()
    return actor.state.read(import_key(office, source), ImportRow)


def open_window(actor: Actor, staff: Staff, wish: WindowWish) -> ImportRow:
    """Open a window, as far as it is not open yet; needs governance keys of over two thirds.

    Returns:
        The window.

    Raises:
        InvalidInputError: The open window is for another type or another count.
        KeyNeededError: A governance or officer's key is not at hand.
        RemoteRefusalError: The state machine refuses.
    """
    row = window_of(actor, staff.office_id, wish.source)
    if row is None:
        _hold_ballot(actor, staff.office_id, wish)
        _give_notice(actor, staff, wish)
        row = window_of(actor, staff.office_id, wish.source)
    if row is not None and row.scans_root is None:
        _announce(actor, staff, wish)
        row = window_of(actor, staff.office_id, wish.source)
    if row is None:
        raise InvalidInputError(f"the window of {wish.source!r} is not open", name=wish.source)
    check_window(row, wish)
    return row


def check_window(row: ImportRow, wish: WindowWish) -> None:
    """Refuse a window that is for something else, or has too little room.

    Raises:
        InvalidInputError: It is for another type or another count.
    """
    if row.type_name != wish.type_name:
        raise InvalidInputError(
            f"the window of {wish.source!r} is for another record type", name=wish.source
        )
    room = row.count - row.used
    if room < wish.needed:
        raise InvalidInputError(
            f"the window of {wish.source!r} has room for {room} more records, {wish.needed} are "
            "left; import a further file of that register under a source name of its own",
            name=wish.source,
        )


def planned_window(wish: WindowWish, today: str) -> ImportRow:
    """Return the window as it would be once ballot and announcement are through."""
    return ImportRow(
        type_name=wish.type_name,
        from_date=today,
        to_date=_last_day(today),
        from_height=0,
        scans_root=wish.scans_root,
        count=wish.count,
        used=0,
    )


def _last_day(today: str) -> str:
    return (dt.date.fromisoformat(today) + dt.timedelta(days=WINDOW_DAYS)).isoformat()


def _hold_ballot(actor: Actor, office: OfficeId, wish: WindowWish) -> None:
    """Open the ballot and have all agencies vote whose keys are at hand, until it passes."""
    window: dict[str, Value] = {
        "office": office,
        "source": wish.source,
        "type": wish.type_name,
        "from_date": actor.today,
        "to_date": _last_day(actor.today),
    }
    ballot = ObjectPart("ballot", {"action": "import_window", "fields": window})
    first, *others = actor.network.governance
    opened = _governed(actor, "ballot/open", ballot, first)
    ballot_id = opened.entry.created_record_id
    for agency in others:
        if window_of(actor, office, wish.source) is not None:
            return
        voted = ObjectPart("vote", {"ballot": ballot_id, "yes": True})
        _governed(actor, "ballot/vote", voted, agency)


def _governed(actor: Actor, kind: str, item: ObjectPart, agency: GovernancePlace) -> Package:
    act = Act(kind=kind, event_date=actor.today, records=(), objects=(item,))
    hands = Hands(governance=governance_keys(actor.ring, agency))
    package = actor.make_entry(Order(act=act, hands=hands))
    _register(actor, package)
    return package


def _register(actor: Actor, package: Package) -> None:
    """Have an entry committed, and known to the node that the next step reads from."""
    result = actor.submit([package])[0]
    result.check()
    wait_for_height(actor, result.height or 0)


def governance_keys(ring: KeyRing, agency: GovernancePlace) -> tuple[KeyId, ...]:
    """Return as many governance keys of an agency as decide.

    Raises:
        NotFoundError: A key file is missing.
        KeyFileError: One cannot be used.
    """
    return tuple([ring.add_file(path).key_id for path in agency.keys[: agency.needed]])


def _give_notice(actor: Actor, staff: Staff, wish: WindowWish) -> None:
    digest = sha256(secrets.token_bytes(_SALT_BYTES) + wish.scans_root)
    item = ObjectPart("notice", {"purpose": "intake", "digest": digest})
    _by_office(actor, staff, f"{wish.type_name}/notice", item)


def _announce(actor: Actor, staff: Staff, wish: WindowWish) -> None:
    fields: dict[str, Value] = {
        "source": wish.source,
        "scans_root": wish.scans_root,
        "count": wish.count,
    }
    _by_office(actor, staff, "import/open", ObjectPart("opening", fields))


def _by_office(actor: Actor, staff: Staff, kind: str, item: ObjectPart) -> None:
    act = Act(kind=kind, event_date=actor.today, records=(), objects=(item,))
    order = Order(act=act, hands=staff.hands, office=staff.office_id, asker=staff.asker)
    _register(actor, actor.make_entry(order))
