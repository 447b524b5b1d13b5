"""The record that has a registration number.

    GET /v1/numbers/{office}/{series}/{number}/{year}

For who may see the record in any case: member agencies, its owner, who represents the owner. To
everybody else a number of another's record and one that nobody has are the same, so counting
through a book tells nobody who is in it.
"""

from dataclasses import dataclass

from ledger.ids import OfficeId
from node.access import Access, require_asker
from node.call_values import id_of, json_reply
from node.number_index import NumberIndex
from node.public_errors import NotFoundError
from node.public_owners import shown_record
from node.routes import Call, Handler, Json, Reply


@dataclass(frozen=True, slots=True)
class NumberRoutes:
    """The handler of /v1/numbers.

    Attributes:
        numbers: Which record has which number.
        access: Who may see a record.
    """

    numbers: NumberIndex
    access: Access

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers by the names of their routes."""
        return {"numbered_record": self.record}

    async def record(self, call: Call) -> Reply:
        """Return the records that have a number, as far as the asker may see them."""
        asker, office = require_asker(call.asker), OfficeId(id_of(call, "office"))
        number = "/".join(call.path[name] for name in ("series", "number", "year"))
        shown: list[Json] = [
            shown_record(self.access, found)
            for found in self.numbers.find(office, number)
            if self.access.may_read(asker, found)
        ]
        if not shown:
            raise NotFoundError(
                "no record has this number in that office, or it is not the asker's to see"
            )
        return json_reply({"office": office.hex(), "number": number, "records": shown})
