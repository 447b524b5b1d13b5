"""Who has how much on a shelf of this node: a share for each asker, half for the own officers.

What waits for signatures lies on a shelf for up to a month. So nobody may fill one: every asker has
a share, an officer of the own agency a large one, a person or another agency's officer a small one;
and all who are not of the own agency share half of the shelf, however many they are. The other half
is the agency's own, so that its acts never wait for what strangers left.

Only counted here; whoever has the shelf keeps the things, with the name of their holder.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from keys.hashing import Digest
from ledger.ids import ID_BYTES, AgencyId
from node.public_errors import UnavailableError
from node.request_auth import Asker

OWN_PART: Final = 4
"""An own officer may have a quarter of a shelf: four, at least, share the half that is reserved."""
OTHERS_PART: Final = 2
"""All others together have half."""


class Room(NamedTuple):
    """How much there is, or may be.

    Attributes:
        items: Things.
        size_bytes: Of all of them.
    """

    items: int
    size_bytes: int


OTHER_SHARE: Final = Room(64, 16 * 1024 * 1024)
"""Of a person, or of another agency's officer: more acts than anybody has under way at once."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose a thing on the shelf is: of a person or agency, whatever key asked.

    Attributes:
        name: Id of the person or agency; empty for a thing of which nobody knows.
        is_own: Whether it came from the agency whose node this is.
    """

    name: bytes
    is_own: bool

    def __post_init__(self) -> None:
        assert len(self.name) in {0, ID_BYTES}


NOBODY: Final = Holder(b"", is_own=False)
"""Holds what lies there without a name: it counts as others' and in no asker's share."""


def holder_of(asker: Asker, own: AgencyId | None) -> Holder:
    """Return as whose a thing counts that somebody brings.

    Args:
        asker: Who signed the request.
        own: Whose node this is; None for an observer's.
    """
    return Holder(asker.key.holder, is_own=own is not None and asker.agency == own)


class _Place(NamedTuple):
    holder: Holder
    size_bytes: int


_Group = tuple[str, bytes]
"""What is counted together: the name of the limit, and of whom."""


class ShelfShares:
    """Counts what lies on one shelf, by holder.

    Args:
        what: Is on the shelf, for refusals; such as "drafts".
        whole: Of the shelf.
    """

    def __init__(self, what: str, whole: Room) -> None:
        self._what = what
        self._whole = whole
        self._places: dict[Digest, _Place] = {}
        self._used: dict[_Group, Room] = {}

    def holder_of(self, digest: Digest, asking: Holder) -> Holder:
        """Return as whose a thing will count: the first holder's, unless the own agency takes it.

        So nobody makes the agency's draft count in a stranger's share by bringing it first.
        """
        known = self._places.get(digest)
        return asking if known is None or asking.is_own > known.holder.is_own else known.holder

    def check(self, digest: Digest, asking: Holder, size_bytes: int) -> None:
        """Refuse a thing for which there is no room; one that lies there already is replaced.

        Args:
            digest: Of the thing.
            asking: Who brings it.
            size_bytes: Of it.

        Raises:
            UnavailableError: The asker's share, the others' half or the shelf is full; details:
                limit, value, maximum.
        """
        known = self._places.get(digest)
        freed = {} if known is None else self._groups(known.holder)
        for group, most in self._groups(self.holder_of(digest, asking)).items():
            used = self._used.get(group, Room(0, 0))
            old = Room(1, known.size_bytes) if known and group in freed else Room(0, 0)
            _refuse_over(group[0], used.items - old.items + 1, most.items)
            wanted_bytes = used.size_bytes - old.size_bytes + size_bytes
            _refuse_over(f"bytes of {group[0]}", wanted_bytes, most.size_bytes)

    def take(self, digest: Digest, asking: Holder, size_bytes: int) -> None:
        """Count a thing that lies on the shelf now, in place of one with this digest."""
        holder = self.holder_of(digest, asking)
        self.free(digest)
        self._places[digest] = _Place(holder, size_bytes)
        self._count(holder, 1, size_bytes)

    def free(self, digest: Digest) -> None:
        """Count a thing no longer; none of this digest is nothing to do."""
        known = self._places.pop(digest, None)
        if known is not None:
            self._count(known.holder, -1, -known.size_bytes)

    def _count(self, holder: Holder, items: int, size_bytes: int) -> None:
        for group in self._groups(holder):
            used = self._used.get(group, Room(0, 0))
            counted = Room(used.items + items, used.size_bytes + size_bytes)
            if counted.items:
                self._used[group] = counted
            else:
                self._used.pop(group, None)

    def _groups(self, holder: Holder) -> dict[_Group, Room]:
        """Return in what a holder's things count, and how much of each there may be."""
        groups: dict[_Group, Room] = {(self._what, b""): self._whole}
        if holder.is_own:
            groups[f"{self._what} of one officer", holder.name] = _part(self._whole, OWN_PART)
            return groups
        groups[f"{self._what} from outside the agency", b""] = _part(self._whole, OTHERS_PART)
        if holder.name:
            groups[f"{self._what} of one asker", holder.name] = OTHER_SHARE
        return groups


def _refuse_over(limit: str, value: int, maximum: int) -> None:
    if value > maximum:
        raise UnavailableError(
            f"there is no room for more {limit}: {value} of {maximum}",
            limit=limit,
            value=value,
            maximum=maximum,
        )


def _part(whole: Room, part: int) -> Room:
    return Room(whole.items // part, whole.size_bytes // part)
