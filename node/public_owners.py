"""What a person may know of the own records: which they are, and who had them shown.

    GET /v1/owners/{id}/records      the person's records, and whom the person represents
    GET /v1/records/{id}/accesses    who had the record shown, newest first

For the person or a representative, by a signed request; nobody else learns what somebody owns.
"""

from dataclasses import dataclass
from itertools import islice
from typing import Final

from ledger.ids import RecordId
from node.access import Access, require_asker
from node.call_values import id_of, json_reply, query_number
from node.owner_index import OwnerIndex
from node.public_errors import ForbiddenError, MalformedRequestError, NotFoundError
from node.reading import ACCESSES_MAX, UNKNOWN_RECORD, Accessed, Reading
from node.request_auth import Asker
from node.routes import Call, Handler, Json, Reply

RECORDS_MAX: Final = 256
"""Records in one answer."""


@dataclass(frozen=True, slots=True)
class OwnerRoutes:
    """The handlers of /v1/owners and of the list of accesses.

    Attributes:
        owners: Whose records are whose.
        access: Who may ask.
        reading: Who had what shown.
    """

    owners: OwnerIndex
    access: Access
    reading: Reading

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers by the names of their routes."""
        return {"owner_records": self.records, "record_accesses": self.accesses}

    async def records(self, call: Call) -> Reply:
        """Return which records are a person's."""
        person = RecordId(id_of(call))
        self._require_self(require_asker(call.asker), person)
        self.owners.require_filled()
        limit = query_number(call, "limit", RECORDS_MAX)
        first = query_number(call, "from", 0)
        if not 1 <= limit <= RECORDS_MAX:
            raise MalformedRequestError(f"limit is not within 1 ... {RECORDS_MAX}")
        found = self.owners.records_of(person)
        shown: list[Json] = [shown_record(self.access, one) for one in found[first : first + limit]]
        return json_reply(
            {
                "owner": person.hex(),
                "count": len(found),
                "records": shown,
                "represents": [one.hex() for one in self.owners.wards_of(person)],
            }
        )

    def _require_self(self, asker: Asker, person: RecordId) -> None:
        is_person = asker.key.holder_kind != "agency" and asker.key.holder == person
        if not is_person and not self.access.represents(RecordId(asker.key.holder), person):
            raise ForbiddenError("only a person and who represents the person may see this list")

    async def accesses(self, call: Call) -> Reply:
        """Return who had a record shown."""
        record_id, asker = RecordId(id_of(call)), require_asker(call.asker)
        if not self.access.is_owner(asker, record_id):
            raise NotFoundError(UNKNOWN_RECORD)
        listed = islice(self.reading.accesses(record_id), ACCESSES_MAX)
        shown: list[Json] = [self._access(one) for one in listed]
        return json_reply({"record": record_id.hex(), "accesses": shown})

    def _access(self, accessed: Accessed) -> Json:
        head, officers = accessed.entry.head, self.reading.officers_of(accessed.entry)
        logged = [item.fields.get("digest") for item in accessed.entry.objects]
        return {
            "entry": accessed.entry.entry_digest.hex(),
            "height": accessed.height,
            "time_ms": accessed.time_ms,
            "version": None if head.about is None else head.about.version,
            "office": None if head.office is None else head.office.hex(),
            "officers": [one.hex() for one in sorted(officers)],
            "legal_basis": list(head.legal_basis),
            "digest": next((one.hex() for one in logged if isinstance(one, bytes)), None),
        }


def shown_record(access: Access, record_id: RecordId) -> dict[str, Json]:
    """Return a record of the state as lists show it."""
    row = access.record(record_id)
    assert row is not None, "the indexes give records that are in the state"
    return {
        "record": record_id.hex(),
        "type": row.type_name,
        "version": row.version,
        "status": row.status,
        "flags": list(row.flags),
        "office": None if row.office is None else row.office.hex(),
        "registration_no": row.registration_number,
        "sealed_by": None if row.sealed_by is None else row.sealed_by.hex(),
    }
