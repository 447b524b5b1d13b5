"""The state over HTTP, for programs that draft entries: they read the rows that a node would read.

    request = canonical([1, [key ...]])                        1 ... 256 state keys
    answer  = canonical([1, height, [stored bin|nil ...]])     in the given order, after that block

A client makes a `registry.state.State` of these stored bytes and drafts with the very code that the
validators run. Members may read every key. Persons may read what is about the public
administration, and records and keys of their own.
"""

from dataclasses import dataclass
from typing import Final

from ledger.canonical import Value, decode, encode
from ledger.fields import read_array, read_version
from ledger.ids import ID_BYTES, ObjectId, RecordId
from ledger.state_keys import key_bytes, read_stored_value
from node.access import Access, require_asker
from node.application import Application
from node.call_values import json_reply, json_value, msgpack_reply
from node.public_errors import ForbiddenError, MalformedRequestError, NotFoundError
from node.request_auth import Asker
from node.routes import SMALL_BODY_BYTES_MAX, Call, Handler, Json, Reply
from registry.object_rows import GrantRow
from registry.record_checks import companion_id
from registry.state_key_names import grant_key

KEYS_MAX: Final = 256
ROWS_MAX: Final = 10_000
LISTED_KINDS: Final = frozenset(
    {
        "agency",
        "ballot",
        "book",
        "competence",
        "import",
        "mandate",
        "namespace",
        "office",
        "officer",
        "pack",
        "parameter",
        "table",
        "type",
        "validators",
    }
)
"""Kinds that are few and name nobody but offices and officers."""
OPEN_KINDS: Final = LISTED_KINDS | {"certificate", "key", "text"}
"""Kinds of which every known asker may read single rows."""
PERSONAL_KINDS: Final = frozenset({"certificates", "family", "record", "wraps"})
"""Kinds of which the owner of the record in the key may read rows.

Of what stands beside a record, such as contacts, its owner also learns that it is not there yet;
grants are found by the record that they open.
"""
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class StateRoutes:
    """The handlers of /v1/state.

    Attributes:
        application: The chain.
        access: Who may read what.
    """

    application: Application
    access: Access

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers by the names of their routes."""
        return {"state_list": self.listing, "state_values": self.values}

    async def listing(self, call: Call) -> Reply:
        """Return all rows of a kind."""
        kind = call.path["kind"]
        if kind not in LISTED_KINDS:
            raise NotFoundError("there is no list of this kind")
        rows: list[Json] = []
        for key_raw, stored in self.application.store.scan_state(kind):
            key = decode(key_raw, len(key_raw))
            rows.append({"key": json_value(key), "value": json_value(read_stored_value(stored)[1])})
            if len(rows) >= ROWS_MAX:
                break
        return json_reply({"kind": kind, "height": self.application.tip_height, "rows": rows})

    async def values(self, call: Call) -> Reply:
        """Return stored values of keys."""
        asker = require_asker(call.asker)
        value = decode(call.body, SMALL_BODY_BYTES_MAX, limit="state request bytes")
        version, listed = read_array(value, "state request", 2)
        read_version(version, "state request.version", _VERSION)
        keys = read_array(listed, "state request.keys", (1, KEYS_MAX))
        is_member = self.access.is_member(asker)
        store = self.application.store
        stored: list[Value] = []
        for key in keys:
            if type(key) is not tuple or not key or type(key[0]) is not str:
                raise MalformedRequestError("a state key is an array that begins with its kind")
            if not is_member:
                self._check_open(asker, key)
            stored.append(store.state(key_bytes(key)))
        return msgpack_reply(encode((_VERSION, store.height, tuple(stored))))

    def _check_open(self, asker: Asker, key: tuple[Value, ...]) -> None:
        """Refuse a row that is neither public administration nor the asker's own.

        Raises:
            ForbiddenError: It is another's.
        """
        if key[0] in OPEN_KINDS:
            return
        name = key[1] if len(key) > 1 else None
        if type(name) is bytes and len(name) == ID_BYTES and self._is_own(asker, key[0], name):
            return
        raise ForbiddenError("this row of the state is another's")

    def _is_own(self, asker: Asker, kind: Value, name: bytes) -> bool:
        """Tell whether a row is about the asker: a record, what stands beside it, or a grant of it.

        The id of the companion follows from the holder's own, so that it is not there yet tells
        nobody anything of others.
        """
        if kind == "grant":
            grant = self.access.state.read(grant_key(ObjectId(name)), GrantRow)
            return grant is not None and self.access.is_owner(asker, grant.record_id)
        if kind not in PERSONAL_KINDS:
            return False
        holder = RecordId(asker.key.holder)
        own = name == holder or (kind == "record" and name == companion_id(holder))
        return own or self.access.is_owner(asker, RecordId(name))
